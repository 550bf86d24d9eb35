"""A page that was looked at, and its catalog → for each slot why every line item won or did not, in words.

This is what ad ops see who ask why a line item did not serve. Every line item of the catalog is accounted for
once in each slot that the catalog knows, also those that can never serve for want of an approved creative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isnan

import numpy as np

from adserver.catalog.model import Catalog, Site, Tier
from adserver.decision.context import BidFill, Context, Fill, NoFill, Reason
from adserver.decision.index import prices_per_thousand
from adserver.decision.look import Look, SlotLook
from adserver.decision.rule_words import not_approved, price_of, why_empty
from adserver.decision.sentences import Sentences
from adserver.decision.verdicts import NOT_APPROVED, Verdicts, distance, judge


@dataclass(frozen=True, slots=True)
class Score:
    """How a line item competes in a slot; amounts in the site's currency, per thousand impressions."""

    score: float
    """What is compared; house ads have −1, which is below all that pays."""
    ecpm: float
    """What a thousand impressions are expected to earn."""
    rate: float | None
    """Clicks (cpc), views (vcpm) or conversions (cpa) that an impression is expected to bring, or None."""
    multiplier: float
    """What its eCPM is multiplied with, so that its budget lasts; 1 without a budget."""
    bid: float | None
    """What it bids in place of its eCPM, so that its goal is met; None without a goal."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one line item in one slot. `rule` is `"won"`, or the first rule that it failed."""

    advertiser: str
    campaign: str
    line_item: str
    tier: Tier
    price: str | None
    """As it was bought: `"4.50 cpm"`."""
    rule: str
    sentence: str
    score: Score | None
    """None for those that are not eligible, and for sponsors, which do not compete by score."""


@dataclass(frozen=True, slots=True)
class BidVerdict:
    """What became of one header bid for a slot: `"won"`, `"floor"`, `"size"` or `"outbid"`."""

    bid: str
    cpm_micros: int
    size: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SlotExplained:
    """One slot of the page, as it would be served."""

    slot: str
    floor_micros: int | None
    """None, like no sizes and line items, where the catalog does not know the slot."""
    sizes: Sequence[str]
    """Those that slot and page can show."""
    winner: str | None
    """Name of the line item, or of the header bid."""
    creative: str | None
    reason: Reason | None
    """Why it stays empty."""
    sentence: str
    counts: Mapping[str, int]
    """Rule → how many line items failed it; those that were left off too."""
    bids: Sequence[BidVerdict]
    line_items: Sequence[Verdict]
    """The winner first, then those that got furthest."""
    left_off: int
    """How many line items are not listed, to keep the answer short."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A page, as it would be served at an instant."""

    catalog: int
    at: datetime
    context: Context
    stored: bool
    """Whether the visitor's browser keeps a tally."""
    site: Site | None
    """None where the catalog does not know it."""
    slots: Sequence[SlotExplained]


def explain(
    look: Look,
    catalog: Catalog,
    *,
    limit: int,
    slot: str | None = None,
    item: str | None = None,
    told: Container[str] | None = None,
) -> Explanation:
    """Account for every line item of the catalog that `look.index` was made of, in each slot asked for.

    `limit`: most line items that are listed for a slot. `slot`, `item`: names of the only ones to be listed.
    `told`: names of those that may be told of; the others are not even counted. None: all.
    """
    account = _Account(look, catalog, limit, item, told)
    slots = [
        account.of_slot(number) for number, ask in enumerate(look.asks) if slot is None or ask.slot == slot
    ]
    site = look.index.sites.get(look.context.site)
    return Explanation(
        look.index.version, look.now, look.context, look.tally is not None, site.site if site else None, slots
    )


