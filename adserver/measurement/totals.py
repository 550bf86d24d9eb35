"""Rows of sums → what was counted in all of them, with its ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

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
        return Totals(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

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


def fold(rows: Sequence[Sums]) -> Totals:
    """The totals of any set of rows."""
    valid = [row for row in rows if not rule_of(row)]
    auctions = [row for row in valid if of_auction(row)]
    net = [row for row in valid if not of_auction(row)]
    marked = [row for row in rows if rule_of(row)]
    return Totals(
        request_count=sum(row.request_count for row in net),
        fill_count=sum(row.request_count for row in net if row.outcome in (FILLED, HEADER_BID)),
        impression_count=sum(row.impression_count for row in net),
        measurable_count=sum(row.measurable_count for row in net),
        viewable_count=sum(row.viewable_count for row in net),
        click_count=sum(row.click_count for row in net),
        conversion_count=sum(row.conversion_count for row in net),
        revenue_micros=sum(row.revenue_micros for row in net),
        marked_request_count=sum(row.request_count for row in marked),
        marked_impression_count=sum(row.impression_count for row in marked),
        marked_click_count=sum(row.click_count for row in marked),
        marked_conversion_count=sum(row.conversion_count for row in marked),
        header_bid_count=sum(row.request_count for row in net if row.outcome == HEADER_BID),
        auction_count=sum(row.request_count for row in auctions),
        bid_count=sum(row.request_count for row in auctions if row.outcome == AUCTION + BID),
        network_impression_count=sum(row.network_impression_count for row in net),
        unfilled_count=sum(row.unfilled_count for row in net),
        no_answer_count=sum(row.no_answer_count for row in net),
        network_micros=sum(row.network_micros for row in net),
        network_estimate_micros=sum(row.network_estimate_micros for row in net),
        video_start_count=sum(row.video_start_count for row in net),
        video_complete_count=sum(row.video_complete_count for row in net),
    )


def of_auction(row: Sums) -> bool:
    """Whether a row counts auctions that were held elsewhere."""
    return row.outcome is not None and row.outcome.startswith(AUCTION)


def rule_of(row: Sums) -> str:
    """The name of the rule by which a row does not count; empty where it does."""
    if row.validity:
        return Validity(row.validity).name.lower()
    return row.outcome[len(INVALID) :] if row.outcome and row.outcome.startswith(INVALID) else ""
