"""pydantic's errors → plain sentences at keys of the catalog file, for people who sell ads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from adserver.catalog.keys import Finding, Loc
from adserver.catalog.model import Catalog
from adserver.catalog.nearest import nearest
from adserver.catalog.part import RULE
from adserver.catalog.targeting import Place

_SPAN = 'a span of minutes, hours or days such as "30m", "12h" or "7d"'
#: What a text has to look like, by the key that it stands at.
_LOOKS = {
    "name": "a name (lower-case letters, digits, '.', '_' and '-', at most 63, the first a letter or digit)",
    "size": 'a size such as "970x250"',
    "sizes": 'a size such as "970x250"',
    "domain": 'a domain such as "news.example"',
    "currency": 'a currency code such as "USD"',
    "id": "an id of letters, digits and . _ ! | -, at most 64",
    "categories": 'a category of IAB content taxonomy 1.0 such as "IAB13" or "IAB13-4"',
    "per": _SPAN,
    "click": _SPAN,
    "view": _SPAN,
    "type": 'a MIME type such as "video/mp4"',
    "client": 'a publisher of AdSense such as "ca-pub-1234567890123456"',
    "unit": 'the number of an ad unit such as "1234567890"',
}
_INSTANT = "a date and time such as 2026-11-01T00:00:00"
_SENTENCES: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "missing": lambda given, more: "is missing",
    "string_type": lambda given, more: f"{_shown(given)} is not text",
    "string_too_short": lambda given, more: "is empty",
    "string_too_long": lambda given, more: f"is longer than {more['max_length']} characters",
    "string_unicode": lambda given, more: "has characters that are not Unicode",
    "tuple_type": lambda given, more: f"{_shown(given)} is not a list",
    "dict_type": lambda given, more: f"{_shown(given)} is not a table",
    "model_type": lambda given, more: f"{_shown(given)} is not a table",
    "too_short": lambda given, more: "is empty",
    "too_long": lambda given, more: f"has more than {more['max_length']} elements",
    "bool_type": lambda given, more: f"{_shown(given)} is not true or false",
    "int_type": lambda given, more: f"{_shown(given)} is not a whole number",
    "float_type": lambda given, more: f"{_shown(given)} is not a number",
    "finite_number": lambda given, more: f"{_shown(given)} is not a number",
    "greater_than": lambda given, more: f"{_shown(given)} is not more than {_bound(more['gt'])}",
    "greater_than_equal": lambda given, more: f"{_shown(given)} is less than {_bound(more['ge'])}",
    "less_than_equal": lambda given, more: f"{_shown(given)} is more than {_bound(more['le'])}",
    "enum": lambda given, more: f"{_shown(given)} is not one of {_listed(more['expected'])}",
    "literal_error": lambda given, more: f"{_shown(given)} is not one of {_listed(more['expected'])}",
    "timezone_aware": lambda given, more: f"{_shown(given)} has no offset such as +05:45",
    "datetime_type": lambda given, more: f"{_shown(given)} is not {_INSTANT}",
    "datetime_parsing": lambda given, more: f"{_shown(given)} is not {_INSTANT}",
    "datetime_from_date_parsing": lambda given, more: f"{_shown(given)} is not {_INSTANT}",
}


def validation_findings(error: ValidationError) -> list[Finding]:
    """Each of pydantic's errors about a `Catalog` as a place and a sentence."""
    return [_finding(fault) for fault in error.errors(include_url=False) if not _follows(fault)]


def _follows(fault: Any) -> bool:
    """Whether a list is only too short because of elements that have faults of their own."""
    return bool(fault["type"] == "too_short" and len(fault["input"]) > 0)


def _finding(fault: Any) -> Finding:
    loc: Loc = fault["loc"]
    if loc[-1:] == ("[key]",):
        return loc[:-2], f"has the key {_shown(loc[-2])}, which {_sentence(fault, loc)}"
    return loc, _sentence(fault, loc)


def _sentence(fault: Any, loc: Loc) -> str:
    kind, given, more = fault["type"], fault["input"], fault.get("ctx", {})
    if kind == RULE:
        return str(fault["msg"])
    if kind == "value_error":
        return str(more["error"])
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "string_pattern_mismatch":
        key = next(step for step in reversed(loc) if isinstance(step, str))
        return f"{_shown(given)} is not {_LOOKS[key]}"
    known = _SENTENCES.get(kind)
    return known(given, more) if known else str(fault["msg"])


def _unknown_key(loc: Loc) -> str:
    key, owners = str(loc[-1]), loc[:-1]
    if key in Place.model_fields and ("any" in owners or "all" in owners):
        return "stays at the top of target: groups are about pages and visitors"
    if key in ("any", "all", "not") and "not" in owners:
        return "cannot stand in not"
    return f"unknown key{nearest(key, _known_keys(loc))}"


def _known_keys(loc: Loc) -> list[str]:
    """The keys that the object has in which an unknown one stands."""
    part: type[BaseModel] = Catalog
    for step in loc[:-1]:
        if isinstance(step, str):
            field = next(f for name, f in part.model_fields.items() if step in (name, f.alias))
            part = _model_in(field.annotation)
    return [field.alias or name for name, field in part.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel]:
    """The model in `X`, `X | None`, `tuple[X, ...]` or `tuple[X, ...] | None`."""
    while not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        annotation = annotation.__args__[0]
    return annotation


def _bound(limit: float) -> str:
    return str(int(limit)) if limit == int(limit) else str(limit)


def _listed(expected: str) -> str:
    """pydantic's `'a', 'b' or 'c'` → `a, b, c`."""
    return expected.replace(" or ", ", ").replace("'", "")


def _shown(given: Any) -> str:
    """What was given, as the file would have it, and not too much of it."""
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, dict):
        return "a table"
    if isinstance(given, list):
        return "a list"
    text = repr(given) if isinstance(given, str) else str(given)
    return text if len(text) <= 60 else f"{text[:57]}…"
