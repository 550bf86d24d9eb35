"""A line item and sampled page requests → why it did not serve on them: each reason, the most frequent first.

The pages are decided again by the rules that serve, for a visitor who has seen nothing yet, with what is in
the catalog, bid and counted now. What stood in the way on a page is the rule in the slot where the line item
came closest.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from random import Random

from adserver.clock import to_us
from adserver.decision.look import look
from adserver.decision.page import Decider
from adserver.decision.sentences import Sentences
from adserver.decision.tally import Tally
from adserver.decision.verdicts import WON, distance, judge
from adserver.decision.week import Sample


@dataclass(frozen=True, slots=True)
class Hindrance:
    """One rule that kept a line item from pages, and one of these pages."""

    rule: str
    """As in `Verdict`."""
    page_count: int
    slot: str
    """Of the example, like the next two."""
    sentence: str
    sample: Sample


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a line item on so many sampled pages."""

    page_count: int
    served_count: int
    hindrances: Sequence[Hindrance]
    """The most frequent first."""


def replay_pages(decider: Decider, position: int, samples: Sequence[Sample]) -> Replayed:
    """Decide pages again and see what becomes of the line item at a position of the index.

    `decider` is used as a scratch pad: give it its own, not the one that serves.
    """
    served_count = 0
    found: dict[str, Hindrance] = {}
    counts: dict[str, int] = {}
    alike: dict[Hashable, Hindrance | None] = {}
    for sample in samples:
        key = _key(decider, sample)
        if key not in alike:
            alike[key] = _closest(decider, position, sample, counts)
        closest = alike[key]
        if closest is None:
            continue
        if closest.rule == WON:
            served_count += 1
            continue
        counts[closest.rule] = counts.get(closest.rule, 0) + 1
        found.setdefault(closest.rule, closest)
    ranked = sorted(counts, key=lambda rule: (-counts[rule], distance(rule), rule))
    hindrances = [
        Hindrance(rule, counts[rule], one.slot, one.sentence, one.sample)
        for rule in ranked
        for one in (found[rule],)
    ]
    return Replayed(served_count + sum(counts.values()), served_count, hindrances)


def _key(decider: Decider, sample: Sample) -> Hashable:
    """What a decision about a page hangs on, beside what is the same for all: bids, counts, a new visitor."""
    index, now_us = decider.index, to_us(sample.at)
    site = index.sites.get(sample.context.site)
    if site is None:
        return None
    times = index.flights.segment(now_us), index.hours.segment(site.zone, now_us)
    return index.page_key(site, sample.context), sample.asks, times


def _closest(decider: Decider, position: int, sample: Sample, known: dict[str, int]) -> Hindrance | None:
    """What became of it in the slot where it came closest; None where the catalog knows no slot of the page.

    Only rules that are not `known` yet are put into words.
    """
    looked = look(decider, sample.context, sample.asks, sample.at, Random(0), Tally())
    if not looked.slots:
        return None
    verdicts = judge(looked, only=position)
    rule, slot = min(
        ((verdicts.rules[slot.number][position], slot) for slot in looked.slots),
        key=lambda pair: (distance(pair[0]), pair[1].number),
    )
    told = rule == WON or rule in known
    sentence = "" if told else Sentences(looked, verdicts).of(slot, position, rule)
    return Hindrance(rule, 1, slot.candidates.slot.slot.name, sentence, sample)
