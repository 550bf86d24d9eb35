"""The catalog's slot sizes → `tag.js` as it is served: its text, compressed once, and its ETag.

The sizes travel inside the script, so that a bare `<div data-ad-slot="…">` gets its space before any answer:
a layout that shifts when the answer comes would cost the page its readers' place, and its Core Web Vitals.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from typing import NamedTuple

import brotli  # type: ignore[import-untyped]

from adserver.catalog.fields import VIDEO

_PLACEHOLDER = "CATALOG_SIZES"
#: Characters that are legal in JSON and yet end a script element, or a line of JavaScript before ES2019.
_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


#: Site → slot → sizes.
Sizes = Mapping[str, Mapping[str, Sequence[str]]]


class Tag(NamedTuple):
    """The script in every content coding that is served, best first, and its ETag, quotes included."""

    bodies: Mapping[str, bytes]
    etag: str

    def coding_for(self, accepted: str) -> str:
        """The best coding that an `Accept-Encoding` header names and does not refuse by a weight of 0."""
        parts = [part.partition(";") for part in accepted.lower().replace(" ", "").split(",")]
        names = {name for name, _, weight in parts if weight.rstrip("0.") != "q="}
        return next((name for name in self.bodies if name in names), "identity")


class Tags:
    """The tags of one catalog: one with every site's slots, and one for each site with its own.

    Each is made when it is first asked for; of sites that are not known there is one, with no slots.
    """

    def __init__(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._made: dict[str | None, Tag] = {}

    def made(self, site: str | None) -> Tag | None:
        """The tag of a site, or for None of all, if it was made before."""
        return self._made.get(self._known(site))

    def make(self, site: str | None) -> Tag:
        """The same, made now; that takes some milliseconds."""
        known = self._known(site)
        own = {site: slots for site, slots in self._sizes.items() if known in (None, site)}
        tag = self._made[known] = tag_of(own)
        return tag

    def _known(self, site: str | None) -> str | None:
        return site if site is None or site in self._sizes else ""


def tag_of(sizes: Sizes) -> Tag:
    """The tag of a catalog, by site and slot. The ETag is weak: one for all codings (RFC 9110, 8.8.1)."""
    source = tag_source(sizes)
    bodies = {
        "br": brotli.compress(source),
        "gzip": gzip.compress(source, mtime=0),
        "identity": source,
    }
    return Tag(bodies, f'W/"{blake2b(source, digest_size=12).hexdigest()}"')


def tag_source(sizes: Sizes) -> bytes:
    """Site → slot → sizes such as "970x250" → `tag.js` with them, in UTF-8. Equal input, equal bytes.

    A video is played by the page's player, which has its place already.
    """
    plain = {site: dict(_drawn(slots)) for site, slots in sizes.items()}
    text = json.dumps(plain, separators=(",", ":"), sort_keys=True).translate(_ESCAPES)
    return _template().replace(_PLACEHOLDER, text).encode()


def _drawn(slots: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    for slot, names in slots.items():
        drawn = ",".join(name for name in names if name != VIDEO)
        if drawn:
            yield slot, drawn


@cache
def _template() -> str:
    text = files("adserver.serving").joinpath("static/tag.min.js").read_text(encoding="utf-8")
    assert text.count(_PLACEHOLDER) == 1, "tag.js must have exactly one place for the catalog's sizes"
    return text
