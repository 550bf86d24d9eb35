"""Browsers that keep their tally → which impression each one is; those that may not keep one say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from adserver.decision.facts import CAMPAIGN_ORDINAL, ITEM_ORDINAL, of
from tests.newsroom import NOW, catalog_of, line_item, rows, server
from tests.serving.test_invalid_traffic import BOT

#: One slot each for two line items of one campaign.
TWO = catalog_of(
    line_item("wide", "price", "728x90", price={"cpm": "4"}),
    line_item("box", "price", "300x250", price={"cpm": "4"}, caps=[{"impressions": 3, "per": "1d"}]),
)


def read_page(
    client: TestClient, tally: str | None, headers: dict[str, str] | None = None
) -> tuple[str, list[str]]:
    """A page asks for both slots: what its browser is to keep, and the tokens of its fills."""
    ask: dict[str, Any] = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}]}
    if tally is not None:
        ask["tally"] = tally
    answer = client.post("/v1/fill", json=ask, headers=headers or {}).json()
    tokens = [fill["fill"] for fill in answer["fills"] if "fill" in fill]
    client.post("/v1/events", json={"events": [{"fill": token, "type": "impression"} for token in tokens]})
    return answer["tally"], tokens


def ordinals(db: Path) -> list[tuple[int, int]]:
    """Of each impression in the log: which one of its line item, and of its campaign."""
    facts = [row[0] for row in rows(db, "SELECT facts FROM event WHERE validity = 0 ORDER BY fill")]
    return [(of(ITEM_ORDINAL, one), of(CAMPAIGN_ORDINAL, one)) for one in facts]


def test_events_tell_which_impression_of_line_item_and_campaign_they_are(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW) as client:
        tally = ""
        for _ in range(5):
            tally, tokens = read_page(client, tally)
        # The cap of `box` is three.
        assert len(tokens) == 1
        read_page(client, "")
    mine = [(1, 1), (1, 2), (2, 3), (2, 4), (3, 5), (3, 6), (4, 7), (5, 8)]
    assert ordinals(tmp_path / "a.db") == [*mine, (1, 1), (1, 2)]


@pytest.mark.parametrize(
    ("tally", "headers"),
    [(None, {}), ("", {"sec-gpc": "1"})],
)
def test_where_nothing_may_be_kept_nothing_is_known(
    tmp_path: Path, tally: str | None, headers: dict[str, str]
) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW) as client:
        kept, _ = read_page(client, tally, headers)
    assert kept == ""
    assert set(ordinals(tmp_path / "a.db")) == {(0, 0)}


def test_a_bots_page_counts_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW) as client:
        tally, _ = read_page(client, "")
        again, _ = read_page(client, tally, BOT)
        assert again == tally


def test_reach_can_be_turned_off(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW, max_reach_subjects=0) as client:
        tally, _ = read_page(client, "")
        assert "." not in tally
        read_page(client, tally)
    assert set(ordinals(tmp_path / "a.db")) == {(0, 0)}


def test_a_tally_stays_within_its_bound(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW, max_tally_chars=100) as client:
        tally = "." + "-----" + "".join(f"-{n:03d}1" for n in range(300))
        kept, _ = read_page(client, tally)
        assert 0 < len(kept) <= 100


@pytest.mark.parametrize("tally", ['."}]', ".\\u0022", "..", ".", "x.y.z", ". \n", ".é", "." + "z" * 3000])
def test_whatever_a_browser_sends_the_answer_is_sound(tmp_path: Path, tally: str) -> None:
    with server(tmp_path / "a.db", TWO, clock=lambda: NOW) as client:
        kept, tokens = read_page(client, tally)
        assert len(tokens) == 2
        assert kept.replace(".", "").replace("-", "").replace("_", "").isalnum()
