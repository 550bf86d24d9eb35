"""An operator's CSV of invalid traffic, and the catalog → marks of the log, all of them or none.

Columns `from,until,site,slot,line_item,kind,reason`, in any order; what is left out or empty stands for any.
Times are those of the fills, half-open, in the site's time zone unless they have an offset.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from adserver.clock import to_ms
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_marks import Mark
from adserver.errors import Fault, InvalidInput
from adserver.measurement.event import Kind

COLUMNS = ("from", "until", "site", "slot", "line_item", "kind", "reason")
_NEEDED = ("from", "until", "reason")
_KINDS = {kind.name.lower(): kind for kind in Kind if kind is not Kind.FLAT_DAY}
_LONGEST_REASON = 500
#: A fill's id has room for times until then (`measurement.token`).
_MOST_MS = 1 << 41


def read_marks(file: Path, stored: Stored, max_marks: int) -> list[Mark]:
    """Read and check a whole file. Raises InvalidInput with each faulty line."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text, strict=True, restkey="")
            _refuse_columns(str(file), reader.fieldnames or ())
            lines = [(reader.line_num, row) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput.one(str(file), "", f"cannot be read: {error}") from None
    if len(lines) > max_marks:
        problem = f"has {len(lines)} marks; {max_marks} are the most (ADSERVER_MAX_MARKS)"
        raise InvalidInput.one(str(file), "", problem)
    marks: list[Mark] = []
    faults: list[Fault] = []
    for number, row in lines:
        try:
            marks.extend(_marks({name: (row.get(name) or "").strip() for name in COLUMNS}, stored))
        except ValueError as error:
            faults.append(Fault(str(file), f"line {number}", str(error)))
    if faults:
        raise InvalidInput(faults)
    return marks


def _refuse_columns(file: str, given: object) -> None:
    names = list(given) if isinstance(given, (list, tuple)) else []
    faults = [Fault(file, "line 1", f"has no column {name}") for name in _NEEDED if name not in names]
    known = ", ".join(COLUMNS)
    faults += [
        Fault(file, "line 1", f"column {str(name)[:40]!r} is none of {known}")
        for name in names
        if name not in COLUMNS
    ]
    if faults:
        raise InvalidInput(faults)


def _marks(row: Mapping[str, str], stored: Stored) -> Iterator[Mark]:
    """One for each slot that a line means."""
    site = _site(row["site"], row["slot"], stored)
    from_ms, until_ms = (_time(name, row[name], site, stored) for name in ("from", "until"))
    if until_ms <= from_ms:
        raise ValueError("until: is not after from")
    item = _id(("line_item", row["line_item"]), stored) if row["line_item"] else None
    if row["kind"] and row["kind"] not in _KINDS:
        raise ValueError(f"kind: {row['kind'][:40]!r} is none of {', '.join(_KINDS)}")
    kind = int(_KINDS[row["kind"]]) if row["kind"] else None
    if not 0 < len(row["reason"]) <= _LONGEST_REASON:
        raise ValueError(f"reason: is empty or longer than {_LONGEST_REASON} characters")
    slots: list[int | None] = [None]
    if row["slot"]:
        assert site, "a slot was looked for on its site"
        slots = [_id(("slot", site, row["slot"]), stored)]
    elif row["site"]:
        slots = [number for path, number in stored.ids.items() if path[:2] == ("slot", row["site"])]
    for slot in slots:
        yield Mark(from_ms, until_ms, slot, item, kind, row["reason"])


def _site(name: str, slot: str, stored: Stored) -> str | None:
    """The site that a line is about: the one named, or the only one; None: all."""
    if name:
        _id(("site", name), stored)
        return name
    sites = [site.name for site in stored.catalog.site]
    if len(sites) == 1:
        return sites[0]
    if slot:
        raise ValueError("site: is needed to know which slot is meant")
    return None


def _id(path: tuple[str, ...], stored: Stored) -> int:
    number = stored.ids.get(path)
    if number is None:
        raise ValueError(f"{path[0]}: {path[-1][:40]!r} was never in the catalog")
    return number


def _time(name: str, text: str, site: str | None, stored: Stored) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: {text[:40]!r} is not a time such as 2026-11-24T09:00") from None
    if at.tzinfo is None:
        zone = next((one.zone for one in stored.catalog.site if one.name == site), None)
        if zone is None:
            raise ValueError(f"{name}: needs an offset, such as +05:45, or a site of the catalog")
        at = at.replace(tzinfo=zone)
    if not 0 <= to_ms(at) < _MOST_MS:
        raise ValueError(f"{name}: {text[:40]!r} is before 1970 or too far ahead")
    return to_ms(at)
