"""A report → its HTML page; all that a template shows is prepared here, and Jinja2 escapes it.

The pages work without script except for the drawing of the chart, and hold no inline script or style, so that
the strictest content policy fits them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from adserver.measurement.cuts import DEFAULT_BY
from adserver.measurement.report import Report, Site, Totals
from dashboards import words
from dashboards.contribution import contribution
from dashboards.cut_pages import Section
from dashboards.figures import change_words, compared_days, revenue_by_day
from dashboards.frame import TEMPLATES, frame_of, query_of
from dashboards.funnel import losses, steps
from dashboards.funnel import summary as funnel_summary
from dashboards.slot_table import DEFAULT_SORT, slot_table
from dashboards.sparks import Spark, spark


@dataclass(frozen=True, slots=True)
class Tile:
    """One number of the first row, what it means, its change and its sparkline (None: too few days)."""

    label: str
    value: str
    meaning: str
    change: words.Change | None
    spark: Spark | None


def report_page(
    report: Report, section: Section, sites: Sequence[Site], base_url: str, sort: str = DEFAULT_SORT
) -> str:
    """The page of one report. `base_url` is the server's, for the snippet shown before the first event."""
    choice, by = report.choice, section.breakdown.by
    earned, compared = words.headline(report)
    walked = steps(report)
    kept = {"by": None if by == DEFAULT_BY else by, "sort": None if sort == DEFAULT_SORT else sort}
    return TEMPLATES.get_template("report.html").render(
        **frame_of(choice, sites, "./", {name: value for name, value in kept.items() if value}),
        report=report,
        section=section,
        title=f"{choice.site.domain}: reports",
        **_charted(report),
        earned=earned,
        compared=compared,
        tiles=tiles(report),
        table=slot_table(report, sort, kept["by"]),
        contribution=contribution(report),
        steps=walked,
        funnel_summary=funnel_summary(walked),
        losses=losses(report),
        whole_site=f"?{query_of(replace(choice, slot=None), **kept)}",
        empty=report.total == Totals(),
        unfilled_count=report.total.request_count - report.total.fill_count,
        base_url=base_url,
    )


def chart_page(report: Report) -> str:
    """The chart of revenue alone, as it stands on the page, to be printed."""
    return TEMPLATES.get_template("chart.html").render(
        **frame_of(report.choice, (), "./"), report=report, title="", **_charted(report)
    )


def _charted(report: Report) -> dict[str, Any]:
    """What the chart and its table show."""
    return {
        "figure": revenue_by_day(report),
        "tiers": [tier for tier in words.TIERS if any(tier in (line.tiers or {}) for line in report.days)],
        "changes": [change_words(change, report.choice) for change in report.changes],
        "stepped": bool(compared_days(report)),
        "few_requests": words.FEW_REQUESTS,
        "header_bids": report.total.header_bid_count > 0,
        "conversions": report.total.gross_conversion_count > 0,
    }


def message_page(title: str, sentences: Sequence[str], code: str = "") -> str:
    """A page that says one thing: what is wrong with an address, or what to do first."""
    return TEMPLATES.get_template("message.html").render(title=title, sentences=sentences, code=code)


def tiles(report: Report) -> list[Tile]:
    """The six numbers that answer whether all is well; each change compares complete days."""
    currency, compared = report.choice.site.currency, report.comparison
    now, earlier = (compared.totals, compared.earlier_totals) if compared else (Totals(), Totals())
    days = [line.totals for line in report.days if not line.partial]

    def amount(label: str, meaning: str, of: Callable[[Totals], int | None], shown: str) -> Tile:
        line = spark([of(day) for day in days])
        return Tile(label, shown, meaning, words.amount_change(of(now), of(earlier)), line)

    def rate(label: str, meaning: str, of: Callable[[Totals], float | None], places: int = 1) -> Tile:
        shown = words.percent(of(report.total), places)
        line = spark([of(day) for day in days])
        return Tile(label, shown, meaning, words.rate_change(of(now), of(earlier), places), line)

    total = report.total
    earned, rpm = words.money(total.revenue_micros, currency), words.money(total.rpm_micros, currency)
    asked = words.count(total.request_count)
    return [
        amount("Revenue", "What the counted events earned", lambda totals: totals.revenue_micros, earned),
        amount("RPM", "Revenue of a thousand requests", lambda totals: totals.rpm_micros, rpm),
        amount("Requests", "How often pages asked for a slot", lambda totals: totals.request_count, asked),
        rate("Fill rate", "Filled requests among all requests", lambda totals: totals.fill_rate),
        rate("Viewability", "Viewable among measurable impressions", lambda totals: totals.viewability),
        rate("CTR", "Clicks among impressions", lambda totals: totals.ctr, places=2),
    ]
