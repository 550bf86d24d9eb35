"""A site's month → closed, once nothing can come for it any more; closed → its statement for advertisers.

What is restated after that is a correction with its date: a statement that was sent is never silently wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from adserver.catalog.model import PriceModel, Tier
from adserver.clock import day_start, from_ms, to_day, to_ms
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_closing import Booked, Month, MonthSum, SqliteClosing
from adserver.errors import InvalidInput
from adserver.measurement.conversion import terms_of
from adserver.measurement.token import MODEL_CODES, MODELS
from adserver.settings import Settings

#: A share of the whole.
WHOLE_PPM = 1_000_000
#: Who pays nobody by a statement: networks by their own reports, and house ads not at all.
_UNBILLED = (Tier.NETWORK, Tier.HOUSE)


class Line(NamedTuple):
    """What counts of one line item and price model in the month, or by how much that changed."""

    advertiser: str
    campaign: str
    line_item: str
    price_model: str
    impression_count: int
    viewable_count: int
    click_count: int
    conversion_count: int
    revenue_micros: int


@dataclass(frozen=True, slots=True)
class Booking:
    """What a month was closed with, or one correction; `at` is aware, in the site's time zone."""

    at: datetime
    author: str
    reason: str
    lines: Sequence[Line]

    @property
    def revenue_micros(self) -> int:
        """Of all lines."""
        return sum(line.revenue_micros for line in self.lines)


@dataclass(frozen=True, slots=True)
class Statement:
    """A closed month of a site. What counts now is the closing, all corrections, and what is pending."""

    site: str
    month: str
    currency: str
    closed: Booking
    corrections: Sequence[Booking]
    pending: Sequence[Line]
    """What changed and is not booked as a correction yet."""
    share_ppm: int = WHOLE_PPM
    """The publisher's part when the month was closed, in millionths."""

    @property
    def revenue_micros(self) -> int:
        """Closed, and corrected since; without what is pending."""
        return self.closed.revenue_micros + sum(one.revenue_micros for one in self.corrections)

    @property
    def publisher_micros(self) -> int:
        """The publisher's share of it, rounded down."""
        return self.revenue_micros * self.share_ppm // WHOLE_PPM

    def of(self, advertiser: str) -> Statement:
        """What one advertiser is sent: its own lines, and nothing of how they are shared."""

        def own(lines: Sequence[Line]) -> list[Line]:
            return [line for line in lines if line.advertiser == advertiser]

        closed, *corrections = [
            replace(one, lines=own(one.lines)) for one in (self.closed, *self.corrections)
        ]
        return replace(
            self,
            closed=closed,
            corrections=[one for one in corrections if one.lines],
            pending=own(self.pending),
            share_ppm=WHOLE_PPM,
        )

    def owed(self) -> dict[str, tuple[int, int]]:
        """Advertiser → what it owed when the month was closed, and by how much that changed; in micros."""
        closed, corrected = _by_advertiser([self.closed]), _by_advertiser(self.corrections)
        return {name: (closed[name], corrected[name]) for name in sorted(closed.keys() | corrected.keys())}


def _by_advertiser(bookings: Iterable[Booking]) -> Counter[str]:
    owed: Counter[str] = Counter()
    for booking in bookings:
        for line in booking.lines:
            owed[line.advertiser] += line.revenue_micros
    return owed


class _Site(NamedTuple):
    zone: ZoneInfo
    currency: str
    share_ppm: int


