"""A rule that a line item failed, as `decision.verdicts` names it → the few words by which people know it."""

from __future__ import annotations

from collections.abc import Mapping

_NAMES: Mapping[str, str] = {
    "won": "Serves",
    "tied": "Equal score, lost by lot",
    "outbid": "Outbid",
    "companion": "Went to a companion",
    "roadblocked": "Went to a roadblock",
    "sponsored": "Went to a sponsor",
    "share": "Not its turn",
    "roadblock": "Not all of its slots were free",
    "resting": "Ahead of its time",
    "label": "Label is on the page already",
    "capped": "Visitor's cap reached",
    "no_consent_to_count": "Caps cannot be counted",
    "used_up": "No room left",
    "used_up.goal": "Goal reached",
    "used_up.budget": "Budget spent",
    "used_up.daily_budget": "Budget of the day spent",
    "repeated": "On the page already",
    "topic_excluded": "Sensitive topic",
    "floor": "Below the floor",
    "theme": "No creative for this theme",
    "size": "No creative in a size that fits",
    "no_consent_to_network": "No network may be asked",
    "hours": "Outside its hours",
    "slot": "Other slots",
    "site": "Other sites",
    "ended": "Ended",
    "not_started": "Not started",
    "paused": "Paused",
    "not_approved": "No approved creative",
    "section": "Section",
    "topic": "Topic",
    "url": "Page address",
    "country": "Country",
    "device": "Device",
    "any": "None of its alternatives",
    "all": "Not all of its groups",
}


def rule_name(rule: str) -> str:
    """`"target.not.country"` → `"Excluded: country"`."""
    stem = rule.removeprefix("target.")
    excluded, stem = stem.startswith("not."), stem.removeprefix("not.")
    name = _NAMES.get(stem) or _NAMES.get(stem.partition(".")[0]) or stem.removeprefix("values.")
    return f"Excluded: {name.lower()}" if excluded else name


#: What keeps a line item from pages, in a few kinds, and what each is called.
KINDS: Mapping[str, str] = {
    "serves": "Serves",
    "ahead": "Ahead of its time",
    "contest": "Others came first",
    "limits": "Goal, budget, cap or label",
    "target": "Targeting",
    "creative": "Creatives",
    "paused": "Paused",
}
_KIND_OF: Mapping[str, str] = {
    "won": "serves",
    "resting": "ahead",
    **dict.fromkeys(("capped", "no_consent_to_count", "used_up", "label", "repeated"), "limits"),
    **dict.fromkeys(("theme", "size", "not_approved"), "creative"),
    **dict.fromkeys(("target", "hours", "slot", "site", "topic_excluded", "no_consent_to_network"), "target"),
    "paused": "paused",
}


def kind_of(rule: str) -> str:
    """The kind, of `KINDS`, that a rule is of."""
    return _KIND_OF.get(rule.removeprefix("not.").partition(".")[0], "contest")
