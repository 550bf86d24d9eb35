"""Slots of a report → the rows of their table in the order that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from adserver.errors import InvalidInput
from adserver.measurement.report import Report, SlotLine, Totals
from dashboards import words
from dashboards.frame import Link, query_of
from dashboards.sparks import Spark, spark

_Measure = Callable[[Totals], float | None]
#: Name of a column in the address → its title and what it sorts by; most comes first.
SORTS: Mapping[str, tuple[str, _Measure]] = {
    "revenue": ("Revenue", lambda totals: totals.revenue_micros),
    "requests": ("Requests", lambda totals: totals.request_count),
    "fill": ("Fill rate", lambda totals: totals.fill_rate),
    "impressions": ("Impressions", lambda totals: totals.impression_count),
    "viewability": ("Viewability", lambda totals: totals.viewability),
    "ctr": ("CTR", lambda totals: totals.ctr),
    "ecpm": ("eCPM", lambda totals: totals.ecpm_micros),
    "rpm": ("RPM", lambda totals: totals.rpm_micros),
}
DEFAULT_SORT = "revenue"


@dataclass(frozen=True, slots=True)
class Row:
    """One slot: the address of the page for it alone, its change of revenue, and its complete days."""

    line: SlotLine
    href: str
    change: words.Change | None
    spark: Spark | None


@dataclass(frozen=True, slots=True)
class SlotTable:
    """All that the template of the table shows."""

    rows: tuple[Row, ...]
    heads: Mapping[str, Link]
    change: words.Change | None
    compared: bool


def sort_of(text: str) -> str:
    """A word of a query (empty: not given) → the column to sort by. Raises InvalidInput."""
    if text and text not in SORTS:
        raise InvalidInput.one("", "sort", f"{text[:40]!r} is none of {', '.join(SORTS)}")
    return text or DEFAULT_SORT


def slot_table(report: Report, sort: str, by: str | None) -> SlotTable:
    """`sort`: a column of `SORTS`; `by`: what the breakdown beside it is by, which links keep."""
    measure, choice = SORTS[sort][1], report.choice
    kept = {"by": by, "sort": None if sort == DEFAULT_SORT else sort}

    def rank(line: SlotLine) -> tuple[bool, float, str]:
        value = measure(line.totals)
        return (value is None, -(value or 0), line.name)

    rows = tuple(
        Row(
            line,
            f"?{query_of(replace(choice, slot=line.name), **kept)}",
            _change(line.compared),
            spark([day.revenue_micros for day in line.days]),
        )
        for line in sorted(report.slots, key=rank)
    )
    heads = {
        name: Link(
            f"?{query_of(choice, by=by, sort=None if name == DEFAULT_SORT else name)}#slots",
            title,
            name == sort,
        )
        for name, (title, _) in SORTS.items()
    }
    compared = report.comparison
    total = _change((compared.totals, compared.earlier_totals) if compared else None)
    return SlotTable(rows, heads, total, compared is not None)


def _change(compared: tuple[Totals, Totals] | None) -> words.Change | None:
    if compared is None:
        return None
    now, earlier = compared
    return words.amount_change(now.revenue_micros, earlier.revenue_micros)
