"""A report of a week or month → a mail: its subject, its text, and the same as HTML for mail programs.

Mail programs know no style sheets, scripts or drawings, so that bars are cells of tables and every style
stands where it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adserver.measurement.lines import CampaignLine
from adserver.measurement.pace import Pace
from adserver.measurement.report import Report
from dashboards import words
from dashboards.frame import TEMPLATES, query_of
from dashboards.pace_pages import verdict
from dashboards.pages import tiles

_MOST_SLOTS, _MOST_CAMPAIGNS, _MOST_LATE = 8, 5, 5
#: Under this name the chart lies in the mail.
CHART = "chart"
#: Months are shown by week: thirty bars are more than a mail is read for.
_MOST_BARS = 10


@dataclass(frozen=True, slots=True)
class ReportMail:
    """What is sent."""

    subject: str
    text: str
    html: str
    pictures: Mapping[str, bytes]
    """PNG by the name under which the HTML shows them."""


@dataclass(frozen=True, slots=True)
class Bar:
    """What some days earned; `percent` is of the most."""

    label: str
    revenue: str
    percent: int


def report_mail(report: Report, pace: Pace, base: str, chart: bytes | None = None) -> ReportMail:
    """`base`: the address of the server, without a slash at its end; `chart`: a PNG of revenue by day."""
    choice, currency = report.choice, report.choice.site.currency
    when = words.day_range(choice.period.first, choice.period.last)
    earned, compared = words.headline(report)
    late = [line for line in pace.lines if line.will_miss][:_MOST_LATE]
    shown = {
        "site": choice.site.domain,
        "when": when,
        "zone": choice.site.timezone,
        "earned": earned,
        "compared": compared,
        "tiles": tiles(report),
        "bars": bars(report),
        "chart": CHART if chart else "",
        "summary": words.chart_summary(report),
        "slots": sorted(report.slots, key=lambda line: -line.totals.revenue_micros)[:_MOST_SLOTS],
        "campaigns": _moved(report.campaigns),
        "late": [(line, verdict(line)) for line in late],
        "href": f"{base}/reports/?{query_of(choice)}",
        "delivery": f"{base}/reports/delivery?{query_of(choice)}",
        "currency": currency,
    }
    subject = f"{choice.site.domain}: {words.money(report.total.revenue_micros, currency)}, {when}"
    html = TEMPLATES.get_template("report_mail.html").render(**shown)
    text = TEMPLATES.get_template("report_mail.txt").render(**shown)
    return ReportMail(subject, text, html, {CHART: chart} if chart else {})


def bars(report: Report) -> list[Bar]:
    """Revenue by day; of many days, by seven of them."""
    days, currency = report.days, report.choice.site.currency
    step = 1 if len(days) <= _MOST_BARS else 7
    groups = [days[start : start + step] for start in range(0, len(days), step)]
    sums = [sum(line.totals.revenue_micros for line in group) for group in groups]
    most = max([1, *sums])
    names = [
        words.day_range(group[0].day, group[-1].day) if step > 1 else f"{group[0].day:%a} {group[0].day.day}"
        for group in groups
    ]
    return [
        Bar(name, words.money(micros, currency), max(1, round(100 * micros / most)) if micros else 0)
        for name, micros in zip(names, sums, strict=True)
    ]


def _moved(campaigns: Sequence[CampaignLine]) -> list[CampaignLine]:
    changed = [line for line in campaigns if line.change_micros]
    return sorted(changed, key=lambda line: -abs(line.change_micros))[:_MOST_CAMPAIGNS]
