"""A network's daily earnings report → what each slot and creative earned, so that estimates become facts.

AdSense's CSV: a date, an ad unit, impressions, clicks, and earnings in the currency that the column's title
names. A report knows ad units, not slots: what a unit earned on a day is shared out by the impressions that
were counted of its creatives that day, to the last micro.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

from adserver.catalog.creative import Creative
from adserver.catalog.model import Catalog, LineItem
from adserver.clock import to_day
from adserver.engines.sqlite_earnings import Delivered, Earning
from adserver.errors import Fault, InvalidInput
from adserver.money import parse_micros

#: Largest report that is read, in bytes: some hundred thousand lines.
MAX_BYTES = 20_000_000
_MOST_FAULTS = 50
#: Titles of columns, in AdSense's reports and in those of its API; the first that is there is taken.
_TITLES: Mapping[str, tuple[str, ...]] = {
    "date": ("date", "day"),
    "unit": ("ad unit id", "ad_unit_id", "ad unit", "ad_unit_name", "ad units"),
    "impressions": ("impressions", "ad impressions", "ad_impressions"),
    "clicks": ("clicks",),
    "earnings": ("estimated earnings", "estimated_earnings", "earnings"),
}
#: Their last lines are no days.
_SUMMARIES = ("", "total", "totals", "average", "averages")
_CURRENCY = re.compile(r"\s*\(([A-Z]{3})\)$")
_AMOUNT = re.compile(r"[^0-9.,-]{0,5}([0-9][0-9,]*(?:\.[0-9]{1,6})?)")


class Line(NamedTuple):
    """One ad unit on one day."""

    day: date
    unit: str
    impression_count: int
    click_count: int
    earned_micros: int


@dataclass(frozen=True, slots=True)
class EarningsReport:
    """A whole file. `currency` is None where its title does not name it."""

    file: str
    currency: str | None
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True)
class Outlet:
    """A creative of a network, and the slot that is meant where nothing was counted of it."""

    creative: int
    name: str
    first_slot: int | None


def read_report(path: Path) -> EarningsReport:
    """Read and check a whole file. Raises InvalidInput with each faulty line (the first 50 of them)."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InvalidInput.one(str(path), "", f"is larger than {MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
        # AdSense has written UTF-16 with tabs, spreadsheets write semicolons.
        text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
        title = text.partition("\n")[0]
        delimiter = max(",\t;", key=title.count)
        return _read(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput.one(str(path), "", f"cannot be read: {error}") from None


def _read(reader: Iterator[list[str]], file: str) -> EarningsReport:
    titles = [title.strip() for title in next(reader, [])]
    currencies = [match[1] if (match := _CURRENCY.search(title)) else None for title in titles]
    plain = [_CURRENCY.sub("", title).lower() for title in titles]
    found = {
        column: next((plain.index(name) for name in names if name in plain), None)
        for column, names in _TITLES.items()
    }
    missing = [f"no column {_TITLES[column][0]!r}" for column, place in found.items() if place is None]
    if missing:
        raise InvalidInput.one(file, "line 1", f"has {', '.join(missing)}")
    places = {column: place for column, place in found.items() if place is not None}
    lines: list[Line] = []
    faults: list[Fault] = []
    for number, row in enumerate(reader, 2):
        cells = {column: row[place].strip() if place < len(row) else "" for column, place in places.items()}
        if cells["date"].lower() in _SUMMARIES:
            continue
        try:
            lines.append(_line(cells))
        except ValueError as error:
            faults.append(Fault(file, f"line {number}", str(error)))
    if len(faults) > _MOST_FAULTS:
        more = Fault(file, "", f"and {len(faults) - _MOST_FAULTS} more lines with faults")
        faults = [*faults[:_MOST_FAULTS], more]
    if faults:
        raise InvalidInput(faults)
    return EarningsReport(file, currencies[places["earnings"]], lines)


def _line(cells: Mapping[str, str]) -> Line:
    try:
        day = date.fromisoformat(cells["date"])
    except ValueError:
        raise ValueError(f"{cells['date'][:40]!r} is not a date such as 2026-11-24") from None
    if not cells["unit"]:
        raise ValueError("names no ad unit")
    amount = _AMOUNT.fullmatch(cells["earnings"])
    if not amount:
        raise ValueError(f"{cells['earnings'][:40]!r} is not an amount such as 12.34")
    # The API says "ca-pub-1234567890123456:9876543210".
    unit = cells["unit"].rpartition(":")[2]
    earned = parse_micros(amount[1].replace(",", ""))
    return Line(day, unit, _count(cells["impressions"]), _count(cells["clicks"]), earned)


def _count(text: str) -> int:
    plain = text.replace(",", "")
    if not re.fullmatch("[0-9]{1,12}", plain):
        raise ValueError(f"{text[:40]!r} is not a count")
    return int(plain)


def outlets_of(catalog: Catalog, ids: Mapping[tuple[str, ...], int]) -> dict[str, list[Outlet]]:
    """Number of an ad unit, and name of a creative of a network → the creatives that it may stand for."""
    found: dict[str, list[Outlet]] = defaultdict(list)
    for _, _, item in catalog.line_items():
        for creative in item.creative:
            if creative.kind == "network":
                slot = _first_slot(catalog, ids, item, creative)
                outlet = Outlet(ids["creative", creative.name], creative.name, slot)
                for name in dict.fromkeys((creative.name, creative.unit or "")):
                    found[name].append(outlet)
    return found


def _first_slot(
    catalog: Catalog, ids: Mapping[tuple[str, ...], int], item: LineItem, creative: Creative
) -> int | None:
    target = item.target
    for site in catalog.site:
        for slot in site.slot:
            aimed = target.site is None or site.name in target.site
            if aimed and (target.slot is None or slot.name in target.slot) and creative.size in slot.sizes:
                return ids["slot", site.name, slot.name]
    return None


def share_out(
    report: EarningsReport, outlets: Mapping[str, Sequence[Outlet]], delivered: Sequence[Delivered]
) -> tuple[list[Earning], list[tuple[int, int]]]:
    """A report whose units are all known → its earnings, and the (day, creative) of which it tells.

    Raises InvalidInput for a unit that never stood in a slot and can stand in none.
    """
    told: dict[tuple[int, str], Line] = {}
    for line in report.lines:
        key = (to_day(line.day), line.unit)
        before = told.get(key)
        more = (
            Line(line.day, line.unit, *map(sum, zip(before[2:], line[2:], strict=True))) if before else line
        )
        told[key] = more
    counted: dict[tuple[int, int], list[Delivered]] = defaultdict(list)
    for one in delivered:
        counted[one.day, one.creative].append(one)
    earnings: list[Earning] = []
    faults: list[Fault] = []
    for (day, unit), line in told.items():
        known = outlets[unit]
        places = [one for outlet in known for one in counted[day, outlet.creative] if one.impression_count]
        if not places:
            first = next((outlet for outlet in known if outlet.first_slot is not None), None)
            if first is None or first.first_slot is None:
                faults.append(Fault(report.file, f"ad unit {unit!r}", "stands in no slot of the catalog"))
                continue
            places = [Delivered(day, first.first_slot, first.creative, 1, 0)]
        earnings += _shares(line, day, places)
    if faults:
        raise InvalidInput(faults)
    return earnings, [(day, outlet.creative) for day, unit in told for outlet in outlets[unit]]


def _shares(line: Line, day: int, places: Sequence[Delivered]) -> Iterator[Earning]:
    """A line in proportion to impressions; what does not divide goes to those that lose most by it."""
    weights = [place.impression_count for place in places]
    shares = [_split(total, weights) for total in line[2:]]
    for place, *parts in zip(places, *shares, strict=True):
        yield Earning(day, place.slot, place.creative, *parts)


def _split(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts in proportion to weights, by largest remainder: they add up to the total."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in order[: total - sum(parts)]:
        parts[i] += 1
    return parts
