"""A page and what was decided for it → every rule of the design that is broken, by plain loops.

Written from the rules alone: what a line item is worth is known here only where it is what its price says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from adserver.catalog.model import Campaign, Cap, Catalog, LineItem, PriceModel, Site, Slot, Tier
from adserver.decision.context import Ask, BidFill, Context, Decision, Fill, HeaderBid, NoFill, Reason
from tests.decision.oracle import drawable, passing, sizes

#: A line item's own name, or advertiser and campaign: whose impressions caps count.
Subject = tuple[str, ...]


@dataclass
class Visitor:
    """What one visitor was shown so far; `stored`: whether anything may be kept about it."""

    stored: bool = True
    seen: list[tuple[Subject, datetime]] = field(default_factory=list)


class Place(NamedTuple):
    """One slot of the page: asked for, known to the catalog, and decided."""

    ask: Ask
    slot: Slot
    decision: Decision
    eligible: set[str]


class Rules:
    """The rules of one catalog."""

    def __init__(self, catalog: Catalog, expected_ctr: float) -> None:
        self._catalog = catalog
        self._expected_ctr = expected_ctr
        self.items = {item.name: item for _, _, item in catalog.line_items()}
        self._campaigns: dict[str, tuple[Subject, Campaign]] = {
            item.name: ((advertiser.name, campaign.name), campaign)
            for advertiser, campaign, item in catalog.line_items()
        }

    def subjects(self, name: str) -> list[tuple[Subject, Sequence[Cap]]]:
        """Whose caps an impression of a line item counts under."""
        path, campaign = self._campaigns[name]
        both: list[tuple[Subject, Sequence[Cap]]] = [((name,), self.items[name].caps), (path, campaign.caps)]
        return [(subject, caps) for subject, caps in both if caps]

    def broken(
        self,
        context: Context,
        asks: Sequence[Ask],
        now: datetime,
        visitor: Visitor,
        decisions: Sequence[Decision],
        spent: set[str],
    ) -> list[str]:
        """`spent`: line items that have no room left by their goal or budget, or whose room is not known."""
        site = next(site for site in self._catalog.site if site.name == context.site)
        slots = {slot.name: slot for slot in site.slot}
        if len(decisions) != len(asks):
            return ["one decision for each slot"]
        unknown = [
            decision
            for ask, decision in zip(asks, decisions, strict=True)
            if ask.slot not in slots and decision != NoFill(ask.slot, None, Reason.UNKNOWN_SLOT)
        ]
        places = [
            Place(ask, slots[ask.slot], decision, self._eligible(context, ask, now))
            for ask, decision in zip(asks, decisions, strict=True)
            if ask.slot in slots
        ]
        found = ["unknown slots stay empty"] * len(unknown)
        for place in places:
            found += self._of_place(context, place)
        names = [p.decision.choice.item.name for p in places if isinstance(p.decision, Fill)]
        found += self._of_page(site, places, names)
        found += self._caps(names, now, visitor)
        free = {
            name
            for name in self.items.keys() - spent - set(names)
            if self._beside(name, names) and self._room(name, names, now, visitor) >= 1
        }
        found += self._left_out(context, places, names, free)
        found += self._companions(places, names, spent, now, visitor)
        return found

    def _eligible(self, context: Context, ask: Ask, now: datetime) -> set[str]:
        return passing(self._catalog, context, ask, now, expected_ctr=self._expected_ctr)

    def _of_place(self, context: Context, place: Place) -> Iterator[str]:
        """Rules of one slot: who may stand there, and what is drawn."""
        ask, slot, decision, eligible = place
        offered, best = sizes(slot, ask), best_bid(context, slot, ask)
        if decision.slot != slot.name:
            yield "answers are in the order of the asks"
        if isinstance(decision, BidFill):
            if best is None or decision.bid.cpm_micros != best.cpm_micros or decision.bid not in context.bids:
                yield "only the highest able bid wins"
            return
        if isinstance(decision, NoFill):
            if best:
                yield "an able bid fills its slot if nobody else does"
            if (decision.reason is Reason.NO_SIZE) != (not offered):
                yield "the reason is no_size where there is no size"
            if (decision.reason in _LEFT) != bool(eligible):
                yield "a reason of the page where somebody passes"
            return
        choice = decision.choice
        if choice.item.name not in eligible or self.items[choice.item.name] != choice.item:
            yield "dates, targeting, hours, floors, sensitive topics"
        if choice.creative not in drawable(choice.item, context) or choice.creative.size not in offered:
            yield "sizes, themes, approval"
        if decision.label != slot.label:
            yield "the slot's label"
        if best and _loses(choice.item, best):
            yield "who pays less than an able bid does not win"

    def _of_page(self, site: Site, places: Sequence[Place], names: Sequence[str]) -> Iterator[str]:
        for name, count in Counter(names).items():
            item = self.items[name]
            if count > 1 and not (item.repeat or item.together or item.companions):
                yield "no line item twice"
            if not self._beside(name, names):
                yield "labels are kept apart"
            if item.together and not _whole(item, site, places):
                yield "roadblocks take all of their slots or none"

    def _beside(self, name: str, names: Sequence[str]) -> bool:
        """Whether no other line item on the page has one of its labels."""
        labels = set(self.items[name].labels)
        return not any(labels & set(self.items[other].labels) for other in set(names) - {name})

    def _room(self, name: str, names: Sequence[str], now: datetime, visitor: Visitor) -> float:
        """How many more impressions caps allow for certain: windows are up to two minutes longer here."""
        subjects = self.subjects(name)
        if subjects and not visitor.stored:
            return 0
        return min(
            (
                cap.impressions - self._shown(subject, cap.seconds + 120, names, now, visitor)
                for subject, caps in subjects
                for cap in caps
            ),
            default=float("inf"),
        )

    def _shown(
        self, subject: Subject, seconds: float, names: Sequence[str], now: datetime, visitor: Visitor
    ) -> int:
        before = sum(one == subject and at > now - timedelta(seconds=seconds) for one, at in visitor.seen)
        return before + sum(subject in (one for one, _ in self.subjects(name)) for name in names)

    def _caps(self, names: Sequence[str], now: datetime, visitor: Visitor) -> Iterator[str]:
        for name in set(names):
            for subject, caps in self.subjects(name):
                if not visitor.stored:
                    yield "without storage nothing with caps"
                elif any(
                    self._shown(subject, cap.seconds, names, now, visitor) > cap.impressions for cap in caps
                ):
                    yield f"caps of {subject}"

    def _left_out(
        self, context: Context, places: Sequence[Place], names: Sequence[str], free: set[str]
    ) -> Iterator[str]:
        """Nobody who could stand in a slot is passed over for nothing, or for who is worth less."""
        for place in places:
            able = [
                self.items[name]
                for name in free & place.eligible
                if self.items[name].tier is not Tier.SPONSORSHIP and not self.items[name].together
            ]
            decision = place.decision
            if isinstance(decision, NoFill) and able:
                yield "no slot is empty while somebody could stand there"
            known = max((worth for item in able if (worth := worth_of(item)) is not None), default=None)
            if known is None:
                continue
            if isinstance(decision, BidFill) and decision.bid.cpm_micros < known:
                yield "a bid does not win against who pays more"
            if isinstance(decision, Fill) and not _set_apart(decision.choice.item):
                own = worth_of(decision.choice.item)
                if own is not None and own < known:
                    yield "the highest score wins"

    def _companions(
        self, places: Sequence[Place], names: Sequence[str], spent: set[str], now: datetime, visitor: Visitor
    ) -> Iterator[str]:
        """Who brings companions leaves no slot of its own empty, or to a house ad."""
        for name in set(names) - spent:
            item = self.items[name]
            if not item.companions or self._room(name, names, now, visitor) < 1:
                continue
            for place in places:
                decision = place.decision
                house = isinstance(decision, Fill) and decision.choice.item.tier is Tier.HOUSE
                foreign = house and isinstance(decision, Fill) and decision.choice.item.name != name
                if (
                    name in place.eligible
                    and (isinstance(decision, NoFill) or foreign)
                    and item.tier is not Tier.HOUSE
                ):
                    yield "companions take what is open"


_LEFT = (Reason.REPEATED, Reason.NO_TURN, Reason.USED_UP, Reason.CAPPED)


def best_bid(context: Context, slot: Slot, ask: Ask) -> HeaderBid | None:
    """The highest header bid that pays a slot's floor and fits."""
    able = [
        bid
        for bid in context.bids
        if bid.slot == slot.name and bid.cpm_micros >= slot.floor and bid.size in sizes(slot, ask)
    ]
    return max(able, key=lambda bid: bid.cpm_micros, default=None)


