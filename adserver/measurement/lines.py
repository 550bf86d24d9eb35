"""Sums of days × slots and of days × creatives → the lines of a report, all added up from the same cells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from adserver.catalog.model import Tier
from adserver.engines.sqlite_report import Sums
from adserver.measurement.invalid import BY_VALIDITY
from adserver.measurement.log import FILLED, HEADER_BID
from adserver.measurement.owners import UNKNOWN, Owner
from adserver.measurement.totals import Totals, fold, of_auction, rule_of

#: In the order in which they are decided; last what is of no known creative.
TIERS = (*(str(tier) for tier in Tier), "")
_NOTHING = Totals()


@dataclass(frozen=True, slots=True)
class DayLine:
    """One local day. `partial`: it is not over. `tiers`: revenue in micros of the tiers that earned any."""

    day: date
    totals: Totals
    partial: bool
    tiers: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One slot. `archived`: it was removed from the catalog, its history was not.

    `days`: its complete days in order. `compared`: what `Comparison` has, of this slot alone.
    """

    name: str
    totals: Totals
    archived: bool
    days: tuple[Totals, ...] = ()
    compared: tuple[Totals, Totals] | None = None


@dataclass(frozen=True, slots=True)
class CampaignLine:
    """One campaign: what it earned in the complete days of a period, and in those it is compared with."""

    advertiser: str
    name: str
    archived: bool
    totals: Totals
    earlier_totals: Totals

    @property
    def change_micros(self) -> int:
        """What it adds to the change of revenue, or takes from it."""
        return self.totals.revenue_micros - self.earlier_totals.revenue_micros


@dataclass(frozen=True, slots=True)
class CreativeLine:
    """One creative in the whole period, with what it is in."""

    owner: Owner
    totals: Totals


@dataclass(frozen=True, slots=True)
class MarkedLine:
    """What was recorded and does not count, for one reason, with the sentence and the source of its rule."""

    rule: str
    sentence: str
    source: str
    request_count: int
    impression_count: int
    viewable_count: int
    click_count: int
    conversion_count: int


class Cells:
    """What was counted in each (slot or creative, cut), added up when it is asked for."""

    def __init__(self, rows: Iterable[Sums], *, of_creatives: bool) -> None:
        self._rows: dict[tuple[int, int], list[Sums]] = {}
        self._keys_of_cut: dict[int, list[int]] = {}
        for row in rows:
            if (row.creative is not None) == of_creatives:
                key = row.creative or 0 if of_creatives else row.slot
                cell = self._rows.setdefault((key, row.cut), [])
                if not cell:
                    self._keys_of_cut.setdefault(row.cut, []).append(key)
                cell.append(row)
        self.keys = sorted({key for key, _ in self._rows})

    def over(self, keys: Iterable[int], cuts: Sequence[int]) -> Totals:
        """Of some slots or creatives in several cuts."""
        cells = (self._rows.get((key, cut), ()) for key in keys for cut in cuts)
        return fold([row for cell in cells for row in cell])

    def revenue_micros(self, key: int, cut: int) -> int:
        """What one creative earned in one cut."""
        return sum(row.revenue_micros for row in self._rows.get((key, cut), ()))

    def within(self, cut: int) -> list[int]:
        """The slots or creatives that were anything in a cut."""
        return self._keys_of_cut.get(cut, [])


def day_lines(
    days: Sequence[date],
    first_cut: int,
    today: date,
    slots: Cells,
    creatives: Cells,
    owners: Mapping[int, Owner],
) -> tuple[DayLine, ...]:
    """One line for each day; the cut of the first one is given, those of the others follow it."""
    lines = []
    for cut, day in enumerate(days, start=first_cut):
        tiers: Counter[str] = Counter()
        for creative in creatives.within(cut):
            tiers[owners.get(creative, UNKNOWN).tier] += creatives.revenue_micros(creative, cut)
        earned = {tier: tiers[tier] for tier in TIERS if tiers[tier]}
        lines.append(DayLine(day, slots.over(slots.within(cut), [cut]), partial=day >= today, tiers=earned))
    return tuple(lines)


def slot_lines(
    names: Mapping[int, str], current: set[str], cells: Cells, day_count: int, compared: Sequence[range]
) -> tuple[SlotLine, ...]:
    """Every slot of the catalog, and removed ones that had traffic; the one that earned most comes first.

    `compared`: cuts of the complete days and, where something is compared, of those before.
    """
    lines = []
    for number, name in names.items():
        totals = cells.over([number], range(day_count))
        beside = tuple(cells.over([number], cuts) for cuts in compared)
        if name in current or totals != _NOTHING:
            days = tuple(cells.over([number], [cut]) for cut in compared[0])
            both = (beside[0], beside[1]) if len(beside) > 1 else None
            lines.append(SlotLine(name, totals, name not in current, days, both))
    return tuple(sorted(lines, key=lambda line: (-line.totals.revenue_micros, line.name)))


def campaign_lines(
    cells: Cells, owners: Mapping[int, Owner], compared: Sequence[range]
) -> tuple[CampaignLine, ...]:
    """Every campaign that earned anything on either side, the one that added most first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for creative in cells.keys if len(compared) > 1 else ():
        owner = owners.get(creative, UNKNOWN)
        groups.setdefault((owner.advertiser, owner.campaign), []).append(creative)
    lines = []
    for (advertiser, name), found in groups.items():
        now, earlier = (cells.over(found, cuts) for cuts in compared)
        archived = all(owners.get(one, UNKNOWN).archived for one in found)
        if now.revenue_micros or earlier.revenue_micros:
            lines.append(CampaignLine(advertiser, name, archived, now, earlier))
    return tuple(sorted(lines, key=lambda line: (-line.change_micros, line.advertiser, line.name)))


def creative_lines(cells: Cells, owners: Mapping[int, Owner], day_count: int) -> tuple[CreativeLine, ...]:
    """Every creative that was anything in the period, the one with the most impressions first."""
    lines = [
        CreativeLine(owners.get(one, UNKNOWN), totals)
        for one in cells.keys
        if (totals := cells.over([one], range(day_count))) != _NOTHING
    ]
    return tuple(sorted(lines, key=lambda line: (-line.totals.impression_count, line.owner)))


def marked_lines(rows: Sequence[Sums]) -> tuple[MarkedLine, ...]:
    """One line for each rule that anything met, in the order of the rules."""
    groups: dict[str, list[Sums]] = {}
    for row in rows:
        if name := rule_of(row):
            groups.setdefault(name, []).append(row)
    return tuple(
        MarkedLine(
            rule.name,
            rule.sentence,
            rule.source,
            request_count=sum(row.request_count for row in found),
            impression_count=sum(row.impression_count for row in found),
            viewable_count=sum(row.viewable_count for row in found),
            click_count=sum(row.click_count for row in found),
            conversion_count=sum(row.conversion_count for row in found),
        )
        for rule in BY_VALIDITY.values()
        if (found := groups.get(rule.name))
    )


def unfilled_lines(rows: Iterable[Sums]) -> tuple[tuple[str, int], ...]:
    """(reason, request count) of requests that got nothing, the most frequent first."""
    counts: Counter[str] = Counter()
    for row in rows:
        if row.outcome not in (None, FILLED, HEADER_BID) and not (rule_of(row) or of_auction(row)):
            counts[str(row.outcome)] += row.request_count
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
