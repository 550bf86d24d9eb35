"""State in the address, the funnel, the order of slots and what changed revenue, as the page shows them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from random import Random

import httpx2 as httpx
import pytest

from adserver.catalog.model import Catalog
from adserver.decision.context import Reason
from adserver.errors import InvalidInput
from adserver.measurement.lines import CampaignLine
from adserver.measurement.report import Choice, Comparison, Period, Report, Site, Totals
from dashboards import sparks
from dashboards.contribution import contribution
from dashboards.funnel import losses, steps, summary
from dashboards.slot_table import SORTS, sort_of
from tests.dashboards.world import NOW, site
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW as TWO_DAYS_LATER
from tests.newsroom import apply_catalog, server

SITE = Site.model_validate(site("daily", "Asia/Kathmandu"))


@pytest.fixture(scope="module")
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{base_url}/reports/") as opened:
        yield opened


def report(*campaigns: CampaignLine, total: Totals, slot: str | None = None) -> Report:
    """Two complete days with these campaigns."""
    period = Period(SITE.zone, NOW.date().replace(day=21), NOW.date().replace(day=22))
    choice = Choice(SITE, period, None, NOW, slot)
    earlier = sum((line.earlier_totals for line in campaigns), Totals())
    compared = Comparison(period, period.compared_with(), total, earlier)
    reasons = tuple((reason.value, 3) for reason in Reason)
    return Report(choice, total, (), (), reasons, (), compared, campaigns)


def campaign(name: str, earlier: int, now: int) -> CampaignLine:
    """A campaign that earned so many units before, and now."""
    both = (Totals(revenue_micros=amount * 1_000_000) for amount in (now, earlier))
    return CampaignLine("bank", name, False, *both)


def test_a_row_is_a_filter_for_the_whole_page(client: httpx.Client) -> None:
    page = client.get("", params={"period": "yesterday", "compare": "year", "sort": "ctr"}).text
    row = unescape(re.search(r'<th scope="row"><a href="(\?[^"]*slot=sidebar[^"]*)"', page)[1])  # type: ignore[index]
    assert row == "?site=daily&period=yesterday&compare=year&slot=sidebar&sort=ctr"
    alone = client.get(row).text
    assert "Slot sidebar alone" in alone
    (number,) = re.findall(
        r'<h2 title="How often pages asked for a slot">.*?<p class="number">(.*?)<', alone, re.DOTALL
    )
    body = client.get(f"slots.json{row}").json()
    assert [line["slot"] for line in body["rows"]] == ["sidebar"]
    assert number == f"{body['total']['request_count']:,}"
    # Every other way on keeps it, but for other sites, which have slots of their own.
    for link in map(unescape, re.findall(r'href="(\?[^"#]*)"', alone)):
        if "site=daily" in link and "slot=" not in link:
            assert link == "?site=daily&period=yesterday&compare=year&sort=ctr"


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_slots_stand_in_the_order_that_was_asked_for(client: httpx.Client, sort: str) -> None:
    page = client.get("", params={"sort": sort, "period": "28d"}).text
    assert page.count('aria-sort="descending"') == 1
    names = re.findall(r'<th scope="row"><a href="\?[^"]*slot=[^"]*">(.*?)</a>', page)
    column = {"fill": "fill_rate", "ctr": "ctr", "viewability": "viewability", "ecpm": "ecpm_micros"}
    column |= {"rpm": "rpm_micros", "revenue": "revenue_micros"}
    key = column.get(sort, f"{sort.removesuffix('s')}_count")
    rows = client.get("slots.json", params={"period": "28d"}).json()["rows"]
    assert names == [row["slot"] for row in sorted(rows, key=lambda row: (-row[key], row["slot"]))]


def test_a_word_that_is_not_known_is_refused(client: httpx.Client) -> None:
    with pytest.raises(InvalidInput, match="none of revenue, requests"):
        sort_of("name")
    for name, value in (("sort", "name"), ("compare", "x"), ("slot", "side")):
        answer = client.get("", params={name: value})
        assert answer.status_code == 400
        assert f"{name}: " in answer.text


def test_nothing_is_compared_when_that_was_asked_for(client: httpx.Client) -> None:
    page = client.get("", params={"compare": "none"}).text
    assert not re.search(r"not compared|Changes compare|Why revenue changed", page)
    assert client.get("slots.json", params={"compare": "none"}).json()["compared"] is None


def test_a_year_before_is_the_same_weekdays(client: httpx.Client) -> None:
    compared = client.get("revenue.json", params={"compare": "year", "period": "7d"}).json()["compared"]
    assert (compared["from"], compared["earlier_from"]) == ("2026-11-18", "2025-11-19")
    assert compared["earlier_total"]["revenue_micros"] == 0


def test_each_period_has_a_key_of_its_own(client: httpx.Client) -> None:
    keys = re.findall(r'aria-keyshortcuts="(.)"', client.get("").text)
    assert len(keys) == len(set(keys)) == 6


def test_a_funnel_says_what_is_lost_and_where_to_look() -> None:
    total = Totals(1000, 900, 800, 700, 350, 7)
    names = [(step.name, step.count, step.rate) for step in steps(report(total=total))]
    assert names == [
        ("Requests", 1000, None),
        ("Filled", 900, 0.9),
        ("Rendered", 800, 800 / 900),
        ("Viewable", 350, 350 / 800),
        ("Clicked", 7, 7 / 350),
    ]
    assert all(step.href and step.advice for step in steps(report(total=total))[1:])
    assert summary(steps(report(total=total))) == (
        "1,000 requests led to 7 clicks; most are lost from rendered to viewable: 43.8% come through."
    )
    assert summary(steps(report(total=Totals()))) == "0 requests led to 0 clicks."


@pytest.mark.parametrize("slot", [None, "sidebar"])
def test_every_reason_of_an_empty_slot_has_words_and_a_place_to_go(slot: str | None) -> None:
    for loss in losses(report(total=Totals(), slot=slot)):
        assert loss.advice
        assert loss.href.startswith(("/console/catalog/", "/reports/"))
        assert ("daily/sidebar" in loss.href) == (
            slot is not None and loss.reason in ("below_floor", "no_size")
        )


def test_contributions_add_up_to_the_change_however_many_campaigns_there_are() -> None:
    lines = [campaign(f"c{number:02}", 10, 10 + number - 15) for number in range(30)]
    total = Totals(revenue_micros=sum(line.totals.revenue_micros for line in lines))
    found = contribution(report(*sorted(lines, key=lambda line: -line.change_micros), total=total))
    assert found is not None
    assert len(found.lines) == 13
    assert sum(line.change_micros for line in found.lines) == found.change_micros == -15_000_000
    assert "18 other campaigns" in [line.name for line in found.lines]
    assert found.sentence == "Revenue changed by −$15.00; c29 added most, $14.00; c00 took most, $15.00."


def test_a_bar_lies_on_its_side_of_zero() -> None:
    assert sparks.bar(5, 10) == sparks.Bar("100.00", "50.00", 1)
    assert sparks.bar(-10, 10) == sparks.Bar("0.00", "100.00", -1)
    assert sparks.bar(0, 10) == sparks.Bar("100.00", "0.00", 0)
    assert sparks.bar(0, 0).width == "0.00"


def test_a_change_of_another_site_is_not_told(tmp_path: Path) -> None:
    def sizes(width: int) -> Catalog:
        here, there = site("daily", "Asia/Kathmandu"), site("other", "Asia/Kathmandu", slots=["secret"])
        there["slot"][0]["sizes"] = [f"{width}x250"]
        return Catalog.model_validate({"site": [here, there]})

    db = tmp_path / "a.db"
    for width in (300, 320):
        apply_catalog(db, sizes(width))
    with server(db, None, clock=lambda: TWO_DAYS_LATER) as client:
        client.base_url = "http://127.0.0.1"
        told = {
            name: client.get("/reports/revenue.json", params={"site": name}).json()["catalog_changes"]
            for name in ("daily", "other")
        }
    assert [change["version"] for change in told["daily"]] == [1]
    assert "secret" not in told["daily"][0]["names"]
    assert [(change["version"], "secret" in change["names"]) for change in told["other"]] == [
        (1, True),
        (2, True),
    ]


def test_the_page_tells_tiers_and_changes_of_the_catalog(tmp_path: Path) -> None:
    rng = Random(1)
    play(tmp_path / "a.db", visitors(8, rng), rng, pages=60)
    with server(tmp_path / "a.db", None, clock=lambda: TWO_DAYS_LATER) as found:
        found.base_url = "http://127.0.0.1"
        page = found.get("/reports/?period=7d").text
    assert '"name": "Price"' in page
    assert re.search(r"catalog 1 <span>\w", page)
