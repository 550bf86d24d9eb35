"""Figures are what Plotly accepts, colour nothing themselves, and let no name break out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest

from adserver.catalog.model import Site
from adserver.measurement.period import Period
from adserver.measurement.report import CatalogChange, Choice, Comparison, DayLine, Report, Totals
from dashboards.figures import CONFIG, Figure, plain, revenue_by_day
from tests.dashboards.payloads import payloads
from tests.dashboards.world import NOW, site

TODAY = date(2026, 11, 24)


def lines(count: int) -> list[DayLine]:
    """The last days, today among them."""
    return [
        DayLine(TODAY - timedelta(days=n), Totals(9, 8, 7, 6, 5, 4, 1_234_567 * n), partial=n == 0)
        for n in range(count - 1, -1, -1)
    ]


def report(count: int) -> Report:
    """A week, or another number of days, with two tiers, and changes of the catalog."""
    known = Site.model_validate(site("daily", "Asia/Kathmandu"))
    days = tuple(replace(line, tiers=_tiers(line.totals.revenue_micros)) for line in lines(count))
    period = Period(known.zone, days[0].day, TODAY)
    choice = Choice(known, period, None, NOW)
    compared = None
    if count > 1:
        earlier = period.compared_with()
        before = tuple(replace(line, day=line.day - timedelta(days=7)) for line in days[:-1])
        compared = Comparison(period, earlier, Totals(), Totals(request_count=1), before)
    change = CatalogChange(3, NOW, ("a<b>", "b", "c", "d", "e", "f"))
    return Report(choice, Totals(), days, (), (), (), compared, changes=(change,))


def _tiers(micros: int) -> dict[str, int]:
    return {"guaranteed": micros // 3, "network": micros - micros // 3} if micros else {}


def trace(figure: Figure, name: str) -> Figure:
    """The one trace of a name."""
    found: list[Figure] = [one for one in figure["data"] if one["name"] == name]
    assert len(found) == 1
    return found[0]


def strings(value: Any) -> Iterator[str]:
    """Every text in a figure, keys apart."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


@pytest.mark.parametrize("count", [2, 7, 31, 800])
def test_plotly_accepts_the_figure(count: int) -> None:
    figure = revenue_by_day(report(count))
    accepted = go.Figure({"data": figure["data"], "layout": figure["layout"]})
    bars = [one for one in accepted.data if one.type == "bar"]
    assert [(one.name, len(one.x)) for one in bars] == [("Guaranteed", count), ("Network", count)]
    assert json.loads(json.dumps(figure)) == figure


def test_a_day_alone_without_revenue_is_still_a_bar() -> None:
    figure = revenue_by_day(report(1))
    assert trace(figure, "Other")["y"] == [0]
    go.Figure({"data": figure["data"], "layout": figure["layout"]})


def test_bars_are_amounts_of_tiers_and_one_label_a_day_says_everything() -> None:
    figure = revenue_by_day(report(2))
    guaranteed, network = trace(figure, "Guaranteed"), trace(figure, "Network")
    assert guaranteed["x"] == ["2026-11-23", "2026-11-24"]
    assert guaranteed["y"][0] + network["y"][0] == pytest.approx(1.234567)
    assert network["marker"]["pattern"]["shape"] == ["", "/"]
    labels = trace(figure, "")["customdata"]
    assert labels[0][0].split("<br>") == [
        "Mon 23 Nov 2026",
        "$1.23",
        "Guaranteed $0.41",
        "Network $0.82",
        "9 requests, 7 impressions",
        "±$0.00 against Mon 16 Nov 2026",
    ]
    assert labels[1][0].startswith("Tue 24 Nov 2026 (so far)<br>")
    assert trace(figure, "Compared with")["x"] == ["2026-11-22T12:00", "2026-11-23T12:00"]


def test_a_change_of_the_catalog_is_marked_in_its_day_with_names_that_draw_nothing() -> None:
    mark = trace(revenue_by_day(report(7)), "Catalog changed")
    # In Kathmandu it is 15:37:30; the bar of the day begins at noon of the day before.
    assert mark["x"] == ["2026-11-24T03:37:30"]
    when, names = mark["customdata"][0]
    assert when == "Tue 24 Nov 2026, 15:37: catalog 3"
    assert names == "a&lt;b&gt;, b, c, d and 2 more"


def test_volumes_have_a_panel_of_their_own_below_the_amounts() -> None:
    figure = revenue_by_day(report(7))
    assert trace(figure, "Requests")["yaxis"] == trace(figure, "Impressions")["yaxis"] == "y2"
    amounts, volumes = figure["layout"]["yaxis"], figure["layout"]["yaxis2"]
    assert "overlaying" not in volumes
    assert volumes["domain"][1] < amounts["domain"][0]


def test_colours_are_tokens_only() -> None:
    texts = set(strings(revenue_by_day(report(3))))
    assert {text for text in texts if text.startswith(("#", "rgb"))} == {"rgba(0,0,0,0)"}
    assert {text for text in texts if text.startswith("var(")} >= {"var(--tier-network)", "var(--ink)"}


@pytest.mark.parametrize("count", [1, 7, 8, 90, 800])
def test_there_is_never_more_than_a_handful_of_ticks_and_none_within_a_day(count: int) -> None:
    axis = revenue_by_day(report(count))["layout"]["xaxis"]
    days = axis["dtick"] / 86_400_000
    assert days == int(days) >= 1
    assert count / days <= 7


def test_nothing_is_sent_to_anyone() -> None:
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["displayModeBar"] is False


def test_no_payload_survives_as_a_tag() -> None:
    for payload in payloads():
        assert not re.search(r"<|&(?!amp;|lt;|gt;)", plain(payload))
