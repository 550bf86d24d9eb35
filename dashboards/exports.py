"""A report → JSON and CSV, exact: money as integer micros and decimal text, ratios as decimals in [0, 1].

CSV follows RFC 4180 (CRLF, quotes doubled) in UTF-8. A text that a spreadsheet would read as a formula gets a
leading apostrophe (OWASP, "CSV injection").
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from adserver.measurement.cuts import Breakdown, Frequency, Reach, ReachLine
from adserver.measurement.report import Choice, Report, Totals
from adserver.measurement.statement import WHOLE_PPM, Line, Statement
from adserver.money import format_micros
from dashboards.words import TIERS

#: Ratios are given to this many decimals, the same in JSON and CSV.
RATIO_PLACES = 6
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠")

Row = dict[str, Any]


class Amount(str):
    """Money as decimal text: it may begin as formulas do, with a minus, and is none."""

    __slots__ = ()


def _ratio(rate: float | None) -> float | None:
    return None if rate is None else round(rate, RATIO_PLACES)


def money_columns(name: str, micros: int | None) -> Row:
    """An amount → its two columns: micros, and decimal text."""
    return {f"{name}_micros": micros, name: None if micros is None else Amount(format_micros(micros))}


def totals_row(totals: Totals) -> Row:
    """Totals → the columns that every report has, in their order."""
    return {
        "request_count": totals.request_count,
        "fill_count": totals.fill_count,
        "fill_rate": _ratio(totals.fill_rate),
        "impression_count": totals.impression_count,
        "measurable_count": totals.measurable_count,
        "viewable_count": totals.viewable_count,
        "viewability": _ratio(totals.viewability),
        "click_count": totals.click_count,
        "ctr": _ratio(totals.ctr),
        "conversion_count": totals.conversion_count,
        **money_columns("ecpm", totals.ecpm_micros),
        **money_columns("rpm", totals.rpm_micros),
        **money_columns("revenue", totals.revenue_micros),
        "gross_request_count": totals.gross_request_count,
        "gross_impression_count": totals.gross_impression_count,
        "gross_click_count": totals.gross_click_count,
        "gross_conversion_count": totals.gross_conversion_count,
        "header_bid_count": totals.header_bid_count,
        "auction_count": totals.auction_count,
        "bid_count": totals.bid_count,
        **money_columns("direct_revenue", totals.direct_micros),
        **money_columns("network_revenue", totals.network_micros),
        **money_columns("network_estimate", totals.network_estimate_micros),
        "network_request_count": totals.network_request_count,
        "network_unfilled_count": totals.unfilled_count,
        "network_no_answer_count": totals.no_answer_count,
        "network_fill_rate": _ratio(totals.network_fill_rate),
        "video_start_count": totals.video_start_count,
        "video_complete_count": totals.video_complete_count,
        "video_completion_rate": _ratio(totals.video_completion_rate),
    }


_TIER_COLUMNS = tuple(f"{tier or 'other'}_revenue" for tier in TIERS)
REVENUE_COLUMNS = ("day", "partial", *totals_row(Totals()), *_TIER_COLUMNS)
SLOT_COLUMNS = ("slot", "archived", *totals_row(Totals()))
_MARKED_COUNTS = ("request_count", "impression_count", "viewable_count", "click_count", "conversion_count")
MARKED_COLUMNS = ("rule", *_MARKED_COUNTS, "sentence", "source")


def revenue_rows(report: Report) -> list[Row]:
    """One row a day."""
    return [
        {
            "day": line.day.isoformat(),
            "partial": line.partial,
            **totals_row(line.totals),
            **_tier_row(line.tiers or {}),
        }
        for line in report.days
    ]


def _tier_row(tiers: Mapping[str, int]) -> Row:
    parts = [money_columns(f"{tier or 'other'}_revenue", tiers.get(tier, 0)) for tier in TIERS]
    return {name: value for part in parts for name, value in part.items()}


def _compared(report: Report) -> Row | None:
    """Which days are compared, and the totals of both."""
    found = report.comparison
    if found is None:
        return None
    return {
        "from": found.period.first.isoformat(),
        "to": found.period.last.isoformat(),
        "earlier_from": found.earlier.first.isoformat(),
        "earlier_to": found.earlier.last.isoformat(),
        "total": totals_row(found.totals),
        "earlier_total": totals_row(found.earlier_totals),
    }


def slot_rows(report: Report) -> list[Row]:
    """One row a slot."""
    return [
        {"slot": line.name, "archived": line.archived, **totals_row(line.totals)} for line in report.slots
    ]


CAMPAIGN_COLUMNS = (
    *("advertiser", "campaign", "archived", "impression_count", "earlier_impression_count"),
    *("revenue_micros", "revenue", "earlier_revenue_micros", "earlier_revenue"),
    *("change_micros", "change"),
)


def campaign_rows(report: Report) -> list[Row]:
    """One row a campaign: its complete days, and those that they are compared with."""
    return [
        {
            "advertiser": line.advertiser,
            "campaign": line.name,
            "archived": line.archived,
            "impression_count": line.totals.impression_count,
            "earlier_impression_count": line.earlier_totals.impression_count,
            **money_columns("revenue", line.totals.revenue_micros),
            **money_columns("earlier_revenue", line.earlier_totals.revenue_micros),
            **money_columns("change", line.change_micros),
        }
        for line in report.campaigns
    ]


FUNNEL_COLUMNS = ("step", "reason", "count", "rate")


def funnel_rows(report: Report) -> list[Row]:
    """From request to click, each step with its part of the one before; after them why requests stayed empty.

    The rate of a reason is its part of all requests.
    """
    total = report.total
    counts = (
        ("requests", total.request_count),
        ("filled", total.fill_count),
        ("rendered", total.impression_count),
        ("viewable", total.viewable_count),
        ("clicked", total.click_count),
    )
    rows: list[Row] = []
    for place, (name, count) in enumerate(counts):
        before = counts[place - 1][1] if place else 0
        rows.append(_step("", name, count, before))
    return rows + [_step(reason, "unfilled", count, total.request_count) for reason, count in report.unfilled]


def _step(reason: str, name: str, count: int, whole: int) -> Row:
    return {"step": name, "reason": reason, "count": count, "rate": _ratio(count / whole if whole else None)}


def marked_rows(report: Report) -> list[Row]:
    """One row for each rule by which something was recorded and does not count."""
    return [{column: getattr(line, column) for column in MARKED_COLUMNS} for line in report.marked]


def cut_row(totals: Totals) -> Row:
    """Totals of events alone → the columns of a breakdown."""
    return {name: value for name, value in totals_row(totals).items() if name not in _OF_REQUESTS}


#: Columns of requests, which breakdowns do not cut.
_OF_REQUESTS = frozenset(
    [
        *("request_count", "fill_count", "fill_rate", "rpm", "rpm_micros", "gross_request_count"),
        *("header_bid_count", "auction_count", "bid_count"),
    ]
)


def breakdown_columns(breakdown: Breakdown) -> tuple[str, ...]:
    """The value's column has the name of the dimension."""
    return (breakdown.by, "kind", *cut_row(Totals()))