def worth_of(item: LineItem) -> int | None:
    """What a line item scores, in micros per thousand, where that is its price; house ads score below 0."""
    if item.tier is Tier.HOUSE:
        return -1
    if (
        item.tier not in (Tier.PRICE, Tier.NETWORK)
        or item.budget is not None
        or item.daily_budget is not None
    ):
        return None
    return item.price.micros if item.price and item.price.model is PriceModel.CPM else None


def _set_apart(item: LineItem) -> bool:
    """Whether a line item may stand somewhere by another rule than its score there."""
    return item.tier is Tier.SPONSORSHIP or item.together or item.companions


def _loses(item: LineItem, bid: HeaderBid) -> bool:
    own = worth_of(item)
    return not _set_apart(item) and own is not None and own < bid.cpm_micros


def _whole(item: LineItem, site: Site, places: Sequence[Place]) -> bool:
    """Whether all slots that a roadblock means, of those on the site, are on the page and its own."""
    named = {slot.name for slot in site.slot}
    asked = {place.slot.name for place in places}
    unwanted = set(item.target.exclude.slot or ()) if item.target.exclude else set()
    wanted = (asked if item.target.slot is None else named & set(item.target.slot)) - unwanted
    return wanted <= asked and all(
        isinstance(place.decision, Fill) and place.decision.choice.item.name == item.name
        for place in places
        if place.slot.name in wanted
    )
