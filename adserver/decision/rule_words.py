"""A rule that keeps a line item away from a slot → a clause that says so, with the facts in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from adserver.catalog.model import LineItem
from adserver.decision.account import Account
from adserver.decision.context import Reason
from adserver.decision.look import Look, SlotLook
from adserver.decision.target_words import clause, listed
from adserver.money import format_micros

#: Look, slot, position and rule → a clause without its first capital and its full stop.
Teller = Callable[[Look, SlotLook, int, str], str]
_EMPTY: Mapping[Reason, str] = {
    Reason.NO_ELIGIBLE: "Stays empty: no line item that is in flight passes its targeting here.",
    Reason.BELOW_FLOOR: "Stays empty: line items pass, but none pays the slot's floor.",
    Reason.TOPIC_EXCLUDED: "Stays empty: line items pass, but none allows the page's sensitive topic.",
    Reason.NO_SIZE: "Stays empty: the page can show none of the slot's sizes.",
    Reason.REPEATED: "Stays empty: all that pass are on the page already, or kept apart from one that is.",
    Reason.USED_UP: "Stays empty: all that pass have met their goal or spent their budget.",
    Reason.CAPPED: "Stays empty: all that pass have visitor caps, which are reached or cannot be counted.",
    Reason.NO_TURN: "Stays empty: only sponsors or roadblocks pass, and it is the turn of none.",
}


def why_empty(reason: Reason, slot: str, site: str) -> str:
    """Why a slot stays empty."""
    if reason is Reason.UNKNOWN_SITE:
        return f"Stays empty: the catalog has no site {site}."
    if reason is Reason.UNKNOWN_SLOT:
        return f"Stays empty: site {site} has no slot {slot}."
    return _EMPTY.get(reason, f"Stays empty: {reason}.")


def not_approved(item: LineItem) -> str:
    """Why a line item is not even looked at."""
    count = len(item.creative)
    if not count:
        return "Has no creative."
    return (
        f"Has no approved creative: its {count} wait for approval."
        if count > 1
        else "Its creative is not approved."
    )


def price_of(item: LineItem) -> str | None:
    """What was bought: `"4.50 cpm"`."""
    return f"{format_micros(item.price.micros)} {item.price.model}" if item.price else None


def _flight(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    item = look.index.items[position]
    if rule == "paused":
        return "is paused"
    zone = look.index.zones[position]

    def local(at: datetime) -> str:
        return f"{at.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"

    if rule == "not_started" and item.start:
        return f"starts at {local(item.start)}; it is {local(look.now)}"
    return f"ended at {local(item.end)}; it is {local(look.now)}" if item.end else "has ended"


def _place(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    target, name = look.index.items[position].target, rule.removeprefix("not.")
    here = look.context.site if name == "site" else slot.candidates.slot.slot.name
    if rule.startswith("not."):
        return f"excludes {name} {here}"
    return f"is for {name} {listed(getattr(target, name) or ())}; this is {here}"


def _target(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    return clause(look.index.items[position].target, rule.removeprefix("target."), look.context)


def _hours(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    target, zone = look.index.items[position].target, look.index.sites[look.context.site].zone
    hours = target.exclude.hours if rule.startswith("not.") and target.exclude else target.hours
    verb = "excludes" if rule.startswith("not.") else "is for"
    return f"{verb} {listed(hours or ())}; on the site it is {look.now.astimezone(zone):%a %H:%M}"


def _size(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    own = dict.fromkeys(choice.creative.size for choice in look.index.choices[position])
    offered = slot.candidates.slot.slot.sizes
    if not slot.candidates.sizes:
        return f"the page can show none of this slot's sizes, {listed(offered)}"
    return f"has creatives for {listed(list(own), 'and')}; here {listed(slot.candidates.sizes)} can be shown"


def _theme(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    choices = look.index.choices[position]
    fitting = [one.creative for one in choices if one.creative.size in slot.candidates.sizes]
    themes = sorted({str(creative.theme) for creative in fitting})
    given = f"its theme is {look.context.theme}" if look.context.theme else "this page does not say its theme"
    return f"has creatives for the theme {listed(themes)} only; {given}"


def _floor(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    item, floor = look.index.items[position], format_micros(slot.candidates.slot.slot.floor)
    pays = f"pays {price_of(item)}"
    if item.price and item.price.model != "cpm":
        pays += f", an expected {amount(float(look.index.ecpms[position]))} per thousand"
    return f"{pays}; the floor of this slot is {floor}"


def _topic_excluded(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    item, site = look.index.items[position], look.index.sites[look.context.site].site
    topics = [
        topic
        for topic in dict.fromkeys(look.context.topics)
        if topic in site.exclude_topics and topic not in item.allow_topics
    ]
    return f"this page is about {listed(topics, 'and')}, where only those serve that allow it (allow_topics)"


def _repeated(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    item = look.index.items[position]
    where = [one.candidates.slot.slot.name for one in look.slots if one.place == position]
    why = (
        "as often as its limits and caps allow"
        if item.repeat or item.companions
        else "and may stand there once"
    )
    return f"stands on this page already, in {listed(where, 'and')}, {why}"


def _label(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    contenders = look.index.contenders
    labels = contenders[position].labels or frozenset()
    for other in look.slots:
        if other.place is None or other.place < 0 or other.place == position:
            continue
        shared = labels & (contenders[other.place].labels or frozenset())
        if shared:
            name, there = look.index.items[other.place].name, other.candidates.slot.slot.name
            return f"shares the label {listed(sorted(shared), 'and')} with {name}, which stands in {there}"
    return "shares a label with another line item on this page"


def _capped(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    told = f"this visitor has seen it, or its campaign, as often as allowed: {_caps(look, position)}"
    if look.index.together >> position & 1:
        return f"{told}; or so often that not all of its slots are left, which it takes together or not"
    return told


def _not_counted(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    return (
        f"is capped per visitor ({_caps(look, position)}), and nothing may be stored about this one: "
        "the page sends no tally, or consent is refused"
    )


def _no_network(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    return (
        "is a network's, whose code stores and reads for itself, and this reader did not allow that or was "
        "not asked; or this is a passback, after a network had no ad"
    )


def _caps(look: Look, position: int) -> str:
    """All caps that a line item counts under."""
    limits = [
        f"{impressions} in {_span(seconds)}"
        for subject in look.index.contenders[position].subjects or ()
        for impressions, seconds in look.index.caps[subject]
    ]
    return listed(limits, "and")


def _span(seconds: int) -> str:
    for unit, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        count, rest = divmod(seconds, unit)
        if not rest:
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds} seconds"


def _used_up(look: Look, slot: SlotLook, position: int, rule: str) -> str:
    account = look.ledger.accounts[position]
    if account is None or rule == "used_up":
        if look.index.together >> position & 1:
            return "its goal or budget has room left for fewer fills than it has slots, all of which it takes"
        if account is not None and account.lease is not None and account.lease.held <= account.reserved:
            return "the other workers hold what is left of it just now; this one soon asks for a part again"
        return "had no room when scores were last renewed; it competes again within a minute"
    waiting = "" if account.reserved < 1 else f", and {account.reserved} more served and not counted yet"
    if rule == "used_up.goal":
        goal = f"{account.goal or 0:,} {account.unit}"
        return f"its goal of {goal} is reached: {account.counted:,} counted{waiting}"
    if rule != "used_up.goal" and account.flat_micros:
        return _no_day_left(account, rule)
    if rule == "used_up.budget":
        return f"its budget of {_money(account.budget)} is spent: {_money(account.spent)} earned{waiting}"
    waiting = (
        "" if account.day_reserved < 1 else f", and {account.day_reserved} fills of today not counted yet"
    )
    budget, spent = _money(account.daily_budget), _money(account.day_spent)
    return f"its daily budget of {budget} is spent: {spent} earned today{waiting}"


def _money(micros: int | None) -> str:
    return format_micros(micros or 0)


def amount(value: float, decimals: int = 2) -> str:
    """Currency units with two decimals: more for what would be nothing else, none for what is large."""
    if abs(value) >= MORE_THAN_ANY_PRICE:
        return f"{value:,.0f}"
    while decimals < MOST_DECIMALS and value and abs(value) < 10**-decimals:
        decimals += 1
    return f"{value:.{decimals}f}"


def amounts(one: float, other: float) -> tuple[str, str]:
    """Two amounts with as many decimals as it takes to tell them apart."""
    decimals = 2
    while decimals < MOST_DECIMALS and one != other and f"{one:.{decimals}f}" == f"{other:.{decimals}f}":
        decimals += 1
    return amount(one, decimals), amount(other, decimals)


#: A line item far behind its goal bids more than anybody could pay; its cents do not matter.
MORE_THAN_ANY_PRICE = 10_000
#: Beyond so many decimals two amounts that differ are shown as equal.
MOST_DECIMALS = 6
TELLERS: Mapping[str, Teller] = {
    "label": _label,
    "capped": _capped,
    "no_consent_to_count": _not_counted,
    "no_consent_to_network": _no_network,
    "used_up": _used_up,
    "repeated": _repeated,
    "topic_excluded": _topic_excluded,
    "floor": _floor,
    "theme": _theme,
    "size": _size,
    "hours": _hours,
    "target": _target,
    "slot": _place,
    "site": _place,
    "ended": _flight,
    "not_started": _flight,
    "paused": _flight,
}


def _no_day_left(account: Account, rule: str) -> str:
    name, budget, earned = "budget", account.budget, account.spent
    if rule == "used_up.daily_budget":
        name, budget, earned = "daily budget", account.daily_budget, account.day_spent
    a_day = _money(account.flat_micros)
    return f"its {name} of {_money(budget)} has no room for another day at {a_day}: {_money(earned)} earned"
