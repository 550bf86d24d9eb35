"""A stored catalog, settings and marks → history judged by the rules of now, and what that changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from adserver.clock import EPOCH, to_ms
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_audit import AuditEntry
from adserver.engines.sqlite_log import SqliteLog
from adserver.engines.sqlite_marks import Mark
from adserver.engines.sqlite_refilter import Moved, Rules
from adserver.measurement.conversion import terms_of
from adserver.measurement.event import Kind, Validity
from adserver.measurement.limits import limits_of
from adserver.money import format_micros
from adserver.settings import Settings

ACTION = "refilter"


class Restated(NamedTuple):
    """Events of a line item, one of its days (ISO) and a kind, and from which reason to which they went.

    `revenue_micros`: by how much their revenue changed.
    """

    day: str
    line_item: str
    kind: str
    before: str
    after: str
    event_count: int
    revenue_micros: int


def refilter(
    log: SqliteLog,
    stored: Stored,
    settings: Settings,
    marks: Sequence[Mark] | None,
    *,
    author: str = "",
    at: datetime | None = None,
) -> list[Restated]:
    """Judge all history that is kept. `marks` None: those that hold. Without `at` nothing is changed.

    With it, log and sums are restated in one transaction, with an entry in the audit log that names `author`.
    Raises StorageFailed with nothing changed.
    """
    names = {number: path[1] for path, number in stored.ids.items() if path[0] == "line_item"}
    log.limit(limits_of(stored))
    rules = Rules(marks, settings.min_click_delay_ms, terms_of(stored, settings).windows())

    def entry_of(moved: Sequence[Moved]) -> AuditEntry:
        assert at, "what is only looked at leaves no entry"
        found = _restated(moved, names)
        return AuditEntry(to_ms(at), author, ACTION, summary_of(found), json.dumps(found))

    return _restated(log.refilter(rules, entry_of if at else None), names)


def summary_of(restated: Sequence[Restated]) -> str:
    """One sentence: how many events, and by how much revenue changed."""
    if not restated:
        return "nothing changed"
    events = sum(one.event_count for one in restated)
    items = len({one.line_item for one in restated})
    days = sorted({one.day for one in restated})
    change = sum(one.revenue_micros for one in restated)
    sign = "+" if change > 0 else ""
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    told = f"{_counted(events, 'event')} of {_counted(items, 'line item')}"
    return f"{told}, {when}; revenue {sign}{format_micros(change)}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _restated(moved: Sequence[Moved], names: Mapping[int, str]) -> list[Restated]:
    return [
        Restated(
            (EPOCH.date() + timedelta(days=one.day)).isoformat(),
            names.get(one.item, "not in the catalog"),
            Kind(one.kind).name.lower(),
            Validity(one.was).name.lower(),
            Validity(one.validity).name.lower(),
            one.event_count,
            one.revenue_micros,
        )
        for one in moved
    ]
