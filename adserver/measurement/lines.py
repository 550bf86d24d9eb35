"""What was counted in some days → the lines of a report, all from the same sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from adserver.catalog.model import Tier
from adserver.measurement.counted import Counted
from adserver.measurement.invalid import BY_VALIDITY
from adserver.measurement.owners import UNKNOWN, Owner
from adserver.measurement.totals import Totals, added

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


def day_lines(
    days: Iterable[tuple[date, Counted]], today: date, owners: Mapping[int, Owner]
) -> tuple[DayLine, ...]:
    """One line for each day."""
    lines = []
    for day, found in days:
        tiers: Counter[str] = Counter()
        for creative, totals in found.creatives.items():
            tiers[owners.get(creative, UNKNOWN).tier] += totals.revenue_micros
        earned = {tier: tiers[tier] for tier in TIERS if tiers[tier]}
        lines.append(DayLine(day, found.total, partial=day >= today, tiers=earned))
    return tuple(lines)


def slot_lines(
    names: Mapping[int, str],
    current: set[str],
    now: Counted,
    complete: Sequence[Counted],
    compared: tuple[Counted, Counted] | None,
) -> tuple[SlotLine, ...]:
    """Every slot of the catalog, and removed ones that had traffic; the one that earned most comes first.

    `complete`: the complete days. `compared`: all of these and, where something is compared, those before.
    """
    lines = []
    for number, name in names.items():
        totals = now.slots.get(number, _NOTHING)
        if name in current or totals != _NOTHING:
            days = tuple(day.slots.get(number, _NOTHING) for day in complete)
            both = None
            if compared:
                both = (compared[0].slots.get(number, _NOTHING), compared[1].slots.get(number, _NOTHING))
            lines.append(SlotLine(name, totals, name not in current, days, both))
    return tuple(sorted(lines, key=lambda line: (-line.totals.revenue_micros, line.name)))


def campaign_lines(now: Counted, earlier: Counted, owners: Mapping[int, Owner]) -> tuple[CampaignLine, ...]:
    """Every campaign that earned anything now or earlier, the one that added most first."""
    groups: dict[tuple[str, str], list[int]] = {}
    for creative in sorted({*now.creatives, *earlier.creatives}):
        owner = owners.get(creative, UNKNOWN)
        groups.setdefault((owner.advertiser, owner.campaign), []).append(creative)
    lines = []
    for (advertiser, name), found in groups.items():
        totals, before = (
            added(side.creatives[one] for one in found if one in side.creatives) for side in (now, earlier)
        )
        archived = all(owners.get(one, UNKNOWN).archived for one in found)
        if totals.revenue_micros or before.revenue_micros:
            lines.append(CampaignLine(advertiser, name, archived, totals, before))
    return tuple(sorted(lines, key=lambda line: (-line.change_micros, line.advertiser, line.name)))


def creative_lines(now: Counted, owners: Mapping[int, Owner]) -> tuple[CreativeLine, ...]:
    """Every creative that was anything in the period, the one with the most impressions first."""
    lines = [
        CreativeLine(owners.get(one, UNKNOWN), totals)
        for one, totals in sorted(now.creatives.items())
        if totals != _NOTHING
    ]
    return tuple(sorted(lines, key=lambda line: (-line.totals.impression_count, line.owner)))


def marked_lines(marked: Mapping[str, Totals]) -> tuple[MarkedLine, ...]:
    """One line for each rule that anything met, in the order of the rules."""
    return tuple(
        MarkedLine(
            rule.name,
            rule.sentence,
            rule.source,
            found.request_count,
            found.impression_count,
            found.viewable_count,
            found.click_count,
            found.conversion_count,
        )
        for rule in BY_VALIDITY.values()
        if (found := marked.get(rule.name))
    )


def unfilled_lines(unfilled: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """(reason, request count) of requests that got nothing, the most frequent first."""
    return tuple(sorted(unfilled.items(), key=lambda pair: (-pair[1], pair[0])))
