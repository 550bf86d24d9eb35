"""The catalog's sizes inside the text of tag.js, and what it weighs."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence

import brotli  # type: ignore[import-untyped]
import pytest

from adserver.serving.tag import tag_of, tag_source
from tests.browser.tag_build import BUILT, MODULES, STATIC, built, joined

#: What a page may be asked to load (issue "On the page"), in bytes as served with brotli.
MAX_TAG_BYTES = 5 * 1024
Sizes = dict[str, dict[str, Sequence[str]]]
SIZES: Sizes = {"daily": {"header": ["970x250", "728x90", "320x50"], "sidebar": ("300x600",)}}


def sizes_in(source: bytes) -> object:
    """The object that the tag finds its catalog sizes in."""
    before, _, after = BUILT.read_text(encoding="utf-8").partition("CATALOG_SIZES")
    text = source.decode()
    assert text.startswith(before)
    assert text.endswith(after)
    return json.loads(text[len(before) : -len(after)])


def test_the_sizes_are_in_the_script() -> None:
    assert sizes_in(tag_source(SIZES)) == json.loads(json.dumps(SIZES))
    assert sizes_in(tag_source({})) == {}


def test_names_cannot_end_the_script() -> None:
    hostile: Sizes = {
        "</script><script>alert(1)//": {"<!--": ["1x1"]},
        "a": {"\u2028\u2029&": [], "\\1 \"'`${x}": []},
    }
    source = tag_source(hostile)
    assert sizes_in(source) == hostile
    before, _, after = BUILT.read_text(encoding="utf-8").partition("CATALOG_SIZES")
    added = source.decode()[len(before) : -len(after)]
    assert not set(added) & set("<>&\u2028\u2029")


def test_equal_catalogs_give_equal_bytes_and_other_sizes_another_etag() -> None:
    reordered = {"daily": dict(reversed(SIZES["daily"].items()))}
    assert tag_source(SIZES) == tag_source(reordered)
    assert tag_of(SIZES) == tag_of(reordered)
    assert tag_of(SIZES).etag != tag_of({}).etag
    assert re.fullmatch(r'W/"[0-9a-f]+"', tag_of({}).etag)


def test_what_is_served_is_built_from_the_modules() -> None:
    assert BUILT.read_text(encoding="utf-8") == built(), "run `make tag`"


def test_every_module_is_in_what_is_served() -> None:
    assert {path.stem for path in (STATIC / "tag").iterdir()} == set(MODULES)
    assert not re.search(r"^\s*(import|export)\b", joined(), re.MULTILINE)


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, br;q=0", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("br;q=0.0", "identity"),
        ("", "identity"),
    ],
)
def test_it_is_compressed_as_the_browser_wants(accepted: str, coding: str) -> None:
    tag = tag_of(SIZES)
    assert tag.coding_for(accepted) == coding
    plain = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[coding]
    assert plain(tag.bodies[coding]) == tag_source(SIZES)


def test_the_tag_is_light() -> None:
    weight = len(tag_of(SIZES).bodies["br"])
    print(f"tag.js: {weight} bytes with brotli")
    assert weight <= MAX_TAG_BYTES
