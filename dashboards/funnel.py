"""Totals and reasons → where requests are lost on their way to a click, each loss with what can be done.

Where something can be done in the console or in another report, there is a link to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from adserver.measurement.report import Choice, Report
from dashboards.frame import query_of
from dashboards.words import HEADER_BIDS, counted, percent

#: Reason → (what it means, what can be done, where).
_REASONS: dict[str, tuple[str, str, str]] = {
    "no_eligible": (
        "No line item in flight is targeted here",
        "Book one, or let a house ad stand in",
        "catalog",
    ),
    "below_floor": ("No line item pays the slot’s floor price", "Look at the floor price", "slot"),
    "topic_excluded": (
        "No line item accepts the page’s sensitive topic",
        "Look at the excluded topics",
        "site",
    ),
    "no_size": ("The page had no room for a size of the slot", "Look at the slot’s sizes", "slot"),
    "repeated": (
        "Every line item that fits was on the page already",
        "Book more, or let them repeat",
        "catalog",
    ),
    "used_up": (
        "Every line item that fits has met its goal or spent its budget",
        "See how goals are met",
        "delivery",
    ),
    "capped": (
        "The visitor has seen every line item that fits as often as allowed, or allows no count",
        "See how often readers see what",
        "reach",
    ),
    "resting": (
        "All that fit are ahead of their time, and wait",
        "Sell more, or add house ads",
        "catalog",
    ),
    "no_turn": ("Only sponsors fit, and they have had their share", "Sell the rest of the share", "catalog"),
    "unknown_site": ("The page asked for an unknown site", "Look at the names of sites", "catalog"),
    "unknown_slot": ("The page asked for an unknown slot", "Look at the site’s slots", "site"),
    "too_many_slots": ("The page asked for too many slots at once", "Look at the site’s slots", "site"),
    "error": ("A fault of the server; its log says more", "See whether serving is healthy", "live"),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the funnel: how many came so far, and how many of those of the step before."""

    name: str
    count: int
    before: int | None
    lost: str
    advice: str
    href: str

    @property
    def rate(self) -> float | None:
        """Of the step before; None for the first one, and after nothing."""
        return self.count / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Loss:
    """One reason for which requests stayed empty."""

    reason: str
    count: int
    sentence: str
    advice: str
    href: str


def steps(report: Report) -> list[Step]:
    """Requests → filled → rendered → viewable → clicked."""
    total, choice = report.total, report.choice
    drawn_elsewhere = f". {HEADER_BIDS}" if total.header_bid_count else ""

    def by(sort: str) -> str:
        return f"?{query_of(choice, sort=sort)}#slots"

    return [
        Step("Requests", total.request_count, None, "", "", ""),
        Step(
            "Filled", total.fill_count, total.request_count, "got no ad", "Why they stayed empty", "#unfilled"
        ),
        Step(
            "Rendered",
            total.impression_count,
            total.fill_count,
            f"were served and never drawn: the reader had left, or something blocked it{drawn_elsewhere}",
            "Slots by impressions",
            by("impressions"),
        ),
        Step(
            "Viewable",
            total.viewable_count,
            total.impression_count,
            "were not half in view for a second, or could not be measured",
            "Slots by viewability",
            by("viewability"),
        ),
        Step(
            "Clicked",
            total.click_count,
            total.viewable_count,
            "were seen without a click",
            "Slots by CTR",
            by("ctr"),
        ),
    ]


def summary(found: Sequence[Step]) -> str:
    """The whole way, and where most is lost before the click, which few readers do."""
    first, *later, clicked = found
    whole = f"{counted(first.count, 'request')} led to {counted(clicked.count, 'click')}"
    known = [step for step in later if step.rate is not None]
    worst = min(known, key=lambda step: step.rate or 0.0, default=None)
    if worst is None or worst.rate == 1.0:
        return f"{whole}."
    before = found[later.index(worst)].name.lower()
    step = f"{before} to {worst.name.lower()}"
    return f"{whole}; most are lost from {step}: {percent(worst.rate)} come through."


def losses(report: Report) -> list[Loss]:
    """Every reason, the most frequent first; a reason without words is shown as it is."""
    lines = []
    for reason, count in report.unfilled:
        known = _REASONS.get(reason)
        sentence, advice, place = known or (reason.replace("_", " ").capitalize(), "", "")
        lines.append(Loss(reason, count, sentence, advice, _address(place, report.choice)))
    return lines


def _address(place: str, choice: Choice) -> str:
    site = quote(choice.site.name)
    match place:
        case "slot" if choice.slot is not None:
            return f"/console/catalog/slot/{site}/{quote(choice.slot)}"
        case "slot" | "site":
            return f"/console/catalog/site/{site}"
        case "catalog":
            return "/console/catalog/"
        case "":
            return ""
        case _:
            return f"/reports/{place}?{query_of(choice)}"
