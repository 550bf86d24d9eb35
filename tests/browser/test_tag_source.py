"""The catalog's sizes inside the text of tag.js, and what it weighs."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence

import brotli  # type: ignore[import-untyped]
import pytest

from adserver.demo.catalog import demo_catalog
from adserver.serving.tag import Tags, tag_of, tag_source
from tests.browser.tag_build import BUILT, MODULES, STATIC, built, joined
from tests.newsroom import NOW

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
    written = {"daily": {"header": "970x250,728x90,320x50", "sidebar": "300x600"}}
    assert sizes_in(tag_source(SIZES)) == written
    video: Sizes = {"daily": {"film": ["video"], "both": ["300x250", "video"]}}
    assert sizes_in(tag_source(video)) == {"daily": {"both": "300x250"}}
    assert sizes_in(tag_source({})) == {}


def test_names_cannot_end_the_script() -> None:
    hostile: Sizes = {
        "</script><script>alert(1)//": {"<!--": ["1x1"]},
        "a": {"\u2028\u2029&": ["1x1"], "\\1 \"'`${x}": ["1x1"]},
    }
    source = tag_source(hostile)
    assert sizes_in(source) == {site: dict.fromkeys(slots, "1x1") for site, slots in hostile.items()}
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


def test_the_tag_of_each_site_is_light() -> None:
    ten = {f"article-{number}": ["970x250", "728x90", "320x100"] for number in range(10)}
    catalogs: list[Sizes] = [
        SIZES,
        {site.name: {slot.name: slot.sizes for slot in site.slot} for site in demo_catalog(NOW).site},
        {f"site-{number}": dict(ten) for number in range(100)},
    ]
    for sizes in catalogs:
        weight = max(len(Tags(sizes).make(site).bodies["br"]) for site in sizes)
        print(f"tag.js: {weight} bytes with brotli")
        assert weight <= MAX_TAG_BYTES


def test_each_site_has_its_own_tag_and_what_is_not_known_one_for_all() -> None:
    sizes: Sizes = {**SIZES, "weekly": {"top": ["300x250"]}}
    tags = Tags(sizes)
    assert tags.made("daily") is None
    assert sizes_in(tags.make("daily").bodies["identity"]) == sizes_in(tag_source(SIZES))
    assert tags.made("daily") == tag_of(SIZES)
    assert tags.make(None) == tag_of(sizes)
    for number in range(3):
        assert tags.make(f"other-{number}") == tag_of({})
    assert tags.made("another") == tag_of({})
    assert len(tags._made) == 3
