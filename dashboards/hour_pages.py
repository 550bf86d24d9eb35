"""What slots earn by hour of the week → its page, and rows for JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence

from adserver.measurement.hours import HOURS, WeekHours
from adserver.measurement.report import Site
from dashboards import heat
from dashboards.exports import RATIO_PLACES, Row, asked, money_columns
from dashboards.frame import TEMPLATES, frame_of

_COUNTS = ("request_count", "impression_count", "click_count")
COLUMNS = ("slot", "day", "hour", "minutes", *_COUNTS, "revenue_micros", "revenue", "index")


def hours_page(found: WeekHours, sites: Sequence[Site]) -> str:
    """The page of hours."""
    return TEMPLATES.get_template("hours.html").render(
        **frame_of(found.choice, sites, "hours"),
        title=f"{found.choice.site.domain}: hours",
        found=found,
        figure=heat.heat_map(found) if found.lines else None,
        heat=heat,
    )


def hour_rows(found: WeekHours) -> list[Row]:
    """One row for each slot and hour of the week; `minutes`: how long that hour was in all."""
    return [
        {
            "slot": line.name,
            "day": heat.DAYS[hour // 24],
            "hour": hour % 24,
            "minutes": 15 * line.cells[hour].bucket_count,
            **{name: getattr(line.cells[hour], name) for name in _COUNTS},
            **money_columns("revenue", line.cells[hour].revenue_micros),
            "index": None if (index := line.index(hour)) is None else round(index, RATIO_PLACES),
        }
        for line in found.lines
        for hour in range(HOURS)
    ]


def hours_json(found: WeekHours) -> Row:
    """What was asked, the complete days that are in it, and the rows."""
    period = found.period
    days = None if period is None else {"from": period.first.isoformat(), "to": period.last.isoformat()}
    return {**asked(found.choice), "days": days, "rows": hour_rows(found)}
