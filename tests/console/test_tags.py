"""What is pasted for sites and slots is what the server answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from adserver.console.tags import tags_of
from tests.newsroom import catalog_of, line_item, server
from tests.serving.test_vast import SLOTS, video


def test_a_slot_has_what_its_sizes_need() -> None:
    def where(*sizes: str) -> list[str]:
        return [told.split(",")[0] for told, _ in tags_of(("slot", "daily", "x"), {"sizes": sizes}, "")]

    pages = [
        "On every page of the site",
        "Where the ad shall be",
        "Where no script may run",
        "In a newsletter",
    ]
    assert where("728x90", "320x50") == pages
    assert where("video") == ["In a video player"]
    assert where("300x250", "video") == [*pages, "In a video player"]
    assert [told for told, _ in tags_of(("site", "daily"), {}, "")] == ["On every page of the site, once"]
    assert tags_of(("creative", "one"), {}, "") == []


@pytest.mark.parametrize("pasted", range(5))
def test_each_address_is_answered(tmp_path: Path, pasted: int) -> None:
    film: dict[str, object] = {"name": "film", "tier": "house", "creative": [video()]}
    catalog = catalog_of(line_item("one", "house", "300x250"), film, slot=SLOTS)
    with server(tmp_path / "a.db", catalog) as client:
        _, tag = tags_of(("slot", "daily", "side"), {"sizes": ["300x250", "video"]}, "http://ads")[pasted]
        for path in re.findall(r"http://ads(/[^\"\s]+)", tag):
            assert client.get(path).status_code in (200, 302), path
