"""A statement and days → the rows of each day, read only where they are not known as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from adserver.engines.day_sums import OF_NETWORKS, Changes, Day, DaySums, hours_of
from adserver.engines.sqlite_reader import SqliteReader

T = TypeVar("T")
Asked = Mapping[str, str | int | None]

#: So many rows of days that are over are kept for the next report; a hundred thousand take some 50 MB.
_MOST_ROWS = 200_000
_WITHIN = f"FROM rollup_change WHERE hour BETWEEN :first_hour AND :last_hour OR hour = {OF_NETWORKS}"
#: The beginning of a statement: days as ranges of buckets with their numbers, and the slots asked for.
DAYS_AND_SLOTS = """
WITH cut(n, lo, hi, day) AS (
    SELECT key, json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:cuts)
),
wanted(slot) AS (SELECT value FROM json_each(:slots))
"""
_CHANGES = f"SELECT hour, change_count {_WITHIN}"


class Asking(NamedTuple):
    """A day: what the statement is given of it, and the UTC hours whose changes may change it."""

    cut: Hashable
    hours: range
    networks: bool = False
    """Reports of networks may change it, too."""

    def seen(self, changes: Changes) -> int:
        """How often it was changed; that only ever grows."""
        networks = changes.get(OF_NETWORKS, 0) if self.networks else 0
        return networks + sum(changes.get(hour, 0) for hour in self.hours)


def of_rollups(cut: tuple[int, int, int | None]) -> Asking:
    """A half-open range of buckets and the number of a day, for what rollups and networks say of it."""
    return Asking(cut, hours_of(*cut[:2]), networks=True)


def by_day(select: str, width: int) -> str:
    """A statement for `SqliteDays.by_day`: its rows have so many columns, the first the number of the day.

    It is given the days, each by its `cut`, as a JSON array in `:cuts`.
    """
    rest = ", 0" * (width - 3)
    return f"{select} UNION ALL SELECT -1, hour, change_count{rest} {_WITHIN}"


class SqliteDays(SqliteReader):
    """Reads one database file by days; raises StorageFailed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._kept = DaySums(_MOST_ROWS)

    async def _by_day(
        self, statement: str, made: Callable[[Sequence[Any]], T], days: Sequence[Asking], asked: Asked
    ) -> list[Day[T]]:
        """The rows of every day, without their number, all of one instant."""
        if not days:
            return []
        about = (statement, *asked.values())
        first, last = min(one.hours[0] for one in days), max(one.hours[-1] for one in days)
        asked = {**asked, "first_hour": first, "last_hour": last}
        before = {int(hour): int(count) for hour, count in await self._rows(_CHANGES, asked)}
        known = [self._kept.find((about, one.cut), one.seen(before)) for one in days]
        wanted = [number for number, day in enumerate(known) if day is None]
        if not wanted:
            return [day for day in known if day is not None]
        found, changes = await self._read(statement, made, [days[number].cut for number in wanted], asked)
        used = [one for one, day in zip(days, known, strict=True) if day is not None]
        if any(one.seen(changes) != one.seen(before) for one in used):
            # Something was written between the two questions: a report is of one instant.
            wanted = list(range(len(days)))
            found, changes = await self._read(statement, made, [one.cut for one in days], asked)
        for number, rows in zip(wanted, found, strict=True):
            one = days[number]
            known[number] = self._kept.keep((about, one.cut), one.seen(changes), rows)
        return [day for day in known if day is not None]

    async def _read(
        self, statement: str, made: Callable[[Sequence[Any]], T], cuts: Sequence[Hashable], asked: Asked
    ) -> tuple[list[list[T]], dict[int, int]]:
        """Rows of days, and how often every UTC hour was changed, of one instant."""
        found: list[list[T]] = [[] for _ in cuts]
        changes: dict[int, int] = {}
        for number, *row in await self._rows(statement, {**asked, "cuts": json.dumps(cuts)}):
            if number < 0:
                changes[row[0]] = row[1]
            else:
                found[number].append(made(row))
        return found, changes
