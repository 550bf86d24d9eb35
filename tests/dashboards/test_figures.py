"""Figures are what Plotly accepts, colour nothing themselves, and let no name break out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import plotly.graph_objects as go  # type: ignore[import-untyped]
import pytest

from adserver.measurement.report import DayLine, Totals
from dashboards.figures import CONFIG, plain, revenue_by_day
from tests.dashboards.payloads import payloads

TODAY = date(2026, 11, 24)


def lines(count: int) -> list[DayLine]:
    """The last days, today among them."""
    return [
        DayLine(TODAY - timedelta(days=n), Totals(9, 8, 7, 6, 5, 4, 1_234_567 * n), partial=n == 0)
        for n in range(count - 1, -1, -1)
    ]


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


@pytest.mark.parametrize("count", [1, 7, 31, 800])
def test_plotly_accepts_the_figure(count: int) -> None:
    figure = revenue_by_day(lines(count), "USD")
    accepted = go.Figure({"data": figure["data"], "layout": figure["layout"]})
    assert len(accepted.data) == 1
    assert len(accepted.data[0].x) == count
    assert json.loads(json.dumps(figure)) == figure


def test_bars_are_amounts_and_hovering_shows_amount_and_impressions() -> None:
    bars = revenue_by_day(lines(2), "USD")["data"][0]
    assert bars["x"] == ["2026-11-23", "2026-11-24"]
    assert bars["y"] == [1.234567, 0]
    assert bars["customdata"][0] == ["Mon 23 Nov 2026", "$1.23", "7 impressions"]
    assert bars["customdata"][1][0] == "Tue 24 Nov 2026 (so far)"
    assert bars["marker"]["pattern"]["shape"] == ["", "/"]


def test_colours_are_tokens_only() -> None:
    texts = set(strings(revenue_by_day(lines(3), "USD")))
    assert {text for text in texts if text.startswith(("#", "rgb"))} == {"rgba(0,0,0,0)"}
    assert {text for text in texts if text.startswith("var(")} >= {"var(--accent)", "var(--ink)"}


@pytest.mark.parametrize("count", [1, 7, 8, 90, 800])
def test_there_is_never_more_than_a_handful_of_ticks_and_none_within_a_day(count: int) -> None:
    axis = revenue_by_day(lines(count), "USD")["layout"]["xaxis"]
    days = axis["dtick"] / 86_400_000
    assert days == int(days) >= 1
    assert count / days <= 7


def test_nothing_is_sent_to_anyone() -> None:
    assert CONFIG["showSendToCloud"] is False
    assert CONFIG["displayModeBar"] is False


def test_no_payload_survives_as_a_tag() -> None:
    for payload in payloads():
        assert not re.search(r"<|&(?!amp;|lt;|gt;)", plain(payload))
