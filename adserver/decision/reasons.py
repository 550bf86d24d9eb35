"""Line items and sampled page requests → why they did not serve on them, the most frequent reason first.

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
from adserver.decision.verdicts import NOT_APPROVED, WON, distance, judge
from adserver.decision.week import Sample

#: Pages that are alike are decided with so many kinds of luck: where scores are equal, nobody wins them all.
_LUCKS = 8
#: Who fails these has nothing to do with a page.
_ELSEWHERE = frozenset(("site", "not.site", "ended", "not_started", NOT_APPROVED))


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
    for number, sample in enumerate(samples):
        luck = number % _LUCKS
        key = _key(decider, sample), luck
        if key not in alike:
            alike[key] = _closest(decider, position, sample, Random(luck), counts)
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


def _closest(
    decider: Decider, position: int, sample: Sample, rng: Random, known: dict[str, int]
) -> Hindrance | None:
    """What became of it in the slot where it came closest; None where the catalog knows no slot of the page.

    Only rules that are not `known` yet are put into words.
    """
    looked = look(decider, sample.context, sample.asks, sample.at, rng, Tally())
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


def count_reasons(decider: Decider, samples: Sequence[Sample], rng: Random) -> dict[tuple[int, str], int]:
    """(id of a line item, rule) → on how many of these pages this kept it away; "won": it serves.

    Line items that are not in flight, or do not run on the site of a page, are not counted there. `decider`
    is used as a scratch pad.
    """
    counts: dict[tuple[int, str], int] = {}
    for sample in samples:
        for found in _closest_of_all(decider, sample, Random(rng.getrandbits(32))):
            counts[found] = counts.get(found, 0) + 1
    return counts


def _closest_of_all(decider: Decider, sample: Sample, rng: Random) -> list[tuple[int, str]]:
    looked = look(decider, sample.context, sample.asks, sample.at, rng, Tally())
    if not looked.slots:
        return []
    by_slot = [*judge(looked).rules.values()]
    distances = {rule: distance(rule) for rules in by_slot for rule in set(rules)}
    closest = [min(rules, key=distances.__getitem__) for rules in zip(*by_slot, strict=True)]
    ids = looked.index.item_ids
    return [(ids[position], rule) for position, rule in enumerate(closest) if rule not in _ELSEWHERE]
