"""Creatives, and the files that they show → what is refused in them, and what looks unintended."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from adserver.catalog.creative import Creative
from adserver.catalog.keys import Finding, Loc, to_faults
from adserver.catalog.model import Catalog
from adserver.catalog.outline import outline
from adserver.catalog.picture import NoPicture, Picture, picture_of
from adserver.errors import Fault

#: Address of a picture in the catalog → its bytes, where it is at hand.
Read = Callable[[str], bytes | None]
_KB = 1000
#: Most bytes that a creative may load at first, by its size: IAB Tech Lab, "New Ad Portfolio: Fixed Size Ad
#: Specifications" (2017), column "Initial Load".
WEIGHTS = {
    "970x250": 250 * _KB,
    "300x50": 50 * _KB,
    "320x50": 50 * _KB,
    "728x90": 150 * _KB,
    "970x90": 200 * _KB,
    "300x1050": 250 * _KB,
    "160x600": 150 * _KB,
    "300x250": 150 * _KB,
    "120x60": 50 * _KB,
    "640x1136": 300 * _KB,
    "750x1334": 300 * _KB,
    "1080x1920": 300 * _KB,
    "120x20": 5 * _KB,
    "168x28": 5 * _KB,
    "216x36": 5 * _KB,
}
#: Places of a click URL as other ad servers write them.
_FOREIGN = re.compile(
    r"%%CLICK_URL\w*%%|\[CLICK(?:_URL|TAG|_TRACKER)?\]|\$\{CLICK_URL\w*\}|\{\{?clickurl\w*\}?\}|%c\b%?u?|##CLICK##",
    re.IGNORECASE,
)
_CLICK_MACROS = ("{click}", "{click_encoded}")
_ENDINGS = {"jpg": "jpeg", "svg": "svg+xml"}


def unlikely_creatives(catalog: Catalog, file: str) -> list[Fault]:
    """What is allowed in the texts of creatives but looks unintended."""
    found = [
        one
        for loc, creative in _creatives(catalog)
        for one in (*_unlikely_html(creative, loc), *_unlikely_video(creative, loc))
    ]
    return to_faults(catalog.model_dump(by_alias=True), found, file)


def look_at_files(catalog: Catalog, file: str, read: Read) -> tuple[list[Fault], list[Fault]]:
    """(what is refused, warnings) of the pictures that are at hand."""
    refused: list[Finding] = []
    warned: list[Finding] = []
    for loc, creative in _creatives(catalog):
        for key in ("image", "image_dark"):
            address = getattr(creative, key)
            content = read(address) if address else None
            if content is None:
                continue
            try:
                picture = picture_of(content)
            except NoPicture as error:
                refused.append(((*loc, key), f"{address} {error}"))
            else:
                warned += [
                    ((*loc, key), text) for text in _unlikely_picture(creative, address, picture, content)
                ]
    tables = catalog.model_dump(by_alias=True)
    return to_faults(tables, refused, file), to_faults(tables, warned, file)


def _creatives(catalog: Catalog) -> Iterator[tuple[Loc, Creative]]:
    places = outline(catalog.model_dump(by_alias=True)).items
    for (_, _, item), place in zip(catalog.line_items(), places, strict=True):
        for creative, outlined in zip(item.creative, place.creatives, strict=True):
            yield outlined.loc, creative


def _unlikely_html(creative: Creative, loc: Loc) -> Iterator[Finding]:
    if creative.html is None:
        return
    here = (*loc, "html")
    foreign = _FOREIGN.search(creative.html)
    if foreign:
        yield here, f"{foreign[0]} is another ad server's place for the click URL; here it is {{click}}"
    elif creative.click and not any(macro in creative.html for macro in _CLICK_MACROS):
        yield here, "has no {click}, so its clicks are not counted"
    elif not creative.click and any(macro in creative.html for macro in _CLICK_MACROS):
        yield here, "has {click}, and the creative has no click URL to put there"
    size = len(creative.html.encode())
    yield from ((here, text) for text in _too_heavy(creative, size))


def _unlikely_video(creative: Creative, loc: Loc) -> Iterator[Finding]:
    if creative.media is None:
        return
    if not any(file.type == "video/mp4" for file in creative.media):
        yield (*loc, "media"), "has no file of type video/mp4, the one that every player plays"
    skip, duration = creative.skip_after_seconds, creative.duration_seconds
    if skip is not None and duration is not None and skip >= duration:
        yield (*loc, "skip_after_seconds"), f"is not before its end after {duration} seconds"


def _unlikely_picture(creative: Creative, address: str, picture: Picture, content: bytes) -> Iterator[str]:
    ending = address.partition("?")[0].rpartition(".")[2].lower()
    known = _ENDINGS.get(ending, ending)
    if known != picture.format and known in ("png", "jpeg", "gif", "webp", "avif", "svg+xml"):
        yield f"{address} is called .{ending} and is {picture.format} by its content"
    width, height = map(int, creative.size.split("x"))
    if picture.width and picture.height and picture.width * height != picture.height * width:
        yield f"{address} is {picture.width}x{picture.height}, which is not the shape of {creative.size}"
    elif picture.width and picture.width < width and picture.format != "svg+xml":
        yield f"{address} is {picture.width}x{picture.height}, smaller than {creative.size}"
    yield from _too_heavy(creative, len(content))


def _too_heavy(creative: Creative, size: int) -> Iterator[str]:
    most = WEIGHTS.get(creative.size)
    if most is not None and size > most:
        yield f"weighs {size / _KB:.0f} kB; IAB's limit for {creative.size} is {most // _KB} kB"
