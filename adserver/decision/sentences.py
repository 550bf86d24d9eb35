"""A rule, a line item and a slot → one sentence for ad ops, with the facts in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isnan

from adserver.catalog.model import Tier
from adserver.decision.context import BidFill, HeaderBid
from adserver.decision.draft import BID, worth_of
from adserver.decision.look import Look, SlotLook
from adserver.decision.replay import How, score_of
from adserver.decision.rule_words import MORE_THAN_ANY_PRICE, TELLERS, amount, amounts, price_of, why_empty
from adserver.decision.target_words import listed
from adserver.decision.verdicts import Verdicts
from adserver.money import format_micros

_Teller = Callable[[SlotLook, int, str], str]


class Sentences:
    """Words for one page that was looked at and judged."""

    def __init__(self, look: Look, verdicts: Verdicts) -> None:
        self._look = look
        self._index = look.index
        self._verdicts = verdicts
        self._of_page: dict[tuple[str, int], str] = {}
        self._tellers: Mapping[str, _Teller] = {
            "won": self._won,
            "outbid": self._outbid,
            "tied": self._tied,
            "companion": self._taken,
            "roadblocked": self._taken,
            "sponsored": self._taken,
            "share": self._share,
            "roadblock": self._roadblock,
            "resting": self._resting,
        }

    def of(self, slot: SlotLook, position: int, rule: str) -> str:
        """Why a line item won a slot or did not; `rule` as it was judged."""
        stem = rule.removeprefix("not.").partition(".")[0]
        if stem in self._tellers:
            told = self._tellers[stem](slot, position, rule)
        elif stem in ("size", "theme", "floor", "slot", "label", "repeated", "topic_excluded"):
            told = TELLERS[stem](self._look, slot, position, rule)
        else:
            told = self._of_page.get((rule, position)) or TELLERS[stem](self._look, slot, position, rule)
            self._of_page[rule, position] = told
        return f"{told[0].upper()}{told[1:]}."

    def of_slot(self, slot: SlotLook) -> str:
        """What became of a slot."""
        decision = self._look.page.decisions[slot.number]
        if isinstance(decision, BidFill):
            offer = format_micros(decision.bid.cpm_micros)
            return f"Goes to the header bid {decision.bid.bid}, at {offer} {self._currency}."
        if slot.place is None:
            assert not hasattr(decision, "choice"), "a slot without a place stays empty"
            return why_empty(decision.reason, slot.candidates.slot.slot.name, self._look.context.site)
        return f"Goes to {self._name(slot.place)}."

    def of_bid(self, slot: SlotLook, bid: HeaderBid, rule: str) -> str:
        """What became of a header bid."""
        offers = f"Offers {format_micros(bid.cpm_micros)}"
        if rule == "won":
            return f"{offers}, more than any line item that may serve here."
        if rule == "floor":
            return f"{offers}; the floor of this slot is {format_micros(slot.candidates.slot.slot.floor)}."
        if rule == "size":
            return f"Is for size {bid.size}; here {listed(slot.candidates.sizes) or 'none'} can be shown."
        return f"{offers}; {self._winner(slot, bid.cpm_micros / 1e6)}."

    @property
    def _currency(self) -> str:
        return self._index.sites[self._look.context.site].site.currency

    def _name(self, place: int) -> str:
        return self._index.items[place].name

    def _winner(self, slot: SlotLook, score: float) -> str:
        """Who won a slot, with a score that shows the difference to another."""
        place, highest = slot.place, score_of(self._look, slot)
        if place is None:
            return "nothing serves here"
        if place == BID:
            decision = self._look.page.decisions[slot.number]
            assert isinstance(decision, BidFill), "a slot that a bid won is filled by that bid"
            return f"the header bid {decision.bid.bid} offers {amounts(highest, score)[0]}"
        step = self._verdicts.step_of[slot.number]
        if step.how is not How.SCORE or slot.number != step.numbers[0]:
            return self._taken(slot, place, "")
        return f"{self._name(place)} scored {amounts(highest, score)[0]}"

    def _bidding(self, slot: SlotLook, position: int, score: str) -> str:
        """How a line item comes to its score."""
        item, standing = self._index.items[position], self._look.standing
        if item.tier is Tier.HOUSE:
            return "is a house ad, which comes after everything that pays"
        if not isnan(float(standing.bids[position])):
            bid = score if float(slot.scores[position]) < MORE_THAN_ANY_PRICE else "above all prices"
            return f"bids {bid} to meet its goal{self._progress(position)}"
        ecpm, multiplier = float(slot.ecpms[position]), float(standing.multipliers[position])
        price = price_of(item)
        worth = f"scored {score}" if price is None else f"scored {score} from its price of {price}"
        if position in self._index.units_paid:
            worth += f", an expected {amount(ecpm)} per thousand"
        elif item.price and item.price.model == "flat":
            worth += ", which is not paid by impression or click and so counts as nothing here"
        if multiplier != 1.0:
            worth += f", times {multiplier:.2f} so that its budget lasts"
        return worth

    def _progress(self, position: int) -> str:
        """How much of a goal is counted, in brackets; nothing where there is none."""
        account = self._look.ledger.accounts[position]
        if account is None or account.goal is None:
            return ""
        item, now = self._index.items[position], self._look.now
        told = f"{account.counted:,} of {account.goal:,} {account.unit} counted"
        if item.start and item.end:
            gone = (now - item.start) / (item.end - item.start)
            told += f", {100 * min(1.0, max(0.0, gone)):.0f} % of its flight over"
        return f" ({told})"

    def _won(self, slot: SlotLook, position: int, rule: str) -> str:
        step = self._verdicts.step_of[slot.number]
        if step.how is How.SPONSOR_SET:
            return f"this page was its turn: it has {self._percent(position)} of pages, with all of its slots"
        if slot.number != step.numbers[0] and step.how is not How.ROADBLOCK:
            return (
                f"stands beside itself: it won {self._slot_name(step.numbers[0])} and takes its other slots"
            )
        if step.how is How.SPONSOR:
            turn = self._verdicts.replay.turns[slot.number]
            if turn.owner != position:
                return "takes a turn that it is owed, since it could not take one that was its own"
            return f"it was its turn: it has {self._percent(position)} of this slot's requests"
        if step.how is How.ROADBLOCK:
            return "takes all of its slots, with which the page is worth more than without"
        score = float(slot.scores[position])
        return f"{self._bidding(slot, position, amount(score))}; nothing that may serve here scored more"

    def _outbid(self, slot: SlotLook, position: int, rule: str) -> str:
        score = float(slot.scores[position])
        mine = amounts(score, score_of(self._look, slot))[0]
        return f"{self._bidding(slot, position, mine)}; {self._winner(slot, score)}"

    def _tied(self, slot: SlotLook, position: int, rule: str) -> str:
        if slot.place is not None and self._index.items[position].tier is Tier.HOUSE:
            return f"is a house ad like {self._name(slot.place)}; lots were drawn"
        score = float(slot.scores[position])
        return f"{self._bidding(slot, position, amount(score))}, the same as the winner; lots were drawn"

    def _resting(self, slot: SlotLook, position: int, rule: str) -> str:
        what = "its goal" if self._index.items[position].goal else "its budget"
        return f"is ahead of its time, and rests so that {what} lasts{self._progress(position)}"

    def _taken(self, slot: SlotLook, position: int, rule: str) -> str:
        """A slot that went to somebody without a comparison of scores."""
        step = self._verdicts.step_of[slot.number]
        assert slot.place is not None, "a slot that was taken is not empty"
        name, first = self._name(slot.place), self._slot_name(step.numbers[0])
        if slot.number != step.numbers[0] and step.how not in (How.SPONSOR_SET, How.ROADBLOCK):
            return f"the slot went to {name}, which won {first} and takes its other slots"
        if step.how in (How.SPONSOR, How.SPONSOR_SET):
            return f"the slot went to the sponsor {name}, whose turn it was"
        return (
            f"the slot went to {name}, which takes all of its slots at once: the page is worth more with it"
        )

    def _share(self, slot: SlotLook, position: int, rule: str) -> str:
        together = self._index.together >> position & 1
        what = "pages" if together else "this slot's requests"
        mine = f"has {self._percent(position)} of {what}"
        turn = self._verdicts.replay.set_turn if together else self._verdicts.replay.turns.get(slot.number)
        if turn is None:
            return f"{mine}; {self._taken(slot, position, rule)}"
        if turn.owner == position:
            return f"{mine}, and it was its turn, but not all of its slots were free"
        if turn.winner is not None:
            return f"{mine}; this was the turn of {self._name(turn.winner)}"
        if turn.owner is not None:
            return f"{mine}; this was the turn of {self._name(turn.owner)}, which could not take it"
        return f"{mine}; this was no sponsor's turn"

    def _roadblock(self, slot: SlotLook, position: int, rule: str) -> str:
        found = self._verdicts.replay.sets.get(position)
        if found is None:
            return f"takes all of its slots or none: {self._incomplete(position)}"
        takes = f"takes all of its {len(found.numbers)} slots or none"
        for other in self._look.slots:
            step = self._verdicts.step_of[other.number]
            if other.number in found.numbers and step.how in (How.SPONSOR_SET, How.SPONSOR, How.ROADBLOCK):
                what = "roadblock" if step.how is How.ROADBLOCK else "sponsor"
                assert other.place is not None, "a slot that was taken is not empty"
                name = self._slot_name(other.number)
                return f"{takes}, and {name} went to the {what} {self._name(other.place)}"
        mine_there = [s for s in self._look.slots if s.number in found.numbers and s.place is not None]
        there = sum(worth_of(score_of(self._look, s)) for s in mine_there)
        mine, theirs = amounts(found.worth, there)
        weighed = "" if found.worth <= there else ", or better roadblocks were weighed before"
        return (
            f"{takes}, and scored {mine} in them together; what serves there now scored {theirs}, "
            f"and the page as a whole is worth more without it{weighed}"
        )

    def _incomplete(self, position: int) -> str:
        """Which of a roadblock's slots it cannot have on this page."""
        wanted = self._index.items[position].target.slot
        here = self._index.sites[self._look.context.site].slots
        names = {slot.candidates.slot.slot.name for slot in self._look.slots}
        missing = [name for name in wanted or () if name in here and name not in names]
        if missing:
            return f"this page does not ask for {listed(missing, 'and')}"
        shut = [
            slot.candidates.slot.slot.name
            for slot in self._look.slots
            if not slot.candidates.eligible >> position & 1
            and (wanted is None or slot.candidates.slot.slot.name in wanted)
        ]
        return f"it cannot serve in {listed(list(dict.fromkeys(shut)), 'and')} (see there)"

    def _percent(self, position: int) -> str:
        return f"{100 * (self._index.items[position].share or 0.0):.4g} %"

    def _slot_name(self, number: int) -> str:
        return self._look.asks[number].slot
