"""A report's creatives → which one is weak among those of its line item, with intervals; JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adserver.measurement.intervals import Interval, always_valid
from adserver.measurement.report import CreativeLine, Report, Site
from dashboards import words
from dashboards.exports import RATIO_PLACES, Row, asked, cut_row
from dashboards.frame import TEMPLATES, frame_of

#: Of a line item's intervals, all hold together with so much probability but one in twenty.
ALPHA = 0.05
_COUNTS = ("impression_count", "measurable_count", "viewable_count", "viewability", "click_count", "ctr")
COLUMNS = (
    *("advertiser", "campaign", "line_item", "creative", "tier", "archived", *_COUNTS),
    *("ctr_low", "ctr_high", "verdict"),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """One creative beside the others of its line item. `verdict`: `weak`, `best` or empty."""

    line: CreativeLine
    interval: Interval
    verdict: str
    low: str
    width: str
    mark: str

    @property
    def rare(self) -> bool:
        """Whether it was shown so rarely that its rate says little."""
        return self.line.totals.impression_count < words.FEW_REQUESTS


@dataclass(frozen=True, slots=True)
class Group:
    """The creatives of one line item, the one with the highest rate first."""

    advertiser: str
    campaign: str
    line_item: str
    archived: bool
    creatives: tuple[Judged, ...]

    @property
    def shown(self) -> tuple[Judged, ...]:
        """Those that a page has a line for: rarely shown ones say nothing yet."""
        return tuple(one for one in self.creatives if not one.rare or one.verdict)


def groups(report: Report) -> list[Group]:
    """Line items by impressions, those with several creatives first: there is something to choose there."""
    found: dict[str, list[CreativeLine]] = {}
    for line in report.creatives:
        if line.totals.impression_count:
            found.setdefault(line.owner.line_item, []).append(line)
    lines = sorted(
        found.values(),
        key=lambda group: (len(group) < 2, -sum(line.totals.impression_count for line in group)),
    )
    intervals = [[_interval(line, len(group)) for line in group] for group in lines]
    # Rarely shown ones would make the scale so long that nothing could be told apart on it.
    common = [line for group in lines for line in group if line.totals.impression_count >= words.FEW_REQUESTS]
    top = 4 * max((line.totals.ctr or 0.0 for line in common), default=0.0) or 1.0
    return [_group(group, some, top) for group, some in zip(lines, intervals, strict=True)]


def _interval(line: CreativeLine, count: int) -> Interval:
    """Each of several at a part of the error, so that all hold together."""
    totals = line.totals
    clicks = min(totals.click_count, totals.impression_count)
    return always_valid(clicks, totals.impression_count, ALPHA / count)


def _group(lines: Sequence[CreativeLine], intervals: Sequence[Interval], top: float) -> Group:
    highest_low = max(one.low for one in intervals)
    judged = []
    for line, one in zip(lines, intervals, strict=True):
        others = [other for other in intervals if other is not one]
        best = bool(others) and all(one.low > other.high for other in others)
        verdict = "weak" if one.high < highest_low else "best" if best else ""
        low, high = (min(100.0, 100 * rate / top) for rate in (one.low, one.high))
        mark = min(100.0, 100 * (line.totals.ctr or 0) / top)
        judged.append(Judged(line, one, verdict, f"{low:.2f}", f"{max(0.5, high - low):.2f}", f"{mark:.2f}"))
    judged.sort(key=lambda one: (-(one.line.totals.ctr or 0), one.line.owner.creative))
    owner = lines[0].owner
    return Group(owner.advertiser, owner.campaign, owner.line_item or "Other", owner.archived, tuple(judged))


def creatives_page(report: Report, sites: Sequence[Site]) -> str:
    """The page of creatives."""
    found = groups(report)
    return TEMPLATES.get_template("creatives.html").render(
        **frame_of(report.choice, sites, "creatives"),
        title=f"{report.choice.site.domain}: creatives",
        report=report,
        groups=found,
        sentence=sentence(found),
        few_requests=words.FEW_REQUESTS,
    )


def sentence(found: Sequence[Group]) -> str:
    """The answer to "which creative is weak?"."""
    weak = [one for group in found for one in group.creatives if one.verdict == "weak"]
    several = sum(len(group.creatives) > 1 for group in found)
    if not found:
        return "No creative had an impression."
    if not several:
        return "No line item had two creatives to choose from."
    if not weak:
        return f"In none of {words.counted(several, 'line item')} with several creatives is one surely weak."
    names = ", ".join(one.line.owner.creative for one in weak[:3])
    more = f" and {len(weak) - 3} more" if len(weak) > 3 else ""
    return (
        f"{words.counted(len(weak), 'creative')} surely weaker than another of the line item: {names}{more}."
    )


def creative_rows(report: Report) -> list[Row]:
    """One row a creative."""
    return [
        {
            "advertiser": one.line.owner.advertiser,
            "campaign": one.line.owner.campaign,
            "line_item": one.line.owner.line_item,
            "creative": one.line.owner.creative,
            "tier": one.line.owner.tier,
            "archived": one.line.owner.archived,
            **{name: value for name, value in cut_row(one.line.totals).items() if name in _COUNTS},
            "ctr_low": round(one.interval.low, RATIO_PLACES),
            "ctr_high": round(one.interval.high, RATIO_PLACES),
            "verdict": one.verdict,
        }
        for group in groups(report)
        for one in group.creatives
    ]


def creatives_json(report: Report) -> Row:
    """What was asked, and the rows."""
    return {**asked(report.choice), "alpha": ALPHA, "rows": creative_rows(report)}
