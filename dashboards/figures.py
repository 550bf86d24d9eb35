"""Lines of a report → a Plotly figure as a plain dict: pure, without colours of its own.

Colours are CSS tokens such as `var(--accent)`, which the page's script resolves, so that one JSON serves the
light and the dark theme. Plotly reads a few tags in texts, so every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from html import escape
from typing import Any

from adserver.measurement.report import DayLine
from adserver.money import MICROS
from dashboards.words import count, day_name, money, symbol

Figure = dict[str, Any]

#: No toolbar, and no way to send the publisher's numbers to anyone.
CONFIG = {"displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "responsive": True}
DAY_MS = 86_400_000
MOST_TICKS = 7


def plain(text: str) -> str:
    """A text that Plotly shows as it is, tags included."""
    return escape(text, quote=False)


def revenue_by_day(days: Sequence[DayLine], currency: str) -> Figure:
    """One bar a day, in units of the currency; hovering shows the amount and the impressions."""
    bars = {
        "type": "bar",
        "name": "Revenue",
        "x": [line.day.isoformat() for line in days],
        "y": [line.totals.revenue_micros / MICROS for line in days],
        # A few days are slim bars, not slabs.
        "width": DAY_MS * min(0.75, 0.1 + 0.1 * len(days)),
        "customdata": [_hover(line, currency) for line in days],
        # No <b>: plotly.js draws it with a style attribute, which the pages' content policy refuses.
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        "marker": {
            "color": "var(--accent)",
            "cornerradius": 4,
            "line": {"width": 0},
            # A day that is not over is hatched as well as paler: never colour alone.
            "pattern": {
                "shape": ["/" if line.partial else "" for line in days],
                "fgcolor": "var(--accent)",
                "bgcolor": "var(--accent-soft)",
                "size": 6,
            },
        },
    }
    return {"data": [bars], "layout": _layout(days, currency), "config": CONFIG}


def _hover(line: DayLine, currency: str) -> list[str]:
    day = day_name(line.day) + (" (so far)" if line.partial else "")
    impressions = f"{count(line.totals.impression_count)} impressions"
    return [plain(text) for text in (day, money(line.totals.revenue_micros, currency), impressions)]


def _layout(days: Sequence[DayLine], currency: str) -> Figure:
    assert days, "a report has at least one day"
    every = -(-len(days) // MOST_TICKS)
    return {
        "autosize": True,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "var(--muted)"},
        "showlegend": False,
        "dragmode": False,
        "hovermode": "x",
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line)",
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": "var(--ink)"},
            "align": "left",
        },
        "xaxis": {
            "type": "date",
            "fixedrange": True,
            "automargin": True,
            "showgrid": False,
            # Half a day around the first and the last: bars stand on the midnight that begins their day.
            "range": [f"{days[0].day - timedelta(days=1)}T12:00", f"{days[-1].day}T12:00"],
            "tick0": days[0].day.isoformat(),
            "dtick": every * DAY_MS,
            # The month stands on a line of its own and only where it changes.
            "tickformat": "%-d\n%b",
            "hoverformat": "%-d %b",
            "tickangle": 0,
            "ticks": "",
        },
        "yaxis": {
            "fixedrange": True,
            "automargin": True,
            "rangemode": "tozero",
            "nticks": 5,
            "tickprefix": plain(symbol(currency)),
            "tickformat": ",~f",
            "gridcolor": "var(--line)",
            "zeroline": True,
            "zerolinecolor": "var(--line)",
            "ticks": "",
        },
    }