def breakdown_rows(breakdown: Breakdown) -> list[Row]:
    """One row a value; `kind` says why the value is empty where it is."""
    return [
        {breakdown.by: line.value, "kind": line.named.value, **cut_row(line.totals)}
        for line in breakdown.lines
    ]


def breakdown_json(breakdown: Breakdown) -> Row:
    """What was asked, the rows, and their total: that of the other reports, networks as estimated."""
    narrowed = {"by": breakdown.by, "line_item": breakdown.line_item}
    rows, total = breakdown_rows(breakdown), cut_row(breakdown.total)
    return {**asked(breakdown.choice), **narrowed, "rows": rows, "total": total}


#: How often browsers saw something, in CSV: (column, least, most).
_SEEN: tuple[tuple[str, int, int | None], ...] = (
    *((f"seen_{times}", times, times) for times in range(1, 11)),
    ("seen_11_to_20", 11, 20),
    ("seen_21_or_more", 21, None),
)
REACH_COLUMNS = (
    *("level", "advertiser", "campaign", "line_item", "archived", "reach", "new_reach"),
    *("average_frequency", "impression_count", "unknown_impression_count", "period_impression_count"),
    *(column for column, _, _ in _SEEN),
)


def reach_rows(reach: Reach) -> list[Row]:
    """One row a campaign, and after it one for each of its line items."""
    rows = []
    for campaign in reach.campaigns:
        rows.append(_reach_row("campaign", campaign, campaign.name, ""))
        rows += [_reach_row("line_item", line, campaign.name, line.name) for line in campaign.line_items]
    return rows


