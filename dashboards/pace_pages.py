"""Line items with a goal → the page that says what will miss it, and rows for JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

from adserver.measurement.pace import Pace, PaceLine
from adserver.measurement.report import Site
from dashboards import words
from dashboards.exports import RATIO_PLACES, Row, asked
from dashboards.frame import TEMPLATES, frame_of, why_href

COLUMNS = (
    *("advertiser", "campaign", "line_item", "unit", "start", "end", "goal", "delivered_count"),
    *("due_count", "projected_count", "low_count", "high_count", "short_count", "short_rate"),
)


@dataclass(frozen=True, slots=True)
class Bullet:
    """A line item's bar: everything as per cent of its goal, as SVG takes it."""

    line: PaceLine
    href: str
    delivered: str
    due: str
    projected: str
    low: str
    range_width: str
    verdict: str
    grade: str
    left: str
    why: str
    """Where it is said what keeps it from serving; empty where nothing needs to be said."""


def pace_page(pace: Pace, sites: Sequence[Site]) -> str:
    """The page of goals."""
    missing = [line for line in pace.lines if line.will_miss]
    return TEMPLATES.get_template("delivery.html").render(
        **frame_of(pace.choice, sites, "delivery"),
        title=f"{pace.choice.site.domain}: delivery",
        bullets=[bullet(line, pace.choice.asked_at) for line in pace.lines],
        summary=summary(pace),
        missing=missing,
    )


def bullet(line: PaceLine, now: datetime) -> Bullet:
    """What is drawn of a line item."""

    def part(count: int) -> str:
        return f"{min(100.0, 100 * count / line.goal):.2f}"

    grade = "bad" if line.will_miss else "doubtful" if line.may_miss else "good"
    return Bullet(
        line=line,
        href=f"/console/catalog/line_item/{quote(line.line_item)}",
        delivered=part(line.delivered_count),
        due=part(line.due_count),
        projected=part(line.projected_count),
        low=part(line.low_count),
        range_width=f"{float(part(line.high_count)) - float(part(line.low_count)):.2f}",
        verdict=verdict(line),
        grade=grade,
        left=_left(line.end - now),
        why="" if grade == "good" else why_href(line.line_item),
    )


def verdict(line: PaceLine) -> str:
    """Whether it will reach its goal, in two or three words."""
    if line.delivered_count >= line.goal:
        return "Goal reached"
    if line.will_miss:
        return f"Will miss by {words.percent(line.short_count / line.goal, 0)}"
    return "May miss" if line.may_miss else "On course"


def _left(left: timedelta) -> str:
    return words.counted(left.days, "day") if left.days else words.counted(left // timedelta(hours=1), "hour")


def summary(pace: Pace) -> str:
    """The answer to "what will miss its goal?"."""
    count, missing = len(pace.lines), [line for line in pace.lines if line.will_miss]
    if not count:
        return "No line item with a goal is in flight here."
    if not missing:
        whole = "The one line item" if count == 1 else f"All {count} line items"
        return f"{whole} with a goal will reach it when days go on as they did."
    worst = missing[0]
    unit = worst.unit if worst.short_count != 1 else worst.unit.removesuffix("s")
    some, part = words.counted(len(missing), "line item"), worst.short_count / worst.goal
    return (
        f"{some} of {count} will miss the goal when days go on as they did; {worst.line_item} "
        f"falls shortest, by {words.count(worst.short_count)} {unit} ({words.percent(part, 0)})."
    )


def pace_rows(pace: Pace) -> list[Row]:
    """One row a line item, those that fall shortest first; times are aware."""
    return [
        {
            **{name: getattr(line, name) for name in COLUMNS if hasattr(line, name)},
            "start": line.start.isoformat(),
            "end": line.end.isoformat(),
            "short_rate": round(line.short_count / line.goal, RATIO_PLACES),
        }
        for line in pace.lines
    ]


def pace_json(pace: Pace) -> Row:
    """What was asked, and the rows."""
    return {**asked(pace.choice), "rows": pace_rows(pace)}
