"""The first page of the day: what is behind its goal, and what was changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from adserver.catalog.model import Catalog
from tests.console.office import SAMPLE, office, text_of


def test_a_line_item_that_will_miss_its_goal_and_changes_are_listed(tmp_path: Path) -> None:
    item = SAMPLE.advertiser[0].campaign[0].line_item[0]
    now = datetime.now(UTC)
    # One impression is due every quarter of an hour, so that it does not matter how long the page takes.
    goal = item.goal.model_copy(update={"impressions": 1_000}) if item.goal else None
    days = {"start": now - timedelta(days=5), "end": now + timedelta(days=5)}
    flight = item.model_copy(update={**days, "goal": goal})
    campaign = SAMPLE.advertiser[0].campaign[0].model_copy(update={"line_item": (flight,)})
    advertiser = SAMPLE.advertiser[0].model_copy(update={"campaign": (campaign,)})
    with office(
        tmp_path / "ads.db", catalog=SAMPLE.model_copy(update={"advertiser": (advertiser,)})
    ) as place:
        text = text_of(place.signed_in("admin@news.example").get("/console/").text)
        assert "1 of 1 line items in flight with a goal" in text
        assert "savings-top 0 of 1,000 impressions (0%) 500 0 0–0 100% 4 days" in text
        browser = place.signed_in("ops@news.example")
        browser.post("/console/catalog/advertiser/himal-bank", data={"archive": "yes", "version": "1"})
        home = text_of(browser.get("/console/").text)
        assert "ops@news.example" in home and "remove line item savings-top" in home
        assert "savings-top" not in text_of(place.signed_in("boss@news.example").get("/console/").text)


def test_an_empty_installation_is_told_where_to_begin(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db", catalog=Catalog()) as place:
        assert "Nothing is set up yet" in place.signed_in("admin@news.example").get("/console/").text
