"""Objects of the catalog ⇄ the fields of their forms: what is shown for a body, and what a form sets.

What a form sets is a JSON merge patch of what differs from what was shown: a field that nobody touched leaves
its key as it is, to the character, and one that was emptied puts it back to the default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from adserver.console.field_list import DIMENSIONS, FIELDS, FURTHER, Field
from adserver.console.forms import Form, one
from adserver.editing.objects import local_time
from adserver.errors import Fault, InvalidInput

Body = Mapping[str, Any]
#: Name of an input → the text in it; a box that is ticked has "on".
Inputs = Mapping[str, str]
Show = Callable[[Field, Any, ZoneInfo], Inputs]
#: Field, form, the stored value of its key, time zone → the new one. Raises ValueError with a sentence.
Read = Callable[[Field, Form, Any, ZoneInfo], Any]
UTC_ZONE = ZoneInfo("UTC")
_FILE = re.compile(r"(\S+)\s+(\S+)\s+([0-9]{1,4})x([0-9]{1,4})(?:\s+([0-9]{1,6}))?", re.ASCII)
#: Kinds of fields whose text has several lines.
_AREAS = frozenset(("lines", "caps", "area", "media", "target", "further"))


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as a template draws it."""

    field: Field
    inputs: Inputs


def shown(kind: str, body: Body, zone: ZoneInfo) -> list[Shown]:
    """The fields of an object's form, filled in."""
    return [
        Shown(field, _KINDS[field.kind].show(field, _value(kind, field, body), zone))
        for field in FIELDS[kind]
    ]


def typed(fields: Sequence[Shown], form: Form) -> list[Shown]:
    """The same fields with what somebody typed into them."""
    return [Shown(one.field, {name: _text_in(form, name) for name in one.inputs}) for one in fields]


def untouched(shown: Shown, given: Shown) -> bool:
    """Whether a browser sends this where nobody has touched the field."""
    area = shown.field.kind in _AREAS
    return all(_sent(text, area=area) == given.inputs[name] for name, text in shown.inputs.items())


def patch_of(kind: str, form: Form, before: Body, zone: ZoneInfo) -> dict[str, Any]:
    """What a form sets of a body. Raises InvalidInput for what cannot be read; all else is checked later."""
    faults: list[Fault] = []
    patch: dict[str, Any] = {}
    chosen = one(form, "kind") or one(form, "tier")
    fields, own = shown(kind, before, zone), {field.key for field in FIELDS[kind]}
    for was, now in zip(fields, typed(fields, form), strict=True):
        field = was.field
        if field.only and chosen not in field.only.split():
            # The form hides it; what it was for another kind or tier goes.
            if before.get(field.key) is not None:
                patch[field.key] = None
            continue
        if untouched(was, now):
            continue
        try:
            value = _KINDS[field.kind].read(field, form, _value(kind, field, before), zone)
        except ValueError as error:
            faults.append(Fault("", field.key, str(error)))
            continue
        twice = sorted(value.keys() & own) if field.key == FURTHER else ()
        if twice:
            faults.append(Fault("", FURTHER, f"{', '.join(twice)} has a field of its own"))
        patch |= value if field.key == FURTHER else {field.key: value}
    if faults:
        raise InvalidInput(faults)
    return patch


def targeting_of(form: Form) -> tuple[dict[str, Any], list[str]]:
    """The target in a line item's form, and the sensitive topics that it accepts. Raises InvalidInput."""
    try:
        target = _read_target(Field("target", ""), form, None, UTC_ZONE)
    except ValueError as error:
        raise InvalidInput.one("", "target", str(error)) from None
    return {key: value for key, value in target.items() if value is not None}, split_lines(
        one(form, "allow_topics")
    )


def split_lines(text: str, kept: Sequence[str] = ()) -> list[str]:
    """One value on each line, spaces around it left out unless it is one of `kept`."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [line if line in kept else line.strip() for line in lines if line in kept or line.strip()]


def _value(kind: str, field: Field, body: Body) -> Any:
    if field.key != FURTHER:
        return body.get(field.key)
    own = {one.key for one in FIELDS[kind]} | {"name"}
    return {key: value for key, value in body.items() if key not in own}


def _text_in(form: Form, name: str) -> str:
    """What a form has under a name; browsers send the ends of lines as CR LF (HTML, form submission)."""
    return one(form, name).replace("\r\n", "\n")


def _sent(text: str, *, area: bool) -> str:
    """What a browser sends of a text that it was shown: an input of one line has no ends of lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if area else text.replace("\n", "")


def _replacing(before: Any, after: Any) -> Any:
    """The merge patch (RFC 7396) that leaves nothing of what was there."""
    if not isinstance(after, Mapping):
        return after
    was = before if isinstance(before, Mapping) else {}
    return {**dict.fromkeys(was), **{key: _replacing(was.get(key), value) for key, value in after.items()}}


