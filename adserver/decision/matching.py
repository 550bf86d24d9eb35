"""A target and sampled page requests → how many of them it matches, and which of its rules lose the others.

What is asked is targeting alone: site, slot, facts of the page, hours and sensitive topics; not dates, sizes,
floors, or who else is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from adserver.catalog.model import LineItem
from adserver.clock import to_us
from adserver.decision.index import Index, IndexedSite
from adserver.decision.targets import Targets
from adserver.decision.timetable import Hours
from adserver.decision.verdicts import hours_rule
from adserver.decision.week import Sample


@dataclass(frozen=True, slots=True)
class Matched:
    """Of so many sampled pages of a site, how many match, and what loses the others."""

    page_count: int
    match_count: int
    lost: Mapping[str, int]
    """Rule → pages that pass all rules before it and fail it."""


def matching(item: LineItem, index: Index, samples: Sequence[Sample]) -> dict[str, Matched]:
    """Site → what its pages say of the line item's targeting. The item need not be in the index."""
    targets, hours = Targets([item]), Hours([item])
    rules: dict[str, Counter[str | None]] = {}
    for sample in samples:
        site = index.sites.get(sample.context.site)
        if site is not None:
            rule = _first_failed(item, targets, hours, site, sample)
            rules.setdefault(site.site.name, Counter())[rule] += 1
    return {
        name: Matched(
            counts.total(), counts[None], {rule: count for rule, count in counts.most_common() if rule}
        )
        for name, counts in rules.items()
    }


def _first_failed(
    item: LineItem, targets: Targets, hours: Hours, site: IndexedSite, sample: Sample
) -> str | None:
    """The first rule that a page fails; None: it matches."""
    context = sample.context
    if not targets.site(context.site):
        return "site"
    if not any(targets.slot(ask.slot) for ask in sample.asks if ask.slot in site.slots):
        return "slot"
    key = targets.key(
        context.section,
        context.topics,
        context.values,
        context.url,
        context.country,
        context.device,
        site.sensitive,
    )
    failed = targets.first_failed(0, key)
    if failed is not None:
        return failed
    if not hours.admitted(hours.segment(site.zone, to_us(sample.at))):
        return hours_rule(item, sample.at, site.zone)
    kept = any(topic in site.sensitive and topic not in item.allow_topics for topic in context.topics)
    return "topic_excluded" if kept else None