class _Account:
    def __init__(
        self, look: Look, catalog: Catalog, limit: int, item: str | None, told: Container[str] | None
    ) -> None:
        self._look = look
        self._limit = limit
        self._only = item
        self._verdicts: Verdicts = judge(look)
        self._sentences = Sentences(look, self._verdicts)
        self._slots = {slot.number: slot for slot in look.slots}
        self._owned = {owned[2].name: owned for owned in catalog.line_items()}
        items = look.index.items
        indexed = {item.name for item in items}
        self._bare = [name for name in self._owned if name not in indexed and (told is None or name in told)]
        """Those that the index leaves out."""
        self._told = [position for position, one in enumerate(items) if told is None or one.name in told]
        """Positions of those that may be told of."""

    def of_slot(self, number: int) -> SlotExplained:
        """Everything about one of the slots asked for."""
        look, slot = self._look, self._slots.get(number)
        decision = look.page.decisions[number]
        winner = creative = reason = None
        if isinstance(decision, Fill):
            winner, creative = decision.choice.item.name, decision.choice.creative.name
        elif isinstance(decision, BidFill):
            winner = decision.bid.bid
        else:
            reason = decision.reason
        name = look.asks[number].slot
        if slot is None:
            assert isinstance(decision, NoFill), "a slot that is not known stays empty"
            sentence = why_empty(decision.reason, name, look.context.site)
            return SlotExplained(name, None, (), None, None, reason, sentence, {}, (), (), 0)
        rules = self._verdicts.rules[number]
        counts = Counter(rules[position] for position in self._told)
        if self._bare:
            counts[NOT_APPROVED] += len(self._bare)
        verdicts = list(self._listed(slot, rules))
        left_off = 0 if self._only else sum(counts.values()) - len(verdicts)
        sentence = self._sentences.of_slot(slot)
        by_distance = dict(sorted(counts.items(), key=lambda one: (distance(one[0]), one[0])))
        floor = slot.candidates.slot.slot.floor
        return SlotExplained(
            name,
            floor,
            slot.candidates.sizes,
            winner,
            creative,
            reason,
            sentence,
            by_distance,
            list(self._bids(slot)),
            verdicts,
            left_off,
        )

    def _listed(self, slot: SlotLook, rules: Sequence[str]) -> Iterator[Verdict]:
        """The winner, those that got furthest, and last those that are not in the index."""
        positions = self._furthest(slot, rules)
        for position in positions:
            yield self._verdict(slot, position, rules[position])
        bare = self._bare if self._only is None else [name for name in self._bare if name == self._only]
        for name in bare[: self._limit - len(positions)]:
            advertiser, campaign, item = self._owned[name]
            sentence = not_approved(item)
            names = (advertiser.name, campaign.name, name)
            yield Verdict(*names, item.tier, price_of(item), NOT_APPROVED, sentence, None)

    def _furthest(self, slot: SlotLook, rules: Sequence[str]) -> list[int]:
        """Positions of those to be listed, by how far they got and then by score."""
        items, told = self._look.index.items, np.array(self._told, dtype=np.int64)
        if self._only is not None:
            return [position for position in self._told if items[position].name == self._only]
        distances = {rule: distance(rule) for rule in set(rules)}
        far = np.array([distances[rules[position]] for position in self._told], dtype=np.int64)
        order = told[np.lexsort((-slot.scores[told], far))]
        return [int(position) for position in order[: self._limit]]

    def _verdict(self, slot: SlotLook, position: int, rule: str) -> Verdict:
        advertiser, campaign, item = self._owned[self._look.index.items[position].name]
        competes = slot.candidates.eligible >> position & 1 and item.tier is not Tier.SPONSORSHIP
        return Verdict(
            advertiser=advertiser.name,
            campaign=campaign.name,
            line_item=item.name,
            tier=item.tier,
            price=price_of(item),
            rule=rule,
            sentence=self._sentences.of(slot, position, rule),
            score=self._score(slot, position) if competes else None,
        )

    def _score(self, slot: SlotLook, position: int) -> Score:
        standing, price = self._look.standing, self._look.index.items[position].price
        bid, ecpm = float(standing.bids[position]), float(slot.ecpms[position])
        rate = None
        unit = self._look.index.units_paid.get(position)
        if price and unit and price.micros:
            rate = ecpm / (price.micros / 1e6 * prices_per_thousand(unit))
        return Score(
            score=float(slot.scores[position]),
            ecpm=ecpm,
            rate=rate,
            multiplier=float(standing.multipliers[position]),
            bid=None if isnan(bid) else bid,
        )

    def _bids(self, slot: SlotLook) -> Iterator[BidVerdict]:
        """What became of each header bid for the slot."""
        look, floor = self._look, slot.candidates.slot.slot.floor
        decision = look.page.decisions[slot.number]
        winner = decision.bid if isinstance(decision, BidFill) else None
        for bid in look.context.bids:
            if bid.slot != slot.candidates.slot.slot.name:
                continue
            rule = "won" if bid is winner else "outbid"
            if bid.cpm_micros < floor:
                rule = "floor"
            elif bid.size not in slot.candidates.sizes:
                rule = "size"
            sentence = self._sentences.of_bid(slot, bid, rule)
            yield BidVerdict(bid.bid, bid.cpm_micros, bid.size, rule, sentence)
