"""Lines of a report → Plotly figures as plain dicts: pure, without colours of their own.

Colours are CSS tokens such as `var(--accent)`, which the page's script resolves, so that one JSON serves the
light and the dark theme. Plotly reads a few tags in texts, so every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from adserver.measurement.report import CatalogChange, Choice, DayLine, Report, Totals
from adserver.money import MICROS
from dashboards.words import TIERS, count, day_name, money, signed_money, symbol

Figure = dict[str, Any]

#: No toolbar, and no way to send the publisher's numbers to anyone.
CONFIG = {"displayModeBar": False, "displaylogo": False, "showSendToCloud": False, "responsive": True}
DAY_MS = 86_400_000
MOST_TICKS = 7
_FONT = {"family": "system-ui, sans-serif", "size": 12, "color": "var(--muted)"}
_MOST_NAMES = 4


def plain(text: str) -> str:
    """A text that Plotly shows as it is, tags included."""
    return escape(text, quote=False)


def tier_token(tier: str) -> str:
    """The colour of a tier."""
    return f"var(--tier-{tier or 'other'})"


def revenue_by_day(report: Report) -> Figure:
    """Bars of revenue by day, one part for each tier; below, on the same dates, volumes.

    The days compared with are a line of steps, changes of the catalog are marks at zero. Revenue is in units
    of the currency. One label a day says everything that there is of it.
    """
    days, choice = report.days, report.choice
    earlier = compared_days(report)
    tiers = [tier for tier in TIERS if any(tier in (line.tiers or {}) for line in days)]
    traces = [_bars(days, tier) for tier in tiers or [""]]
    traces += [_steps(days, earlier)] if earlier else []
    traces += [
        _volume(days, "Requests", [line.totals.request_count for line in days], "var(--muted)"),
        _volume(days, "Impressions", [line.totals.impression_count for line in days], "var(--accent)"),
    ]
    traces += [_changes(report.changes, choice, days)] if report.changes else []
    traces.append(_labels(days, earlier, choice.site.currency))
    return {"data": traces, "layout": _layout(days, choice.site.currency), "config": CONFIG}


def compared_days(report: Report) -> Sequence[DayLine]:
    """The days that are drawn beside those of a report; none where nothing was counted in them."""
    compared = report.comparison
    return compared.days if compared and compared.earlier_totals != Totals() else ()


def _bars(days: Sequence[DayLine], tier: str) -> Figure:
    return {
        "type": "bar",
        "name": TIERS[tier],
        "x": [line.day.isoformat() for line in days],
        "y": [(line.tiers or {}).get(tier, 0) / MICROS for line in days],
        # A few days are slim bars, not slabs.
        "width": DAY_MS * min(0.75, 0.1 + 0.1 * len(days)),
        "hoverinfo": "skip",
        "marker": {
            "color": tier_token(tier),
            "line": {"width": 0},
            # A day that is not over is hatched as well as paler: never colour alone.
            "pattern": {
                "shape": ["/" if line.partial else "" for line in days],
                "fgcolor": tier_token(tier),
                "bgcolor": "var(--raised)",
                "size": 6,
            },
        },
    }


def _steps(days: Sequence[DayLine], earlier: Sequence[DayLine]) -> Figure:
    """The earlier days, each across the whole width of the day that it is compared with."""
    x, y = [], []
    for line, before in zip(days, earlier, strict=False):
        x += [f"{line.day - timedelta(days=1)}T12:00", f"{line.day}T12:00"]
        y += [before.totals.revenue_micros / MICROS] * 2
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "Compared with",
        "x": x,
        "y": y,
        "line": {"color": "var(--ink)", "width": 1.5, "dash": "dot"},
        "hoverinfo": "skip",
    }


def _volume(days: Sequence[DayLine], name: str, counts: Sequence[int], colour: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [line.day.isoformat() for line in days],
        "y": list(counts),
        "yaxis": "y2",
        "line": {"color": colour, "width": 1.5},
        "marker": {"color": colour, "size": 4 if len(days) <= 62 else 1},
        "hoverinfo": "skip",
    }


def _changes(changes: Sequence[CatalogChange], choice: Choice, days: Sequence[DayLine]) -> Figure:
    """A mark for each change of the catalog, at its time of day, on the line of zero."""
    zone = choice.period.zone
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "Catalog changed",
        "x": [_within_bars(change.at.astimezone(zone)) for change in changes],
        "y": [0] * len(changes),
        "cliponaxis": False,
        "customdata": [[plain(text) for text in change_words(change, choice)] for change in changes],
        "hovertemplate": "%{customdata[0]}<br>%{customdata[1]}<extra></extra>",
        "marker": {
            "symbol": "diamond",
            "size": 9,
            "color": "var(--raised)",
            "line": {"width": 1.5, "color": "var(--ink)"},
        },
    }


def _within_bars(local: datetime) -> str:
    """Bars stand around the midnight that begins their day; what happened in a day lies within its bar."""
    return (local.replace(tzinfo=None) - timedelta(hours=12)).isoformat(timespec="seconds")


def change_words(change: CatalogChange, choice: Choice) -> tuple[str, str]:
    """When the catalog was changed, and which objects."""
    local = change.at.astimezone(choice.period.zone)
    names = ", ".join(change.names[:_MOST_NAMES])
    more = len(change.names) - _MOST_NAMES
    when = f"{day_name(local.date())}, {local:%H:%M}: catalog {change.version}"
    return when, names + (f" and {more} more" if more > 0 else "")


def _labels(days: Sequence[DayLine], earlier: Sequence[DayLine], currency: str) -> Figure:
    """What hovering says of each day; nothing is drawn."""
    beside = [*earlier, *[None] * (len(days) - len(earlier))]
    texts = [_label(line, before, currency) for line, before in zip(days, beside, strict=True)]
    amounts = [line.totals.revenue_micros / MICROS for line in days]
    return labels([line.day.isoformat() for line in days], amounts, texts)


def labels(x: Sequence[str], y: Sequence[float], texts: Sequence[Sequence[str]]) -> Figure:
    """What hovering says at some places, line by line, as Plotly shows it; nothing is drawn."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "",
        "x": list(x),
        "y": list(y),
        "marker": {"size": 1, "opacity": 0},
        "customdata": [["<br>".join(lines)] for lines in texts],
        # No <b>: plotly.js draws it with a style attribute, which the pages' content policy refuses.
        "hovertemplate": "%{customdata[0]}<extra></extra>",
    }