def close_month(
    engine: SqliteClosing,
    stored: Stored,
    settings: Settings,
    site: str,
    month: str,
    now: datetime,
    *,
    author: str,
    force: bool = False,
) -> Booked | None:
    """Freeze the sums of a month, or book what changed since it was; None where nothing did.

    Raises InvalidInput where the month is not over or, unless it is forced, where something that was shown in
    it can still come to count; StorageFailed with nothing changed.
    """
    found, end = _month(stored, site, month)
    if now < end:
        raise InvalidInput.one("", "MONTH", f"{month} of {site} ends at {_at(end)}; close it after that")
    settled = end + _longest_wait(engine.open_sums(found, to_ms(end)), stored, settings)
    if now < settled and not force:
        problem = f"what was shown in {month} on {site} can come to count until {_at(settled)}"
        raise InvalidInput.one("", "MONTH", f"{problem}; close it then, or now with --force")
    early = " before all could count" if now < settled else ""
    reason = f"closed by hand{early}" if engine.read(site, month) is None else "counted since"
    return engine.book(found, to_ms(end), to_ms(now), author, reason)


def statement(engine: SqliteClosing, stored: Stored, site: str, month: str) -> Statement | None:
    """The statement of a closed month; None where it is not closed. Blocks, so give it a thread.

    Raises InvalidInput where there is no such site or month, and StorageFailed.
    """
    _month(stored, site, month)
    known = _site(stored, site)
    read = engine.read(site, month)
    if read is None:
        return None
    closed, *corrections = [
        Booking(from_ms(one.at_ms).astimezone(known.zone), one.author, one.reason, _lines(one.sums, stored))
        for one in read.booked
    ]
    pending = _lines(read.pending, stored)
    return Statement(site, month, known.currency, closed, corrections, pending, read.share_ppm)


def _month(stored: Stored, site: str, text: str) -> tuple[Month, datetime]:
    """A month of a site, and when it is over."""
    known = _site(stored, site)
    try:
        first = date.fromisoformat(f"{text}-01")
    except ValueError:
        raise InvalidInput.one("", "MONTH", f"{text[:40]!r} is not a month such as 2026-10") from None
    after = (first + timedelta(days=31)).replace(day=1)
    slots = sorted(number for path, number in stored.ids.items() if path[:2] == ("slot", site))
    month = Month(site, text, to_day(first), to_day(after) - 1, slots, known.share_ppm)
    return month, day_start(after, known.zone)


def _site(stored: Stored, name: str) -> _Site:
    """A site's time zone, currency and share, as they are or were last."""
    for site in stored.catalog.site:
        if site.name == name:
            return _Site(site.zone, site.currency, round(WHOLE_PPM * site.revenue_share))
    body = stored.archived.get(("site", name))
    if body is None:
        known = ", ".join(site.name for site in stored.catalog.site) or "none"
        raise InvalidInput.one("", "--site", f"{name!r} was never in the catalog (it has {known})")
    share_ppm = round(WHOLE_PPM * float(body.get("revenue_share", 1)))
    return _Site(ZoneInfo(str(body["timezone"])), str(body["currency"]), share_ppm)


def _longest_wait(sums: Sequence[MonthSum], stored: Stored, settings: Settings) -> timedelta:
    """How long after it was shown something may come to count: orders only where they are paid for."""
    click = settings.click_window_seconds
    windows = terms_of(stored, settings).windows()
    orders = [
        click + max(windows.get(one.item, (0, 0))) // 1000
        for one in sums
        if one.model == MODEL_CODES[PriceModel.CPA]
    ]
    return timedelta(seconds=max(settings.impression_window_seconds, click, *orders))


def _lines(sums: Sequence[MonthSum], stored: Stored) -> list[Line]:
    """By advertiser, campaign and line item; those that nobody is billed for left out."""
    names = {number: path[1] for path, number in stored.ids.items() if path[0] == "line_item"}
    tiers: dict[str, Any] = {item.name: item.tier for _, _, item in stored.catalog.line_items()}
    lines = []
    for one in sums:
        name = names.get(one.item, "")
        body: Mapping[str, Any] = stored.archived.get(("line_item", name), {})
        if tiers.get(name, body.get("tier")) in _UNBILLED:
            continue
        _, advertiser, campaign = stored.campaigns.get(one.item, ("campaign", "", ""))
        model = MODELS[one.model]
        lines.append(Line(advertiser, campaign, name, str(model) if model else "", *one[2:]))
    return sorted(lines)


def _at(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