def _reach_row(level: str, line: ReachLine, campaign: str, line_item: str) -> Row:
    frequency = line.frequency
    return {
        "level": level,
        "advertiser": line.advertiser,
        "campaign": campaign,
        "line_item": line_item,
        "archived": line.archived,
        **_frequency_row(frequency),
        **{column: frequency.exactly(least, most) for column, least, most in _SEEN},
    }


def _frequency_row(frequency: Frequency) -> Row:
    return {
        "reach": frequency.reach,
        "new_reach": frequency.new_count,
        "average_frequency": _ratio(frequency.average),
        "impression_count": frequency.impression_count,
        "unknown_impression_count": frequency.unknown_count,
        "period_impression_count": frequency.lately_count,
    }


def reach_json(reach: Reach) -> Row:
    """What was asked, and the rows; `at_least` is browsers by how often they saw it or more, from once on."""
    return {**asked(reach.choice), "rows": [reach_line(line) for line in reach.campaigns]}


def reach_line(line: ReachLine) -> Row:
    """A campaign with its line items."""

    def row(line: ReachLine) -> Row:
        names = {"name": line.name, "advertiser": line.advertiser, "archived": line.archived}
        counts = {**_frequency_row(line.frequency), "at_least": list(line.frequency.at_least)}
        return {**names, **counts}

    return {**row(line), "line_items": [row(one) for one in line.line_items]}


STATEMENT_COLUMNS = ("site", "month", "booking", "date", *Line._fields[:-1], "revenue", "revenue_share")


def statement_rows(found: Statement) -> Iterator[Row]:
    """One for each line of each booking; `booking` says which: closed, correction or pending."""
    bookings = [("closed", found.closed), *(("correction", one) for one in found.corrections)]
    for kind, booking in bookings:
        yield from _rows(found, kind, booking.at.date().isoformat(), booking.lines)
    yield from _rows(found, "pending", "", found.pending)


def _rows(found: Statement, kind: str, day: str, lines: Sequence[Line]) -> Iterator[Row]:
    for line in lines:
        yield {
            "site": found.site,
            "month": found.month,
            "booking": kind,
            "date": day,
            **line._asdict(),
            "revenue": Amount(format_micros(line.revenue_micros)),
            "revenue_share": _ratio(found.share_ppm / WHOLE_PPM),
        }


def asked(choice: Choice) -> Row:
    """What was asked, as every JSON says first."""
    return {
        "site": choice.site.name,
        "timezone": choice.site.timezone,
        "currency": choice.site.currency,
        "from": choice.period.first.isoformat(),
        "to": choice.period.last.isoformat(),
        "slot": choice.slot,
        "asked_at": choice.asked_at.isoformat(),
    }


def as_json(report: Report, rows: list[Row]) -> Row:
    """What was asked, the rows, their total, why slots stayed empty, and what does not count."""
    return {
        **asked(report.choice),
        "rows": rows,
        "total": totals_row(report.total),
        "unfilled": [{"reason": reason, "request_count": number} for reason, number in report.unfilled],
        "marked": marked_rows(report),
        "compared": _compared(report),
        "catalog_changes": [
            {"version": change.version, "at": change.at.isoformat(), "names": list(change.names)}
            for change in report.changes
        ],
    }


def as_csv(rows: Iterable[Row], columns: Sequence[str], currency: str) -> str:
    """Rows → a header line and one line each; amounts as decimal text, their currency in the last column."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    shown = [column for column in columns if not column.endswith("_micros")]
    writer.writerow([*shown, "currency"])
    for row in rows:
        writer.writerow([*(_cell(row[column]) for column in shown), _cell(currency)])
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.{RATIO_PLACES}f}"
    text = str(value)
    harmless = isinstance(value, Amount) or not isinstance(value, str)
    return text if harmless or not text.startswith(FORMULA_STARTS) else f"'{text}"