def _label(line: DayLine, before: DayLine | None, currency: str) -> list[str]:
    earned = line.totals.revenue_micros
    tiers = {tier: (line.tiers or {})[tier] for tier in TIERS if tier in (line.tiers or {})}
    texts = [day_name(line.day) + (" (so far)" if line.partial else ""), money(earned, currency)]
    if len(tiers) > 1:
        texts += [f"{TIERS[tier]} {money(micros, currency)}" for tier, micros in tiers.items()]
    texts.append(
        f"{count(line.totals.request_count)} requests, {count(line.totals.impression_count)} impressions"
    )
    if before:
        change = signed_money(earned - before.totals.revenue_micros, currency)
        texts.append(f"{change} against {day_name(before.day)}")
    return [plain(text) for text in texts]


def delivery_by_day(days: Sequence[tuple[date, Totals]], today: date) -> Figure:
    """A bar of impressions for each day, and before it one of those that were viewable."""
    dates = [day.isoformat() for day, _ in days]
    partial = [day >= today for day, _ in days]
    shown = [
        plain(
            f"{day_name(day)}{' (so far)' if day >= today else ''}|"
            f"{count(totals.impression_count)} impressions|"
            f"{count(totals.viewable_count)} viewable|{count(totals.click_count)} clicks"
        ).replace("|", "<br>")
        for day, totals in days
    ]

    def bars(name: str, counts: Sequence[int], token: str) -> Figure:
        return {
            "type": "bar",
            "name": name,
            "x": dates,
            "y": list(counts),
            "width": DAY_MS * min(0.75, 0.1 + 0.1 * len(days)),
            "marker": {
                "color": token,
                "line": {"width": 0},
                "pattern": {
                    "shape": ["/" if one else "" for one in partial],
                    "fgcolor": token,
                    "bgcolor": "var(--raised)",
                    "size": 6,
                },
            },
        }

    drawn = bars("Impressions", [totals.impression_count for _, totals in days], "var(--accent-soft)")
    seen = bars("Viewable", [totals.viewable_count for _, totals in days], "var(--accent)")
    drawn |= {"customdata": [[text] for text in shown], "hovertemplate": "%{customdata[0]}<extra></extra>"}
    volumes = {**axis(5), "tickformat": "~s"}
    dated = date_axis([day for day, _ in days])
    return {
        "data": [drawn, {**seen, "hoverinfo": "skip"}],
        "layout": layout(barmode="overlay", hovermode="x", xaxis=dated, yaxis=volumes),
        "config": CONFIG,
    }


def layout(**more: Any) -> Figure:
    """What all figures share."""
    return {
        "autosize": True,
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": _FONT,
        "showlegend": False,
        "dragmode": False,
        "hoverlabel": {
            "bgcolor": "var(--raised)",
            "bordercolor": "var(--line)",
            "font": {"family": "system-ui, sans-serif", "size": 13, "color": "var(--ink)"},
            "align": "left",
        },
        **more,
    }


def _layout(days: Sequence[DayLine], currency: str) -> Figure:
    dates = {**date_axis([line.day for line in days]), "anchor": "y2"}
    amounts = {**axis(5), "domain": [0.34, 1], "tickprefix": plain(symbol(currency)), "tickformat": ",~f"}
    volumes = {**axis(3), "domain": [0, 0.22], "tickformat": "~s"}
    return layout(barmode="stack", hovermode="x", xaxis=dates, yaxis=amounts, yaxis2=volumes)


def date_axis(days: Sequence[date]) -> Figure:
    """An axis of days, with bars on the midnight that begins each."""
    assert days, "a report has at least one day"
    every = -(-len(days) // MOST_TICKS)
    return {
        "type": "date",
        "fixedrange": True,
        "automargin": True,
        "showgrid": False,
        # Half a day around the first and the last: bars stand on the midnight that begins their day.
        "range": [f"{days[0] - timedelta(days=1)}T12:00", f"{days[-1]}T12:00"],
        "tick0": days[0].isoformat(),
        "dtick": every * DAY_MS,
        # The month stands on a line of its own and only where it changes.
        "tickformat": "%-d\n%b",
        "hoverformat": "%-d %b",
        "tickangle": 0,
        "ticks": "",
    }


def axis(ticks: int) -> Figure:
    """An upright axis from zero, with about so many ticks."""
    return {
        "fixedrange": True,
        "automargin": True,
        "rangemode": "tozero",
        "nticks": ticks,
        "gridcolor": "var(--line)",
        "zeroline": True,
        "zerolinecolor": "var(--line)",
        "ticks": "",
    }
