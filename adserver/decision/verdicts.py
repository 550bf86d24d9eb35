"""A page that was looked at → for each slot and line item of the index, the first rule that it failed there.

The rules are asked, not written again: the bitmaps of the index, in the order in which they narrow down who
is eligible, and then a draft of the page that is filled step by step as the decision filled it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

from adserver.catalog.model import LineItem, Tier
from adserver.catalog.targeting import MINUTES_PER_DAY, parse_hours
from adserver.clock import to_us
from adserver.decision.candidates import ids
from adserver.decision.draft import BID, Draft
from adserver.decision.look import Look, SlotLook
from adserver.decision.replay import How, Replay, Step, replay, score_of
from adserver.decision.standing import RESTING

WON = "won"
NOT_APPROVED = "not_approved"
#: Rules from the last that a line item can fail to the first; a rule with a dot counts as what is before it.
RULES = (
    WON,
    "tied",
    "outbid",
    "companion",
    "roadblocked",
    "sponsored",
    "share",
    "roadblock",
    "resting",
    "label",
    "capped",
    "no_consent_to_count",
    "used_up",
    "repeated",
    "topic_excluded",
    "floor",
    "theme",
    "size",
    "no_consent_to_network",
    "hours",
    "target",
    "slot",
    "site",
    "ended",
    "not_started",
    "paused",
    NOT_APPROVED,
)
_FURTHEST = {rule: number for number, rule in enumerate(RULES)}
#: By which rule a slot goes to another line item without a comparison of scores.
_TAKEN = {How.SPONSOR_SET: "sponsored", How.SPONSOR: "sponsored", How.ROADBLOCK: "roadblocked"}
#: A limit → its rule; what a line item has beside it is left out to see whether this is the one.
_LIMITS = {"goal": "used_up.goal", "budget": "used_up.budget", "daily_budget": "used_up.daily_budget"}


def distance(rule: str) -> int:
    """How far from winning a line item was that failed a rule: 0 for the winner."""
    return _FURTHEST[rule.removeprefix("not.").partition(".")[0]]


class Verdicts(NamedTuple):
    """What was found of a page."""

    rules: Mapping[int, Sequence[str]]
    """Number of the slot → the rule that each line item failed there, by position."""
    replay: Replay
    step_of: Mapping[int, Step]
    """Number of the slot → the step in which it was filled."""
    draft: Draft
    """The page as it is in the end."""


def judge(look: Look, only: int | None = None) -> Verdicts:
    """Find the first rule that each line item of the index failed in each slot that the catalog knows.

    `only`: position of the only line item asked about; the others are left empty, which saves time.
    """
    return _Court(look, only).judge()


class _Court:
    def __init__(self, look: Look, only: int | None) -> None:
        self._look = look
        self._asked = (1 << len(look.index.items)) - 1 if only is None else 1 << only
        self._index = look.index
        self._replay = replay(look)
        now_s = to_us(look.now) // 1_000_000
        self._draft = Draft(look.index, look.ledger, look.standing, look.tally, now_s, look.page.blocked)
        self._standing: set[int] = set()
        """Who stands on the page so far."""
        self._set_rules: dict[int, str] = {}
        """What keeps each roadblock away, by position."""
        self._first_failed: dict[tuple[str, int], str] = {}
        self._slots = {slot.number: slot for slot in look.slots}
        self._step_of = {number: step for step in self._replay.steps for number in step.numbers}

    def judge(self) -> Verdicts:
        rules = {slot.number: self._by_index(slot) for slot in self._look.slots}
        steps, weighed = self._replay.steps, False
        self._judge_sets(sponsors=True)
        for step in steps:
            if step.how in (How.SCORE, How.NOBODY) and not weighed:
                weighed = True
                self._judge_sets(sponsors=False)
            for number in step.numbers:
                self._by_page(rules[number], self._slots[number], step)
            self._place(step)
        if not weighed:
            self._judge_sets(sponsors=False)
        together = set(ids(self._index.together))
        for number, found in rules.items():
            for position, rule in enumerate(found):
                if not rule and position in together:
                    found[position] = self._set_rules.get(position) or self._no_set(position)
            silent = [position for position in ids(self._asked) if not found[position]]
            assert not silent, f"line items {silent} are not accounted for in slot {number}"
        return Verdicts(rules, self._replay, self._step_of, self._draft)

    def _place(self, step: Step) -> None:
        if step.place is None or step.place == BID:
            return
        contender = self._index.contenders[step.place]
        if step.how in (How.SPONSOR_SET, How.ROADBLOCK):
            self._draft.place_set(step.numbers, contender)
        else:
            for number in step.numbers:
                self._draft.place(number, contender)
        self._standing.add(step.place)

    def _by_index(self, slot: SlotLook) -> list[str]:
        """What the bitmaps say; empty for whom they let pass."""
        found = [""] * len(self._index.items)
        left = self._asked
        for gate, bits, name in self._gates(slot):
            for position in ids(left & ~bits):
                key = (gate, position)
                # All but the rules about the slot hold for the whole page.
                rule = self._first_failed.get(key)
                if rule is None:
                    rule = name(position)
                    if gate not in ("slot", "size"):
                        self._first_failed[key] = rule
                found[position] = rule
            left &= bits
        assert left == slot.candidates.eligible & self._asked, (
            "the rules that are explained are those that decide"
        )
        return found

    def _gates(self, slot: SlotLook) -> Iterator[tuple[str, int, Callable[[int], str]]]:
        """In order: each rule, whom it lets pass, and what to call it for one that it does not."""
        look, index, candidates = self._look, self._index, slot.candidates
        key, now_us = look.key, to_us(look.now)
        assert key, "a slot that is known is on a site that is known"
        site, name, items = index.sites[key.site], candidates.slot.slot.name, index.items
        flights, hours, targets = index.flights, index.hours, index.targets
        yield "flight", flights.live(flights.segment(now_us)), lambda p: flight_rule(items[p], look.now)
        yield "site", targets.site(key.site), lambda p: _place_rule(items[p], "site", key.site)
        yield "slot", targets.slot(name), lambda p: _place_rule(items[p], "slot", name)
        target = partial(targets.first_failed, key=key.target)
        yield "target", targets.passing(key.target), lambda p: f"target.{target(p)}"
        open_now = hours.admitted(hours.segment(site.zone, now_us))
        yield "hours", open_now, lambda p: hours_rule(items[p], look.now, site.zone)
        yield "no_consent_to_network", index.consented_to(key), lambda _: "no_consent_to_network"
        fitting = _fitting(slot, [key.theme])
        yield "size", _fitting(slot, (None, "light", "dark")), lambda _: "size"
        yield "theme", fitting, lambda _: "theme"
        yield "floor", candidates.slot.paying, lambda _: "floor"
        yield "topic_excluded", ~index.sensitive_to(key), lambda _: "topic_excluded"

    def _by_page(self, found: list[str], slot: SlotLook, step: Step) -> None:
        """What keeps those away that pass all else, as the page stands when its turn comes."""
        for position in ids(slot.candidates.eligible & self._asked):
            if position == slot.place:
                found[position] = WON
            elif not self._index.together >> position & 1:
                found[position] = self._kept_away(position) or self._beaten(position, slot, step)

    def _rests(self, position: int) -> bool:
        return bool(self._look.standing.bids[position] == RESTING)

    def _no_set(self, position: int) -> str:
        """What keeps away a roadblock that could not stand in all of its slots, or was not to."""
        kept_away = self._kept_away(position) if self._rests(position) else None
        return kept_away or "roadblock"

    def _kept_away(self, position: int) -> str | None:
        """What is on the page, caps or limits: the parts of `Draft.forbidden`, in its order."""
        contender = self._index.contenders[position]
        if not self._draft.forbidden(contender):
            return "resting" if self._rests(position) else None
        if self._look.ledger.closed[position] and position not in self._standing:
            return self._used_up(position)
        if position in self._standing:
            return "repeated"
        if contender.subjects is not None:
            if self._look.tally is None:
                return "no_consent_to_count"
            if not self._draft.blocked.isdisjoint(contender.subjects):
                return "capped"
        return "label"

    def _used_up(self, position: int) -> str:
        """Which of its limits leaves a line item no room."""
        account = self._look.ledger.accounts[position]
        if account is None:
            return "used_up"
        for limit, rule in _LIMITS.items():
            others = dict.fromkeys([*_LIMITS.keys() - {limit}, "lease"])
            if getattr(account, limit) is not None and replace(account, **others).room() < 1:  # type: ignore[arg-type]  # names of its fields
                return rule
        return "used_up"

    def _beaten(self, position: int, slot: SlotLook, step: Step) -> str:
        if self._index.items[position].tier is Tier.SPONSORSHIP:
            return "share"
        if step.how in _TAKEN:
            return _TAKEN[step.how]
        if slot.number != step.numbers[0]:
            return "companion"
        score, highest = float(slot.scores[position]), score_of(self._look, slot)
        # A line item that had no room when scores were last renewed is not ranked until they are again.
        return "used_up" if score > highest else "tied" if score == highest else "outbid"

    def _judge_sets(self, *, sponsors: bool) -> None:
        """What keeps away those roadblocks that could stand in all of their slots."""
        for position, found in self._replay.sets.items():
            is_sponsor = self._index.items[position].tier is Tier.SPONSORSHIP
            if is_sponsor != sponsors or position in self._standing:
                continue
            if any(self._step_of[number].how in _TAKEN for number in found.numbers):
                continue  # to sponsors or another roadblock, which is what there is to say
            rule = self._kept_away(position)
            if rule is None and self._draft.room(found.contender) < len(found.numbers):
                rule = self._no_room(position, len(found.numbers))
            self._set_rules[position] = rule or ("share" if sponsors else "roadblock")

    def _no_room(self, position: int, count: int) -> str:
        """Whether it is limits or caps that leave a roadblock too little room for all of its slots."""
        return "used_up" if self._look.ledger.room(position) < count else "capped"


def flight_rule(item: LineItem, now: datetime) -> str:
    """Why a line item is not in flight."""
    if item.paused:
        return "paused"
    return "not_started" if item.start and now < item.start else "ended"


def _place_rule(item: LineItem, kind: str, name: str) -> str:
    wanted = getattr(item.target, kind)
    return kind if wanted is not None and name not in wanted else f"not.{kind}"


def hours_rule(item: LineItem, now: datetime, zone: ZoneInfo) -> str:
    """Whether it is `hours` or `not` hours that a line item fails."""
    local = now.astimezone(zone)
    minute = local.weekday() * MINUTES_PER_DAY + local.hour * 60 + local.minute
    wanted = item.target.hours
    inside = wanted is None or any(
        start <= minute < end for text in wanted for start, end in parse_hours(text)
    )
    return "not.hours" if inside else "hours"


def _fitting(slot: SlotLook, themes: Iterable[str | None]) -> int:
    """Who has a creative in a size that slot and page can show, for one of these themes."""
    bits = 0
    for theme in themes:
        for size in slot.candidates.sizes:
            bits |= slot.candidates.slot.fitting[size, theme]
    return bits
