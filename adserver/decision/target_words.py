"""A rule of a target that a page fails → what is asked for, and what the page has instead, in words."""

from __future__ import annotations

from collections.abc import Sequence

from adserver.catalog.model import LineItem, Tier
from adserver.catalog.targeting import Conditions, Facts, Group, Target, page_address
from adserver.decision.context import Context
from adserver.decision.targets import Targets

#: So many values of a list are named; the rest is counted.
_MOST_NAMED = 5
#: Longest value that is shown whole, in characters.
_MOST_CHARS = 80


def clause(target: Target | Group, rule: str, context: Context) -> str:
    """What a page fails by: `"asks for country NP or IN; this page is from US"`.

    `rule` is as `Targets.first_failed` names it.
    """
    if rule in ("any", "all"):
        return _groups(rule, getattr(target, rule) or (), context)
    unwanted = rule.startswith("not.")
    name = rule.removeprefix("not.")
    facts: Facts | None = target.exclude if unwanted else target
    assert facts, "a rule that was failed is in the target"
    verb = "excludes" if unwanted else "asks for"
    return f"{verb} {_asked(facts, name)}; {fact(context, name)}"


def listed(values: Sequence[str], word: str = "or") -> str:
    """`"a, b or c"`, and how many more there are."""
    named = [_short(value) for value in values[:_MOST_NAMED]]
    if len(values) > _MOST_NAMED:
        return f"{', '.join(named)} {word} {len(values) - _MOST_NAMED} more"
    return f" {word} ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else "".join(named)


def fact(context: Context, name: str) -> str:
    """What a page says of itself in one dimension."""
    if name.startswith("values."):
        key = name.removeprefix("values.")
        given = (context.values or {}).get(key, ())
        texts = [given] if isinstance(given, str) else list(given)
        return (
            f"this page has {_short(key)} = {listed(texts, 'and')}"
            if texts
            else f"this page gives no {_short(key)}"
        )
    if name == "section":
        return (
            f"this page is in section {_short(context.section)}"
            if context.section
            else "this page has no section"
        )
    if name == "topic":
        topics = listed(list(dict.fromkeys(context.topics)), "and")
        return f"this page is about {topics}" if topics else "this page gives no topics"
    if name == "url":
        address = page_address(context.url or "")
        return f"this page is {_short(address)}" if address else "the address of this page is not known"
    if name == "country":
        return f"this page is from {context.country}" if context.country else "the country is not known"
    return f"this page is on {context.device}" if context.device else "the kind of device is not known"


def _asked(facts: Facts, name: str) -> str:
    if name.startswith("values."):
        key = name.removeprefix("values.")
        return f"{_short(key)} = {listed((facts.values or {})[key])}"
    word = {"url": "address"}.get(name, name)
    return f"{word} {listed(getattr(facts, name))}"


def _groups(rule: str, groups: Sequence[Group], context: Context) -> str:
    """Why each of the groups fails that does."""
    failed = [(number, _failing(group, context)) for number, group in enumerate(groups, start=1)]
    told = [f"({number}) {why}" for number, why in failed if why]
    if rule == "all" and len(groups) == 1:
        return f"needs its one group (all), which {failed[0][1]}"
    if rule == "all":
        return f"needs all of its {len(groups)} groups (all), and this page fails {' '.join(told)}"
    if len(groups) == 1:
        return f"needs its one alternative (any), which {failed[0][1]}"
    return f"needs one of its {len(groups)} alternatives (any), and this page fails each: {' '.join(told)}"


def _failing(group: Group, context: Context) -> str | None:
    """What a page fails a group by; None if it passes. The group is asked as if it were a whole target."""
    given = {name: getattr(group, name) for name in Group.model_fields}
    if group.exclude:
        given["exclude"] = Conditions.model_construct(**dict(group.exclude))
    target = Target.model_construct(**given)
    targets = Targets([LineItem.model_construct(name="group", tier=Tier.HOUSE, target=target)])
    page = context
    key = targets.key(page.section, page.topics, page.values, page.url, page.country, page.device, ())
    rule = targets.first_failed(0, key)
    return None if rule is None else clause(group, rule, context)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[: _MOST_CHARS - 1]}…"
