"""Bytes of a file → what picture it is, by its content and not by its name, or why it is none to be shown.

Formats are those that browsers show. An SVG is a document that can hold scripts and fetch from elsewhere:
within an image element browsers let it do neither, but opened by itself it would run where it lies, which may
be this very server. So one that holds any such thing is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple
from xml.etree import ElementTree


class Picture(NamedTuple):
    """Format as in its MIME type (`png`, `jpeg`, `gif`, `webp`, `avif`, `svg+xml`), and size in pixels.

    The size of an SVG may not be known: None.
    """

    format: str
    width: int | None
    height: int | None


class NoPicture(ValueError):
    """A file that no page should show; the message says why, to follow the file's name."""


#: Elements that can run, embed or fetch something.
_ACTIVE = frozenset(
    "script foreignObject iframe embed object audio video canvas link handler listener".split()
)
_INNER = re.compile(r"\s*(#|data:image/(png|jpe?g|gif|webp|avif)[;,])", re.IGNORECASE)
_URL = re.compile(r"url\(\s*['\"]?(?P<target>[^)]*)", re.IGNORECASE)
_NUMBER = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(?:px)?\s*")
_ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


def picture_of(content: bytes) -> Picture:
    """Look at a file. Raises NoPicture."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and content[12:16] == b"IHDR":
        return Picture("png", _big(content, 16, 4), _big(content, 20, 4))
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return Picture("gif", _little(content, 6, 2), _little(content, 8, 2))
    if content[:3] == b"\xff\xd8\xff":
        return _jpeg(content)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return _webp(content)
    if content[4:12] in (b"ftypavif", b"ftypavis"):
        at = content.find(b"ispe")
        return Picture("avif", _big(content, at + 8, 4), _big(content, at + 12, 4))
    if re.match(rb"\s*(\xef\xbb\xbf)?\s*<", content[:100]) and b"<svg" in content[:4_000]:
        return _svg(content)
    raise NoPicture(
        "is no picture that browsers show: by its content it is not PNG, JPEG, GIF, WebP, AVIF or SVG"
    )


def _big(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "big")


def _little(content: bytes, at: int, size: int) -> int:
    return int.from_bytes(content[at : at + size], "little")


def _jpeg(content: bytes) -> Picture:
    """The size stands in the frame header (ITU T.81, B.2.2), after segments that are skipped."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker = content[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            return Picture("jpeg", _big(content, at + 7, 2), _big(content, at + 5, 2))
        at += 2 + _big(content, at + 2, 2)
    raise NoPicture("is a JPEG without a size; it may be cut off")


def _webp(content: bytes) -> Picture:
    """RFC 9649: lossy, lossless or extended."""
    kind = content[12:16]
    if kind == b"VP8X":
        return Picture("webp", 1 + _little(content, 24, 3), 1 + _little(content, 27, 3))
    if kind == b"VP8L":
        bits = _little(content, 21, 4)
        return Picture("webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    if kind == b"VP8 ":
        return Picture("webp", _little(content, 26, 2) & 0x3FFF, _little(content, 28, 2) & 0x3FFF)
    raise NoPicture("is a WebP of an unknown kind")


def _svg(content: bytes) -> Picture:
    if _ENTITIES.search(content):
        raise NoPicture("is an SVG with a DOCTYPE or entities")
    try:
        root = ElementTree.fromstring(content)  # noqa: S314  (what could expand was refused just now)
    except ElementTree.ParseError as error:
        raise NoPicture(f"is an SVG that cannot be read: {error}") from None
    for active in _active(root):
        raise NoPicture(f"is an SVG with {active}; export it without")
    width, height = (_length(root.get(name)) for name in ("width", "height"))
    box = (root.get("viewBox") or "").replace(",", " ").split()
    if (width is None or height is None) and len(box) == 4:
        width, height = _length(box[2]), _length(box[3])
    return Picture("svg+xml", width, height)


def _active(root: ElementTree.Element) -> Iterator[str]:
    """What in an SVG could run or fetch something."""
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name in _ACTIVE:
            yield f"<{name}>"
        for key, value in element.attrib.items():
            attribute = key.rpartition("}")[2]
            if attribute.lower().startswith("on"):
                yield f"the handler {attribute}"
            if attribute in ("href", "src", "from", "to", "values") and _leads_out(attribute, value):
                yield f"the address {value[:60]!r}"
            if _fetches(value):
                yield f"the address in {attribute}"
        if name == "style" and _fetches(element.text or ""):
            yield "an address in its style"


def _leads_out(attribute: str, value: str) -> bool:
    if attribute in ("href", "src"):
        return not _INNER.match(value)
    return "javascript:" in value.lower() or "data:text" in value.lower()


def _fetches(text: str) -> bool:
    if "@import" in text.lower():
        return True
    return any(not _INNER.match(found["target"]) for found in _URL.finditer(text))


def _length(text: str | None) -> int | None:
    found = _NUMBER.fullmatch(text or "")
    return round(float(found[1])) if found else None
