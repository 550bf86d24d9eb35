"""Objects of the catalog ⇄ the fields of their forms: what is shown for a body, and what a form sets.

What a form sets is a JSON merge patch: a field left empty puts its key back to the default.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adserver.console.forms import Form, one
from adserver.editing.objects import local_time
from adserver.errors import Fault, InvalidInput

Body = Mapping[str, Any]
#: Dimensions of a target that have a field of their own; the others are given as JSON.
DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "site": ("Sites", "One on each line. Empty: all."),
    "slot": ("Slots", "One on each line. Empty: all that offer a size of its creatives."),
    "section": ("Sections", "Such as world or world/*."),
    "topic": ("Topics", ""),
    "country": ("Countries", "Two letters, such as NP."),
    "device": ("Devices", "desktop, mobile, tablet."),
    "hours": ("Hours", "Such as mon-fri 08:00-20:00, in the site's time zone."),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object in a form; `kind` is one of `_READ`, or plain text."""

    key: str
    label: str
    kind: str = "text"
    hint: str = ""
    options: Sequence[str] = ()
    required: bool = False
    only: str = ""
    """Kinds of creatives, or tiers of line items, that have this key; of others it is not asked for."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as a template draws it."""

    field: Field
    value: Any
    """Text; for `check` whether it is on; for `…_of` (which, amount)."""


UTC_ZONE = ZoneInfo("UTC")
_FILE = re.compile(r"(\S+)\s+(\S+)\s+([0-9]{1,4})x([0-9]{1,4})(?:\s+([0-9]{1,6}))?", re.ASCII)
Show = Callable[[Field, Any, ZoneInfo], Any]
_PRICES = ("cpm", "vcpm", "cpc", "cpa", "flat")
_GOALS = ("impressions", "viewables", "clicks")
_CAPS = "One on each line, such as 3 per 1d: at most three impressions for each visitor within a day."
_MEDIA = (
    "One on each line: address, type, size and, where known, kbit/s, such as "
    "https://cdn.example/a.mp4 video/mp4 1280x720 2400."
)
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "site": (
        Field("domain", "Domain", hint="Such as news.example.", required=True),
        Field(
            "timezone",
            "Time zone",
            hint="IANA name, such as Asia/Kathmandu. Days are cut in it.",
            required=True,
        ),
        Field("currency", "Currency", hint="Three letters, such as USD.", required=True),
        Field(
            "exclude_topics", "Sensitive topics", "lines", "Nothing serves beside these unless it opts in."
        ),
        Field(
            "revenue_share",
            "Publisher's share",
            "fraction",
            "Of what advertisers owe, such as 0.7; empty: all of it.",
        ),
    ),
    "slot": (
        Field("sizes", "Sizes", "lines", "One on each line, such as 970x250.", required=True),
        Field("floor", "Floor price", hint="CPM below which it is not sold."),
        Field("label", "Label", hint="Shown with every ad; Advertisement where empty."),
        Field("refresh_seconds", "Refresh after", "number", "Seconds in view, 30 or more; empty: never."),
    ),
    "advertiser": (
        Field(
            "sites", "Sold on", "lines", "Sites, one on each line. Empty: on all, for administrators only."
        ),
    ),
    "campaign": (Field("caps", "Caps of the whole campaign", "caps", _CAPS),),
    "line_item": (
        Field(
            "tier",
            "Tier",
            "select",
            options=("sponsorship", "guaranteed", "price", "network", "house"),
            required=True,
        ),
        Field("paused", "Paused", "check"),
        Field("start", "Start", "instant"),
        Field("end", "End", "instant", "Half-open: it serves until just before."),
        Field(
            "price", "Price", "amount_of", options=_PRICES, hint="cpm and vcpm per thousand; flat per day."
        ),
        Field("goal", "Goal", "count_of", options=_GOALS, only="guaranteed"),
        Field("budget", "Budget", hint="Of the whole flight.", only="price"),
        Field("daily_budget", "Budget of a day", only="price"),
        Field("share", "Share of voice", "fraction", "0.5 is every other page.", only="sponsorship"),
        Field("pacing", "Pacing", "select", options=("even", "frontloaded", "asap")),
        Field("caps", "Caps", "caps", _CAPS),
        Field("labels", "Labels", "lines", "Never two line items with one label on a page."),
        Field("allow_topics", "Sensitive topics it accepts", "lines"),
        Field("target", "Targeting", "target"),
    ),
    "creative": (
        Field("kind", "Kind", "select", options=("image", "html", "video", "network"), required=True),
        Field("size", "Size", hint="Such as 300x250; video for a video.", required=True),
        Field("image", "Image", hint="Address of the picture.", only="image"),
        Field("image_dark", "Image for dark pages", hint="Optional.", only="image"),
        Field("alt", "What the picture says", hint="For those who do not see it.", only="image video"),
        Field("html", "HTML", "area", "Drawn in a sandboxed frame.", only="html"),
        Field("media", "Video files", "media", _MEDIA, only="video"),
        Field("duration_seconds", "Length of the video", "number", "In seconds.", only="video"),
        Field(
            "skip_after_seconds", "Can be skipped after", "number", "Seconds; empty: it cannot.", only="video"
        ),
        Field("client", "Publisher at AdSense", hint="Such as ca-pub-1234567890123456.", only="network"),
        Field("unit", "Ad unit of AdSense", hint="Its number.", only="network"),
        Field("click", "Click goes to", only="image html video"),
        Field("weight", "Weight", "number", "Among the creatives of its line item; 1 where empty."),
        Field("approved", "Approved", "check"),
    ),
}


