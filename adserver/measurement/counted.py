"""Sums of a day by slot and by creative → what was counted then, and in any number of days."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar
from weakref import WeakKeyDictionary

from adserver.engines.day_sums import Day
from adserver.engines.sqlite_report import Sums
from adserver.measurement.log import FILLED, HEADER_BID
from adserver.measurement.totals import Totals, added, fold, of_auction, rule_of

K = TypeVar("K")

#: So many runs of days are kept added up, each with a line for every slot and creative.
_MOST_RUNS = 64


@dataclass(frozen=True)
class Counted:
    """What was counted, by the ids of slots, and once more by those of creatives; no key: nothing.

    `unfilled`: the reasons of requests that got nothing. `marked`: by rule, what does not count for it, under
    the names of what does.
    """

    slots: Mapping[int, Totals]
    creatives: Mapping[int, Totals]
    unfilled: Mapping[str, int]
    marked: Mapping[str, Totals]

    @cached_property
    def total(self) -> Totals:
        """Of all slots."""
        return added(self.slots.values())


class Counting:
    """Counts days, those that did not change once only."""

    def __init__(self) -> None:
        self._days: WeakKeyDictionary[Day[Sums], Counted] = WeakKeyDictionary()
        self._runs: OrderedDict[tuple[Day[Sums], ...], Counted] = OrderedDict()

    def of_day(self, day: Day[Sums]) -> Counted:
        """What was counted in one day."""
        found = self._days.get(day)
        if found is None:
            found = self._days[day] = counted(day.rows)
        return found

    def of_parts(self, parts: Sequence[Day[Sums]]) -> Counted:
        """What was counted in one day that was read in parts."""
        return self.of_day(parts[0]) if len(parts) == 1 else summed([self.of_day(part) for part in parts])

    def of_days(self, days: Iterable[Day[Sums]]) -> Counted:
        """What was counted in a run of days that will be asked for again."""
        run = tuple(days)
        found = self._runs.pop(run, None) or summed([self.of_day(day) for day in run])
        self._runs[run] = found
        if len(self._runs) > _MOST_RUNS:
            self._runs.popitem(last=False)
        return found


def counted(rows: Iterable[Sums]) -> Counted:
    """Rows of one kind each are added up."""
    slots: defaultdict[int, list[Sums]] = defaultdict(list)
    creatives: defaultdict[int, list[Sums]] = defaultdict(list)
    unfilled: Counter[str] = Counter()
    marked: defaultdict[str, list[Sums]] = defaultdict(list)
    for row in rows:
        if row.creative is not None:
            creatives[row.creative].append(row)
            continue
        slots[row.slot].append(row)
        if rule := rule_of(row):
            marked[rule].append(row)
        elif row.outcome not in (None, FILLED, HEADER_BID) and not of_auction(row):
            unfilled[str(row.outcome)] += row.request_count
    return Counted(
        {slot: fold(some) for slot, some in slots.items()},
        {creative: fold(some) for creative, some in creatives.items()},
        unfilled,
        {rule: _as_counted(some) for rule, some in marked.items()},
    )


def _as_counted(rows: Sequence[Sums]) -> Totals:
    return Totals(
        request_count=sum(row.request_count for row in rows),
        impression_count=sum(row.impression_count for row in rows),
        viewable_count=sum(row.viewable_count for row in rows),
        click_count=sum(row.click_count for row in rows),
        conversion_count=sum(row.conversion_count for row in rows),
    )


def summed(some: Sequence[Counted]) -> Counted:
    """The sum of any number of them."""
    unfilled: Counter[str] = Counter()
    for one in some:
        unfilled.update(one.unfilled)
    return Counted(
        _merged(one.slots for one in some),
        _merged(one.creatives for one in some),
        unfilled,
        _merged(one.marked for one in some),
    )


def _merged(some: Iterable[Mapping[K, Totals]]) -> dict[K, Totals]:
    alike: defaultdict[K, list[Totals]] = defaultdict(list)
    for one in some:
        for key, totals in one.items():
            alike[key].append(totals)
    return {key: added(found) if len(found) > 1 else found[0] for key, found in alike.items()}
