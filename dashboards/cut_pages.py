"""A breakdown → the section of a page that shows it; the reach of a period → its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adserver.measurement.cuts import BY, Breakdown, Reach
from adserver.measurement.report import Site
from dashboards import cut_words
from dashboards.frame import TEMPLATES, Link, frame_of, query_of


@dataclass(frozen=True, slots=True)
class Section:
    """What the template of a breakdown shows beside the breakdown itself."""

    breakdown: Breakdown
    title: str
    choices: tuple[Link, ...]
    """One for each dimension."""
    query: str
    """That of its files."""
    everything: str
    """Where all slots and line items are shown; empty where they are."""


def section_of(breakdown: Breakdown) -> Section:
    """Everything that is shown of a breakdown."""
    query = query_of(breakdown.choice)
    only = {"slot": breakdown.slot, "line_item": breakdown.line_item}
    narrowed = query_of(breakdown.choice, **only)
    return Section(
        breakdown=breakdown,
        title=cut_words.TITLES[breakdown.by],
        choices=tuple(
            Link(f"?{narrowed}&by={by}#breakdown", cut_words.TITLES[by], by == breakdown.by) for by in BY
        ),
        query=f"{narrowed}&by={breakdown.by}",
        everything=f"?{query}&by={breakdown.by}#breakdown" if any(only.values()) else "",
    )


def reach_page(reach: Reach, sites: Sequence[Site]) -> str:
    """The page of reach and frequency."""
    return TEMPLATES.get_template("reach.html").render(
        **frame_of(reach.choice, sites, "reach"),
        title=f"{reach.choice.site.domain}: reach",
        reach=reach,
        most=max((line.frequency.reach for line in reach.campaigns), default=0),
    )
