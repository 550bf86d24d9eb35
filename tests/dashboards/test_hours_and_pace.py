"""The pages of hours and of goals over HTTP: one report in each form, drawn so that Plotly accepts it."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from random import Random

import httpx2 as httpx
import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest

from adserver.measurement.hours import HOURS, HourCell, HourLine, WeekHours
from adserver.measurement.pace import Pace, PaceLine
from adserver.measurement.period import Period
from adserver.measurement.report import Choice, Site, Totals
from adserver.measurement.results import ItemLine, Results
from adserver.money import parse_micros
from dashboards import heat
from dashboards.hour_pages import hours_page
from dashboards.pace_pages import bullet, pace_page, summary
from dashboards.result_pages import Desk, results_page
from tests.dashboards.payloads import payloads
from tests.dashboards.test_exports import Tags
from tests.dashboards.world import NOW, site

SITE = Site.model_validate(site("daily", "Asia/Kathmandu"))
PERIOD = Period(SITE.zone, date(2026, 11, 9), date(2026, 11, 22))
CHOICE = Choice(SITE, PERIOD, None, NOW)


@pytest.fixture(scope="module")
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{base_url}/reports/") as opened:
        yield opened


def test_hours_add_up_to_the_complete_days_in_each_form(client: httpx.Client) -> None:
    query = {"from": "2026-11-12", "to": "2026-11-24"}
    body = client.get("hours.json", params=query).json()
    lines = list(csv.DictReader(io.StringIO(client.get("hours.csv", params=query).text, newline="")))
    assert body["days"] == {"from": "2026-11-12", "to": "2026-11-23"}
    days = client.get("revenue.json", params={**query, "to": "2026-11-23"}).json()["total"]
    for name in ("request_count", "impression_count", "click_count", "revenue_micros"):
        assert sum(row[name] for row in body["rows"]) == days[name] > 0
    assert sum(parse_micros(line["revenue"]) for line in lines) == days["revenue_micros"]
    assert [int(line["hour"]) for line in lines] == [row["hour"] for row in body["rows"]]
    assert len(lines) == 3 * HOURS
    page = client.get("hours", params=query).text
    assert "When each slot earns" in page
    assert len(re.findall(r'<th scope="row">', page)) == 3


def test_one_slot_alone_and_a_day_that_is_not_over(client: httpx.Client) -> None:
    rows = client.get("hours.json", params={"slot": "sidebar"}).json()["rows"]
    assert {row["slot"] for row in rows} == {"sidebar"}
    assert client.get("hours.json", params={"period": "today"}).json()["days"] is None
    assert "No complete day" in client.get("hours", params={"period": "today"}).text


def week(*names: str) -> WeekHours:
    """Slots that earn more from hour to hour."""
    cells = tuple(HourCell(8, 300, 200, 1, 1000 * hour) for hour in range(HOURS))
    return WeekHours(CHOICE, PERIOD, tuple(HourLine(name, cells) for name in names))


def test_plotly_accepts_the_heat_map_and_its_colours_end_at_twice_the_average() -> None:
    figure = heat.heat_map(week("a<b>", "c"))
    (cells,) = go.Figure({"data": figure["data"], "layout": figure["layout"]}).data
    assert (cells.zmin, cells.zmax) == (0, 2)
    # The slot that earns most is on top, which is the end of the axis.
    assert list(cells.y) == ["c", "a&lt;b&gt;"]
    assert figure["data"][0]["z"][0][-1] == 2
    assert figure["data"][0]["customdata"][0][HOURS - 1].startswith("c<br>Sun 23–24<br>2.0 ×")


def test_an_hour_with_few_requests_shows_the_ground() -> None:
    few, enough = (HourCell(8, count, 1, 1, 1000) for count in (199, 200))
    found = WeekHours(CHOICE, PERIOD, (HourLine("a", (few, *[enough] * (HOURS - 1))),))
    figure = heat.heat_map(found)
    assert figure["data"][0]["z"][0][:2] == [None, 1.0]
    assert "199 requests" in figure["data"][0]["customdata"][0][0]
    assert figure["layout"]["plot_bgcolor"] == "var(--heat-none)"
    assert "Fewer than 200 requests" in hours_page(found, [SITE])


def test_of_many_slots_the_first_are_shown_and_the_page_stays_light() -> None:
    rng = Random(1)
    lines = tuple(
        HourLine(
            f"article-{number}",
            tuple(HourCell(8, rng.randrange(9999), 1, 1, rng.randrange(10**6)) for _ in range(HOURS)),
        )
        for number in range(50)
    )
    page = hours_page(WeekHours(CHOICE, PERIOD, lines), [SITE])
    assert len(re.findall(r'<th scope="row">', page)) == heat.MOST_ROWS
    assert "The 10 of 50 slots that earn most are shown" in page
    weight = len(gzip.compress(page.encode(), 5))
    assert weight <= 30_000, weight


def results(*names: str) -> Results:
    """What an advertiser got whose campaigns, line items and slots have these names."""
    one = Totals(10, 9, 8, 7, 6, 5, 4)
    return Results(
        CHOICE,
        names[0],
        None,
        one,
        ((PERIOD.first, one),),
        tuple(ItemLine(name, name, one) for name in names),
        tuple((name, one) for name in names),
        (),
        (),
        (),
    )


def goal(name: str, delivered: int, projected: int, low: int | None = None) -> PaceLine:
    """A line item of 1,000 impressions, of which 500 are due."""
    start, end = NOW - timedelta(days=5), NOW + timedelta(days=5)
    low = projected if low is None else low
    return PaceLine(
        "bank", "autumn", name, "impressions", 1000, delivered, 500, projected, low, projected, start, end
    )


def test_a_verdict_says_what_the_bar_shows() -> None:
    lines = [goal("a", 100, 300), goal("b", 480, 1000, 900), goal("c", 600, 1000), goal("d", 1000, 1000)]
    told = [(one.verdict, one.grade, one.delivered) for one in (bullet(line, NOW) for line in lines)]
    assert told == [
        ("Will miss by 70%", "bad", "10.00"),
        ("May miss", "doubtful", "48.00"),
        ("On course", "good", "60.00"),
        ("Goal reached", "good", "100.00"),
    ]
    assert [bullet(line, NOW).why for line in lines] == ["/console/why/a", "/console/why/b", "", ""]
    said = summary(Pace(CHOICE, tuple(lines)))
    assert said.startswith("1 line item of 4 will miss the goal")
    assert said.endswith("a falls shortest, by 700 impressions (70%).")
    assert summary(Pace(CHOICE, ())) == "No line item with a goal is in flight here."


def test_no_name_adds_a_tag_or_an_attribute_to_these_pages() -> None:
    typed = payloads()
    some = [*dict.fromkeys([*typed[:12], *typed[-12:]])]
    plain = [f"article-{number}" for number in range(len(some))]
    found, expected = (
        Tags(
            hours_page(week(*names), [])
            + pace_page(Pace(CHOICE, tuple(goal(name, 100, 300) for name in names)), [])
            + results_page(results(*names), [], Desk((names[0], names[1]), [], 9), alone=False)
        )
        for names in (some, plain)
    )
    assert found.seen == expected.seen


def test_goals_are_told_in_each_form_and_an_empty_page_says_so(client: httpx.Client) -> None:
    assert client.get("delivery.json").json()["rows"] == []
    assert client.get("delivery.csv").text.startswith("advertiser,campaign,line_item,unit,start,end,goal,")
    page = unescape(client.get("delivery").text)
    assert "No line item with a goal is in flight here." in page
    assert NOW.astimezone(UTC) == datetime(2026, 11, 24, 9, 52, 30, tzinfo=UTC)
    assert "Tue 24 Nov 2026, 15:37" in page
