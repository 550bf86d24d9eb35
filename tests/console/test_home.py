"""The first page of the day: what is behind its goal, and what was changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adserver.catalog.model import Catalog
from adserver.console.home import row_of
from adserver.measurement.delivery import Delivery
from tests.console.office import SAMPLE, office, text_of

START = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("counted", "behind"), [(0, 0.5), (40, 0.1), (49, 0.0), (50, 0.0), (90, 0.0), (200, 0.0)]
)
def test_behind_is_what_the_goal_lacks_of_the_flight_that_has_passed(counted: int, behind: float) -> None:
    delivery = Delivery("x", "impressions", 100, counted, START, START + timedelta(days=10))
    row = row_of(delivery, START + timedelta(days=5))
    assert row.behind == pytest.approx(behind)
    assert row.left == "5 days"
    assert row.delivered <= 1


def test_a_line_item_without_deliveries_is_behind_and_changes_are_listed(tmp_path: Path) -> None:
    item = SAMPLE.advertiser[0].campaign[0].line_item[0]
    now = datetime.now(UTC)
    flight = item.model_copy(update={"start": now - timedelta(days=5), "end": now + timedelta(days=5)})
    campaign = SAMPLE.advertiser[0].campaign[0].model_copy(update={"line_item": (flight,)})
    advertiser = SAMPLE.advertiser[0].model_copy(update={"campaign": (campaign,)})
    with office(
        tmp_path / "ads.db", catalog=SAMPLE.model_copy(update={"advertiser": (advertiser,)})
    ) as place:
        text = text_of(place.signed_in("admin@news.example").get("/console/").text)
        assert "1 of 1 line items in flight" in text
        assert "savings-top 0 of 100,000 impressions (0%) 50% 50 points" in text
        browser = place.signed_in("ops@news.example")
        browser.post("/console/catalog/advertiser/himal-bank", data={"archive": "yes", "version": "1"})
        home = text_of(browser.get("/console/").text)
        assert "ops@news.example" in home and "remove line item savings-top" in home
        assert "savings-top" not in text_of(place.signed_in("boss@news.example").get("/console/").text)


def test_an_empty_installation_is_told_where_to_begin(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db", catalog=Catalog()) as place:
        assert "Nothing is set up yet" in place.signed_in("admin@news.example").get("/console/").text
