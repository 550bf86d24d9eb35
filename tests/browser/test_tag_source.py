"""The catalog's sizes inside the text of tag.js, and what it weighs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import brotli  # type: ignore[import-untyped]
import pytest
from playwright.sync_api import Browser

from adserver.serving.tag import tag_etag, tag_source

#: What a page may be asked to load (issue "On the page"), in bytes as served with brotli.
MAX_TAG_BYTES = 5 * 1024
Sizes = dict[str, dict[str, Sequence[str]]]
SIZES: Sizes = {"daily": {"header": ["970x250", "728x90", "320x50"], "sidebar": ("300x600",)}}


def sizes_in(source: bytes) -> object:
    """The object that the tag finds its catalog sizes in."""
    match = re.search(r"const CATALOG_SIZES = (.*);", source.decode())
    assert match
    return json.loads(match[1])


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
    line = next(line for line in source.decode().split("\n") if "const CATALOG_SIZES" in line)
    assert not set(line) & set("<>&\u2028\u2029")


def test_equal_catalogs_give_equal_bytes_and_other_sizes_another_etag() -> None:
    reordered = {"daily": dict(reversed(SIZES["daily"].items()))}
    assert tag_source(SIZES) == tag_source(reordered)
    assert tag_etag(tag_source(SIZES)) == tag_etag(tag_source(reordered))
    assert tag_etag(tag_source(SIZES)) != tag_etag(tag_source({}))
    assert re.fullmatch(r'"[0-9a-f]+"', tag_etag(tag_source({})))


@pytest.mark.browser
def test_what_is_served_is_the_script_without_its_comments(browser: Browser) -> None:
    page = browser.new_page()
    source = tag_source({}).decode()
    assert page.evaluate("(source) => { new Function(source); return true; }", source)
    assert not re.search(r"^\s*(//|/\*|\*)", source, re.MULTILINE)
    page.close()


def test_the_tag_is_light() -> None:
    weight = len(brotli.compress(tag_source(SIZES)))
    print(f"tag.js: {weight} bytes with brotli")
    assert weight <= MAX_TAG_BYTES
