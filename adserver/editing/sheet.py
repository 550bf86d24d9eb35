"""Line items ⇄ rows of text cells, as in a table or a CSV file; rows → edits of what differs.

A cell left empty puts its key back to the default; a column left out changes nothing. Times are written in
the time zone of the line item's site. What a spreadsheet would take for a formula is written with an
apostrophe before it (OWASP, "CSV Injection"), which reading takes away again.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from adserver.catalog.nearest import nearest
from adserver.catalog.plan import Path
from adserver.editing.edits import Edit
from adserver.editing.objects import Seen, local_time, zone_of
from adserver.errors import Fault, InvalidInput, NotThere

#: Column → text; columns that are not there change nothing.
Row = Mapping[str, str]
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PRICES = ("cpm", "vcpm", "cpc", "cpa", "flat")
_GOALS = ("impressions", "viewables", "clicks")
_ABSENT = "is not there; to add it, give its campaign as advertiser/name"
_MOST_DIGITS = 18
_MOST_CELL_CHARS = 1_000


@dataclass(frozen=True, slots=True)
class Column:
    """One key of a line item as text. `read` raises ValueError with a sentence."""

    show: Callable[[Any, ZoneInfo], str]
    read: Callable[[str, ZoneInfo], Any]
    empty: Any = None
    """What an empty cell says; None: the default."""


def _text(value: Any, _zone: ZoneInfo) -> str:
    return "" if value is None else str(value)


def _plain(text: str, _zone: ZoneInfo) -> Any:
    return text


def _instant(value: Any, zone: ZoneInfo) -> str:
    if not value:
        return ""
    at = local_time(value, zone)
    return at.isoformat(timespec="seconds" if at.second else "minutes")


def _read_instant(text: str, zone: ZoneInfo) -> str:
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a date and time such as 2026-11-01T00:00") from None


def _flag(value: Any, _zone: ZoneInfo) -> str:
    return "yes" if value else "no"


def _read_flag(text: str, _zone: ZoneInfo) -> bool:
    if text.lower() not in ("yes", "no", "true", "false"):
        raise ValueError(f"{text!r} is not yes or no")
    return text.lower() in ("yes", "true")


def _of(value: Any, _zone: ZoneInfo) -> str:
    """`{"cpm": "4.50"}` → `4.50 cpm`."""
    which, amount = next(iter(dict(value or {}).items()), ("", ""))
    return f"{amount} {which}".strip()


def _read_price(text: str, _zone: ZoneInfo) -> dict[str, str | None]:
    amount, which = _pair(text, _PRICES, "4.50 cpm")
    return dict.fromkeys(_PRICES) | {which: amount}


def _read_goal(text: str, _zone: ZoneInfo) -> dict[str, int | None]:
    amount, which = _pair(text, _GOALS, "100000 impressions")
    return dict.fromkeys(_GOALS) | {which: _whole(amount.replace(",", ""))}


def _pair(text: str, known: Sequence[str], example: str) -> tuple[str, str]:
    parts = text.split()
    if len(parts) != 2 or parts[1] not in known:
        raise ValueError(f"{text!r} is not such as {example}; known are {', '.join(known)}")
    return parts[0], parts[1]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def _read_fraction(text: str, _zone: ZoneInfo) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number such as 0.5") from None


def _caps(value: Any, _zone: ZoneInfo) -> str:
    return "; ".join(f"{cap['impressions']} per {cap['per']}" for cap in value or ())


def _read_caps(text: str, _zone: ZoneInfo) -> list[dict[str, Any]]:
    caps = []
    for part in filter(str.strip, text.split(";")):
        words = part.split()
        if len(words) != 3 or words[1] != "per":
            raise ValueError(f"{part.strip()!r} is not a cap such as 3 per 1d")
        caps.append({"impressions": _whole(words[0]), "per": words[2]})
    return caps


COLUMNS: Mapping[str, Column] = {
    "tier": Column(_text, _plain),
    "paused": Column(_flag, _read_flag, empty=False),
    "start": Column(_instant, _read_instant),
    "end": Column(_instant, _read_instant),
    "price": Column(_of, _read_price),
    "goal": Column(_of, _read_goal),
    "budget": Column(_text, _plain),
    "daily_budget": Column(_text, _plain),
    "share": Column(_text, _read_fraction),
    "pacing": Column(_text, _plain),
    "caps": Column(_caps, _read_caps),
}
#: What a row is of; `version` is what its author has seen, and may be left out or empty.
HEADS = ("line_item", "campaign", "version")


def rows_of(seen: Seen, paths: Iterable[Path]) -> list[dict[str, str]]:
    """Line items as rows with all columns."""
    rows = []
    for path in paths:
        entry, zone = seen.entries[path], zone_of(seen, path)
        parent = "/".join(entry.parent[1:]) if entry.parent else ""
        row = {"line_item": path[1], "campaign": parent, "version": str(seen.versions[path])}
        rows.append(row | {key: column.show(entry.body.get(key), zone) for key, column in COLUMNS.items()})
    return rows


def to_csv(rows: Sequence[Row]) -> str:
    """Rows as a CSV file (RFC 4180), with the columns of their first row; all columns where there is none."""
    columns = list(rows[0]) if rows else [*HEADS, *COLUMNS]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([_guarded(row.get(column, "")) for column in columns] for row in rows)
    return out.getvalue()


def read_csv(text: str, most_rows: int) -> list[dict[str, str]]:
    """The rows of a CSV file with a heading, separated by commas, semicolons or tabs.

    Raises InvalidInput with what is wrong, by line.
    """
    text = text.removeprefix("\ufeff")
    head = text.partition("\n")[0]
    separator = max(",;\t", key=head.count)
    rows: list[dict[str, str]] = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        columns = [name.strip() for name in next(reader, [])]
        _check_columns(columns)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(columns):
                raise InvalidInput.one(
                    "", f"line {reader.line_num}", f"has {len(cells)} cells, not {len(columns)}"
                )
            if len(rows) == most_rows:
                raise InvalidInput.one("", "file", f"has more than {most_rows} rows")
            rows.append({column: _unguarded(cell) for column, cell in zip(columns, cells, strict=True)})
    except csv.Error as error:
        raise InvalidInput.one("", "file", f"is not a CSV file: {error}") from None
    return rows


def _check_columns(columns: Sequence[str]) -> None:
    known = (*HEADS, *COLUMNS)
    faults = [
        Fault("", f"column {name[:100]}" if name else "a column", f"is not known{nearest(name[:100], known)}")
        for name in columns
        if name not in known
    ]
    faults += [Fault("", f"column {name}", "is there twice") for name in known if columns.count(name) > 1]
    if "line_item" not in columns:
        faults.append(Fault("", "line 1", "names no column line_item, which says what each row is of"))
    if faults:
        raise InvalidInput(faults)


def edits_of(seen: Seen, rows: Sequence[Row]) -> list[Edit]:
    """What rows change of line items, and those that they add. Raises InvalidInput with all faults."""
    faults: list[Fault] = []
    edits: list[Edit] = []
    named: set[str] = set()
    for number, row in enumerate(rows, start=1):
        name = row.get("line_item", "").strip()
        where = f"row {number} ({name[:100]})" if name else f"row {number}"
        if name in named:
            faults.append(Fault("", where, "is there twice"))
            continue
        named.add(name)
        edit, wrong = _edit_of(seen, row, name)
        faults += [Fault("", f"{where}, {key}", problem) for key, problem in wrong]
        if edit and not wrong:
            edits.append(edit)
    if faults:
        raise (NotThere if any(fault.problem == _ABSENT for fault in faults) else InvalidInput)(faults)
    return edits


def _edit_of(seen: Seen, row: Row, name: str) -> tuple[Edit | None, list[tuple[str, str]]]:
    """The edit of one row, None where nothing differs; and what is wrong with the row, by column."""
    path: Path = ("line_item", name)
    parent: Path | None = ("campaign", *row.get("campaign", "").strip().split("/"))
    entry = seen.entries.get(path)
    if entry is None and parent not in seen.entries:
        return None, [("line_item", _ABSENT)]
    if entry is not None and row.get("campaign", "").strip() and parent != entry.parent:
        own = "/".join(entry.parent[1:]) if entry.parent else ""
        return None, [("campaign", f"is {own}; a line item stays in its campaign")]
    zone = zone_of(seen, path if entry else parent or path)
    body, patch, wrong = entry.body if entry else {}, {}, []
    for key, column in COLUMNS.items():
        if key not in row:
            continue
        try:
            given = _cell(column, row[key], zone)
            if given != _cell(column, column.show(body.get(key), zone), zone):
                patch[key] = given
        except ValueError as error:
            wrong.append((key, str(error)))
    version = row.get("version", "").strip()
    if version and not (version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS):
        wrong.append(("version", f"{version[:40]!r} is not a number"))
    if wrong:
        return None, wrong
    if entry is None:
        return Edit("add", path, patch, parent), []
    return (Edit("change", path, patch, version=int(version) if version else None) if patch else None), []


def _cell(column: Column, text: str, zone: ZoneInfo) -> Any:
    """What a cell says. Raises ValueError."""
    text = text.strip()
    if len(text) > _MOST_CELL_CHARS:
        raise ValueError(f"is longer than {_MOST_CELL_CHARS} characters")
    return column.read(text, zone) if text else column.empty


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell
