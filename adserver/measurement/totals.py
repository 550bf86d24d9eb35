"""Rows of sums → what was counted in all of them, with its ratios."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter

from adserver.engines.sqlite_report import Sums
from adserver.measurement.event import Validity
from adserver.measurement.log import AUCTION, BID, FILLED, HEADER_BID, INVALID


@dataclass(frozen=True, slots=True)
class Totals:
    """What was counted, and its ratios: ratios of sums, in [0, 1]; None where the divisor is 0.

    All of it is net, but for what `marked_…` says was recorded and does not count, for whatever reason. What
    begins with `network_` is the part of networks; of their revenue, `network_estimate_micros` is estimated.
    """

    request_count: int = 0
    fill_count: int = 0
    impression_count: int = 0
    measurable_count: int = 0
    viewable_count: int = 0
    click_count: int = 0
    revenue_micros: int = 0
    marked_request_count: int = 0
    marked_impression_count: int = 0
    marked_click_count: int = 0
    header_bid_count: int = 0
    """Fills that went to a header bid: the page drew it, and what it earned is in its bidder's reports."""
    conversion_count: int = 0
    marked_conversion_count: int = 0
    auction_count: int = 0
    """How often an auction held elsewhere asked for the slot; not among requests."""
    bid_count: int = 0
    """Bids in these auctions. What came of those that won is in impressions, clicks and revenue."""
    network_impression_count: int = 0
    unfilled_count: int = 0
    no_answer_count: int = 0
    network_micros: int = 0
    network_estimate_micros: int = 0
    video_start_count: int = 0
    """Videos that began to play, and those of them that were played to their end."""
    video_complete_count: int = 0

    def __add__(self, other: Totals) -> Totals:
        return added((self, other))

    @property
    def gross_request_count(self) -> int:
        """Requests, those of invalid traffic too."""
        return self.request_count + self.marked_request_count

    @property
    def gross_impression_count(self) -> int:
        """Impressions that were reported, whether they count or not."""
        return self.impression_count + self.marked_impression_count

    @property
    def gross_click_count(self) -> int:
        """Clicks that passed, whether they count or not."""
        return self.click_count + self.marked_click_count

    @property
    def gross_conversion_count(self) -> int:
        """Orders that were reported, whether they count or not."""
        return self.conversion_count + self.marked_conversion_count

    @property
    def network_request_count(self) -> int:
        """Fills that went to a network, and of which it is known what became."""
        return self.network_impression_count + self.unfilled_count + self.no_answer_count

    @property
    def network_fill_rate(self) -> float | None:
        """Of these, those that the network filled."""
        return _ratio(self.network_impression_count, self.network_request_count)

    @property
    def direct_micros(self) -> int:
        """Revenue but for that of networks."""
        return self.revenue_micros - self.network_micros

    @property
    def fill_rate(self) -> float | None:
        """Fills ÷ requests."""
        return _ratio(self.fill_count, self.request_count)

    @property
    def viewability(self) -> float | None:
        """Viewable ÷ measurable impressions."""
        return _ratio(self.viewable_count, self.measurable_count)

    @property
    def video_completion_rate(self) -> float | None:
        """Videos that were played to their end ÷ those that began."""
        return _ratio(self.video_complete_count, self.video_start_count)

    @property
    def ctr(self) -> float | None:
        """Clicks ÷ impressions."""
        return _ratio(self.click_count, self.impression_count)

    @property
    def ecpm_micros(self) -> int | None:
        """Revenue of a thousand impressions, rounded half up to whole micros."""
        return _per_thousand(self.revenue_micros, self.impression_count)

    @property
    def rpm_micros(self) -> int | None:
        """Revenue of a thousand requests, rounded half up to whole micros."""
        return _per_thousand(self.revenue_micros, self.request_count)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _per_thousand(micros: int, count: int) -> int | None:
    return (2000 * micros + count) // (2 * count) if count else None


_VALUES = attrgetter(*(field.name for field in fields(Totals)))


def added(some: Iterable[Totals]) -> Totals:
    """The sum of any number of totals, as `sum` would make it and ten times as fast."""
    return Totals(*map(sum, zip(*map(_VALUES, some), strict=True)))


#: Where the counts of a row begin, and where they end.
_FIRST, _LAST = Sums._fields.index("request_count"), Sums._fields.index("creative")


_NO_COUNTS = Sums(0, None, *[0] * (_LAST - _FIRST))


def _counts(rows: Sequence[Sums]) -> Sums:
    """The counts of all rows, as those of one; of most cells there is no other, which needs no sum."""
    if len(rows) < 2:
        return rows[0] if rows else _NO_COUNTS
    return Sums(0, None, *map(sum, zip(*(row[_FIRST:_LAST] for row in rows), strict=True)))


def fold(rows: Sequence[Sums]) -> Totals:
    """The totals of any set of rows."""
    marked: list[Sums] = []
    auctions: list[Sums] = []
    net: list[Sums] = []
    for row in rows:
        (marked if rule_of(row) else auctions if of_auction(row) else net).append(row)
    counted, not_counted = _counts(net), _counts(marked)
    filled = [row.request_count for row in net if row.outcome in (FILLED, HEADER_BID)]
    return Totals(
        request_count=counted.request_count,
        fill_count=sum(filled),
        impression_count=counted.impression_count,
        measurable_count=counted.measurable_count,
        viewable_count=counted.viewable_count,
        click_count=counted.click_count,
        conversion_count=counted.conversion_count,
        revenue_micros=counted.revenue_micros,
        marked_request_count=not_counted.request_count,
        marked_impression_count=not_counted.impression_count,
        marked_click_count=not_counted.click_count,
        marked_conversion_count=not_counted.conversion_count,
        header_bid_count=sum(row.request_count for row in net if row.outcome == HEADER_BID),
        auction_count=sum(row.request_count for row in auctions),
        bid_count=sum(row.request_count for row in auctions if row.outcome == AUCTION + BID),
        network_impression_count=counted.network_impression_count,
        unfilled_count=counted.unfilled_count,
        no_answer_count=counted.no_answer_count,
        network_micros=counted.network_micros,
        network_estimate_micros=counted.network_estimate_micros,
        video_start_count=counted.video_start_count,
        video_complete_count=counted.video_complete_count,
    )


def of_auction(row: Sums) -> bool:
    """Whether a row counts auctions that were held elsewhere."""
    return row.outcome is not None and row.outcome.startswith(AUCTION)


def rule_of(row: Sums) -> str:
    """The name of the rule by which a row does not count; empty where it does."""
    if row.validity:
        return Validity(row.validity).name.lower()
    return row.outcome[len(INVALID) :] if row.outcome and row.outcome.startswith(INVALID) else ""
