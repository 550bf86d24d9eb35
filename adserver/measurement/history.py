"""Another ad server's CSV of events → events of our log, all of them or none.

Columns `at,slot,creative,type`, in any order; times carry their offset. A file may be gzipped (`.gz`).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TextIO, cast

from adserver.catalog.model import Catalog, Price
from adserver.clock import BUCKETS_PER_DAY, bucket_of_ms, to_ms
from adserver.decision.facts import day_shift
from adserver.errors import Fault, InvalidInput
from adserver.measurement.event import BILLABLE, Event, Kind, Validity
from adserver.measurement.period import DayOf, utc_day
from adserver.measurement.token import MODEL_CODES, FillIds

COLUMNS = ("at", "slot", "creative", "type")
_KINDS = {kind.name.lower(): kind for kind in Kind if kind <= Kind.CONVERSION}
_MOST_FAULTS = 50
_BATCH = 5_000
_LONGEST_NAME = 200


class Line(NamedTuple):
    """One event of the file, by names."""

    at_ms: int
    slot: str
    creative: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class History:
    """A file's events in order of time, and the digest by which the same file is known again."""

    file: str
    digest: str
    lines: list[Line]

    @property
    def slots(self) -> set[str]:
        """Names of all slots in the file."""
        return {line.slot for line in self.lines}

    @property
    def creatives(self) -> set[str]:
        """Names of all creatives in the file."""
        return {line.creative for line in self.lines}


def read_history(path: Path) -> History:
    """Read and check a whole file. Raises InvalidInput with each faulty line (the first 50 of them)."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        with _open(path) as text:
            lines = _read(text, str(path))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput.one(str(path), "", f"cannot be read: {error}") from None
    return History(str(path), digest, sorted(lines))


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8-sig", newline=""))
    return path.open(encoding="utf-8-sig", newline="")


def _read(text: TextIO, file: str) -> list[Line]:
    reader = csv.DictReader(text, strict=True)
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InvalidInput.one(
            file, "line 1", f"has no column {', '.join(missing)} (needs {','.join(COLUMNS)})"
        )
    lines: list[Line] = []
    faults: list[Fault] = []
    more = 0
    for row in reader:
        try:
            lines.append(_line(row))
        except ValueError as error:
            if len(faults) < _MOST_FAULTS:
                faults.append(Fault(file, f"line {reader.line_num}", str(error)))
            else:
                more += 1
    if more:
        faults.append(Fault(file, "", f"and {more} more lines with faults"))
    if faults:
        raise InvalidInput(faults)
    return lines


def _line(row: Mapping[str, str | None]) -> Line:
    at, slot, creative, kind = (row[name] or "" for name in COLUMNS)
    try:
        when = datetime.fromisoformat(at)
    except ValueError:
        raise ValueError(f"at: {at[:40]!r} is not a time such as 2026-11-24T09:00:00+05:45") from None
    if when.tzinfo is None:
        raise ValueError(f"at: {at[:40]!r} has no offset, such as +05:45")
    if not 0 <= to_ms(when) < 1 << 41:
        raise ValueError(f"at: {at[:40]!r} is before 1970 or too far ahead")
    if kind not in _KINDS:
        raise ValueError(f"type: {kind[:40]!r} is none of {', '.join(_KINDS)}")
    for name, value in (("slot", slot), ("creative", creative)):
        if not 0 < len(value) <= _LONGEST_NAME:
            raise ValueError(f"{name}: is empty or longer than {_LONGEST_NAME} characters")
    return Line(to_ms(when), slot, creative, _KINDS[kind])


def prices(catalog: Catalog) -> dict[str, Price | None]:
    """Creative → price of its line item: what imported events are worth."""
    return {creative.name: item.price for _, _, item in catalog.line_items() for creative in item.creative}


def items_of(catalog: Catalog) -> dict[str, str]:
    """Creative → its line item, by names."""
    return {creative.name: item.name for _, _, item in catalog.line_items() for creative in item.creative}


def batches(
    history: History,
    ids: FillIds,
    slots: Mapping[str, int],
    creatives: Mapping[str, int],
    items: Mapping[str, int],
    price_of: Mapping[str, Price | None],
    day_of: DayOf = utc_day,
) -> Iterator[list[Event]]:
    """The file's events, each with an id of its own: a history does not say which click is of which fill.

    `slots` and `creatives`: name → id; `items` and `price_of`: creative → its line item's id and price.
    """
    batch: list[Event] = []
    for line in history.lines:
        price, item = price_of.get(line.creative), items[line.creative]
        bucket = bucket_of_ms(line.at_ms)
        day = day_of(item, bucket)
        earns = price is not None and BILLABLE.get(price.model) is line.kind
        batch.append(
            Event(
                fill=ids.next(line.at_ms),
                kind=line.kind,
                at_ms=line.at_ms,
                bucket=bucket,
                day=day,
                slot=slots[line.slot],
                item=item,
                creative=creatives[line.creative],
                revenue_micros=price.per_event_micros if price and earns else 0,
                validity=Validity.VALID,
                facts=day_shift(day, bucket // BUCKETS_PER_DAY),
                model=MODEL_CODES[price.model if price else None],
            )
        )
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
