"""Instants → the words in which the console tells them."""

from __future__ import annotations

from datetime import datetime

_UNITS = ((86_400, "day"), (3_600, "hour"), (60, "minute"))
_MOST_DAYS = 60


def when(at: datetime) -> str:
    """An aware instant to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def ago(at: datetime, now: datetime) -> str:
    """How long ago an instant was, in its largest whole unit; empty after two months."""
    seconds = (now - at).total_seconds()
    if seconds >= _MOST_DAYS * 86_400:
        return ""
    for length, unit in _UNITS:
        count = int(seconds // length)
        if count >= 1:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"
