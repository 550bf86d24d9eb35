"""A form, and what somebody else made of its object meanwhile → the form with both, and where they differ.

What only one of the two has changed stays as that one left it. What both have changed is shown as it was
typed, beside what the other made of it: whoever saves last has seen both.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from adserver.console.field_list import DIMENSIONS, Field
from adserver.console.fields import Body, Inputs, Shown, shown, typed, untouched
from adserver.console.forms import Form

#: Of a long text, enough to know it by.
_MOST_CHARS = 200


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """A field that somebody else has changed; `yours` is empty where it was not touched here."""

    label: str
    before: str
    theirs: str
    yours: str


def reconciled(
    kind: str, base: Body, now: Body, form: Form, zone: ZoneInfo
) -> tuple[list[Shown], list[Meanwhile]]:
    """The fields to show again, and what the other has changed. `base`: what the form began with."""
    fields, found = [], []
    news = shown(kind, now, zone)
    for old, new, own in zip(shown(kind, base, zone), news, typed(news, form), strict=True):
        inputs: dict[str, str] = {}
        for part in _parts(new):
            was, theirs, yours = (
                {name: one.inputs.get(name, "") for name in part} for one in (old, new, own)
            )
            touched = not untouched(Shown(old.field, was), Shown(own.field, yours))
            inputs |= yours if touched else theirs
            if theirs != was:
                given = _said(yours, new.field) if touched and yours != theirs else ""
                label = _label(new.field, part)
                found.append(Meanwhile(label, _said(was, new.field), _said(theirs, new.field), given))
        fields.append(Shown(new.field, inputs))
    return fields, found


def _parts(shown: Shown) -> list[list[str]]:
    """The inputs of a field, those together that say one thing, as an amount and its unit do."""
    if shown.field.kind in ("amount_of", "count_of"):
        return [list(shown.inputs)]
    return [[name] for name in shown.inputs]


def _label(field: Field, part: list[str]) -> str:
    inner = part[0].removeprefix(f"{field.key}-")
    if inner == part[0]:
        return field.label
    return f"{field.label}: {DIMENSIONS[inner][0].lower() if inner in DIMENSIONS else inner}"


def _said(inputs: Inputs, field: Field) -> str:
    if field.kind == "check":
        return "yes" if "on" in inputs.values() else "no"
    text = " ".join(filter(None, inputs.values())).replace("\n", ", ")
    return f"{text[:_MOST_CHARS]}…" if len(text) > _MOST_CHARS else text or "nothing"