def _text(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {field.key: "" if value is None else str(value)}


def _lines(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {field.key: "\n".join(map(str, value or ()))}


def _instant(field: Field, value: Any, zone: ZoneInfo) -> Inputs:
    return {field.key: local_time(value, zone).isoformat(timespec="seconds")[:19] if value else ""}


def _of(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    which, amount = next(iter(dict(value or {}).items()), ("", ""))
    return {field.key: str(amount), f"{field.key}-which": which}


def _caps(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {field.key: "\n".join(f"{cap['impressions']} per {cap['per']}" for cap in value or ())}


def _media(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    lines = [
        f"{file['url']} {file['type']} {file['width']}x{file['height']} {file.get('bitrate') or ''}".strip()
        for file in value or ()
    ]
    return {field.key: "\n".join(lines)}


def _target(_: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    target = dict(value or {})
    found = {f"target-{key}": "\n".join(target.pop(key, ())) for key in DIMENSIONS}
    return {**found, "target-more": _json(target)}


def _further(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {field.key: _json(value or {})}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) if value else ""


def _parts(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {f"{field.key}-{key}": (value or {}).get(key) or "" for key in field.options}


def _checked(field: Field, value: Any, _zone: ZoneInfo) -> Inputs:
    return {field.key: "on" if (field.key == "approved" if value is None else value) else ""}


def _read_text(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    return one(form, field.key).strip() or None


def _read_area(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    text = _text_in(form, field.key)
    return text if text.strip() else None


def _read_lines(field: Field, form: Form, before: Any, _zone: ZoneInfo) -> Any:
    return split_lines(one(form, field.key), before or ()) or None


def _read_check(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    return one(form, field.key) == "on"


def _read_number(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    text = one(form, field.key).strip()
    if text and not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text) if text else None


def _read_fraction(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    text = one(form, field.key).strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 0.5") from None


def _read_instant(field: Field, form: Form, _before: Any, zone: ZoneInfo) -> Any:
    text = one(form, field.key).strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date and time such as 2026-11-01T00:00") from None


def _read_of(field: Field, form: Form, _before: Any, zone: ZoneInfo) -> Any:
    which, text = one(form, f"{field.key}-which"), one(form, field.key).strip()
    if not which and not text:
        return None
    if which not in field.options:
        raise ValueError(f"needs to be one of {', '.join(field.options)}")
    amount = _read_number(field, form, None, zone) if field.kind == "count_of" else text
    return dict.fromkeys(field.options) | {which: amount}


def _read_caps(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    caps = []
    for line in split_lines(one(form, field.key)):
        count, word, window = [*line.split(), "", "", ""][:3]
        if (
            word != "per"
            or not (count.isascii() and count.isdigit() and len(count) < 19)
            or len(line.split()) != 3
        ):
            raise ValueError(f"{line!r} is not a cap such as 3 per 1d")
        caps.append({"impressions": int(count), "per": window})
    return caps or None


def _read_media(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    files = []
    for line in split_lines(one(form, field.key)):
        found = _FILE.fullmatch(line)
        if found is None:
            raise ValueError(f"{line!r} is not like https://cdn.example/a.mp4 video/mp4 1280x720 2400")
        url, kind, *numbers = found.groups()
        keys = ("width", "height", "bitrate")
        sizes = {key: int(number) for key, number in zip(keys, numbers, strict=True) if number}
        files.append({"url": url, "type": kind, **sizes})
    return files or None


def _read_target(_: Field, form: Form, before: Any, _zone: ZoneInfo) -> Any:
    """All of a target: what was there and is not given any more is taken away."""
    was = before or {}
    further = _object_in(form, "target-more", "further rules", '{"url": ["news.example/2026/*"]}')
    twice = sorted(further.keys() & DIMENSIONS.keys())
    if twice:
        raise ValueError(f"{', '.join(twice)} has a field of its own, and is in the further rules too")
    lines = {key: split_lines(one(form, f"target-{key}"), was.get(key, ())) or None for key in DIMENSIONS}
    return {**_replacing(was, further), **lines}


def _read_further(field: Field, form: Form, before: Any, _zone: ZoneInfo) -> Any:
    return _replacing(
        before, _object_in(form, field.key, "further settings", '{"consent": {"missing": "deny"}}')
    )


def _object_in(form: Form, name: str, what: str, example: str) -> dict[str, Any]:
    """Raises ValueError with a sentence."""
    text = one(form, name).strip()
    try:
        given = json.loads(text) if text else {}
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} are not JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError(f"{what} are not an object such as {example}")
    return given


def _read_parts(field: Field, form: Form, before: Any, _zone: ZoneInfo) -> Any:
    given: dict[str, Any] = {key: one(form, f"{field.key}-{key}").strip() or None for key in field.options}
    if not any(given.values()):
        return None
    if field.key == "disclosure":
        # Only of a political advertisement is there a notice, or any of what goes with it.
        given["political"] = any(given[key] for key in ("notice", "controller", "vote")) or None
    return _replacing(before, given)


class _Kind(NamedTuple):
    show: Show
    read: Read


_KINDS: Mapping[str, _Kind] = {
    "text": _Kind(_text, _read_text),
    "select": _Kind(_text, _read_text),
    "area": _Kind(_text, _read_area),
    "lines": _Kind(_lines, _read_lines),
    "check": _Kind(_checked, _read_check),
    "number": _Kind(_text, _read_number),
    "fraction": _Kind(_text, _read_fraction),
    "instant": _Kind(_instant, _read_instant),
    "amount_of": _Kind(_of, _read_of),
    "count_of": _Kind(_of, _read_of),
    "caps": _Kind(_caps, _read_caps),
    "media": _Kind(_media, _read_media),
    "target": _Kind(_target, _read_target),
    "parts": _Kind(_parts, _read_parts),
    "further": _Kind(_further, _read_further),
}