def shown(kind: str, body: Body, zone: ZoneInfo) -> list[Shown]:
    """The fields of an object's form, filled in."""
    filled = []
    for field in FIELDS[kind]:
        show: Show = _SHOW.get(field.kind, _text)
        filled.append(Shown(field, show(field, body.get(field.key), zone)))
    return filled


def patch_of(kind: str, form: Form, before: Body, zone: ZoneInfo) -> dict[str, Any]:
    """What a form sets. Raises InvalidInput for what cannot be read; all else the catalog checks."""
    faults: list[Fault] = []
    patch: dict[str, Any] = {}
    chosen = one(form, "kind") or one(form, "tier")
    for field in FIELDS[kind]:
        if field.only and chosen not in field.only.split():
            # The form hides it; what it was for another kind or tier goes.
            patch[field.key] = None
            continue
        try:
            patch[field.key] = _READ.get(field.kind, _read_text)(field, form, before.get(field.key), zone)
        except ValueError as error:
            faults.append(Fault("", field.key, str(error)))
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


def _text(_: Field, value: Any, _zone: ZoneInfo) -> str:
    return "" if value is None else str(value)


def _lines(_: Field, value: Any, _zone: ZoneInfo) -> str:
    return "\n".join(map(str, value or ()))


def _instant(_: Field, value: Any, zone: ZoneInfo) -> str:
    return local_time(value, zone).isoformat(timespec="seconds")[:19] if value else ""


def _of(_: Field, value: Any, _zone: ZoneInfo) -> tuple[str, str]:
    which, amount = next(iter(dict(value or {}).items()), ("", ""))
    return which, str(amount)


def _caps(_: Field, value: Any, _zone: ZoneInfo) -> str:
    return "\n".join(f"{cap['impressions']} per {cap['per']}" for cap in value or ())


def _media(_: Field, value: Any, _zone: ZoneInfo) -> str:
    return "\n".join(
        f"{file['url']} {file['type']} {file['width']}x{file['height']} {file.get('bitrate') or ''}".strip()
        for file in value or ()
    )


def _target(_: Field, value: Any, _zone: ZoneInfo) -> dict[str, str]:
    target = dict(value or {})
    found = {key: "\n".join(target.pop(key, ())) for key in DIMENSIONS}
    return {**found, "more": json.dumps(target, ensure_ascii=False, indent=2) if target else ""}


def _checked(field: Field, value: Any, _zone: ZoneInfo) -> bool:
    return bool(field.key == "approved" if value is None else value)


_SHOW: Mapping[str, Show] = {
    "lines": _lines,
    "check": _checked,
    "instant": _instant,
    "amount_of": _of,
    "count_of": _of,
    "caps": _caps,
    "media": _media,
    "target": _target,
}


def _read_text(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    return one(form, field.key).strip() or None


def _read_lines(field: Field, form: Form, _before: Any, _zone: ZoneInfo) -> Any:
    return split_lines(one(form, field.key)) or None


def split_lines(text: str) -> list[str]:
    """One value on each line, spaces around it left out."""
    return [line.strip() for line in text.splitlines() if line.strip()]


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
    more = one(form, "target-more").strip()
    try:
        further = json.loads(more) if more else {}
    except ValueError as error:
        raise ValueError(f"further rules are not JSON: {error}") from None
    if not isinstance(further, dict):
        raise ValueError('further rules are not an object such as {"url": ["news.example/2026/*"]}')
    twice = sorted(further.keys() & DIMENSIONS.keys())
    if twice:
        raise ValueError(f"{', '.join(twice)} has a field of its own, and is in the further rules too")
    own = {key: split_lines(one(form, f"target-{key}")) or None for key in DIMENSIONS}
    gone = dict.fromkeys((before or {}).keys())
    kept = {
        key: {**dict.fromkeys(_keys(before, key)), **value} if isinstance(value, dict) else value
        for key, value in further.items()
    }
    return {**gone, **kept, **own}


def _keys(before: Any, key: str) -> list[str]:
    inner = (before or {}).get(key)
    return list(inner) if isinstance(inner, Mapping) else []


_READ: Mapping[str, Callable[[Field, Form, Any, ZoneInfo], Any]] = {
    "lines": _read_lines,
    "check": _read_check,
    "number": _read_number,
    "fraction": _read_fraction,
    "instant": _read_instant,
    "amount_of": _read_of,
    "count_of": _read_of,
    "caps": _read_caps,
    "media": _read_media,
    "target": _read_target,
}
