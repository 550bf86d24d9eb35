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
    """Where all line items are shown; empty where they are."""


def section_of(breakdown: Breakdown, sort: str | None = None) -> Section:
    """Everything that is shown of a breakdown. `sort`: of the slots beside it, which links keep."""
    choice, item = breakdown.choice, breakdown.line_item
    narrowed = query_of(choice, line_item=item)
    return Section(
        breakdown=breakdown,
        title=cut_words.TITLES[breakdown.by],
        choices=tuple(
            Link(
                f"?{query_of(choice, sort=sort, line_item=item, by=by)}#breakdown",
                cut_words.TITLES[by],
                by == breakdown.by,
            )
            for by in BY
        ),
        query=f"{narrowed}&by={breakdown.by}",
        everything=f"?{query_of(choice, sort=sort, by=breakdown.by)}#breakdown" if item else "",
    )


def reach_page(reach: Reach, sites: Sequence[Site]) -> str:
    """The page of reach and frequency."""
    return TEMPLATES.get_template("reach.html").render(
        **frame_of(reach.choice, sites, "reach"),
        title=f"{reach.choice.site.domain}: reach",
        reach=reach,
        most=max((line.frequency.reach for line in reach.campaigns), default=0),
    )
