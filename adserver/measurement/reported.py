"""What networks reported beside their estimates → rows like those of events, for reports by line item.

Networks say what they paid by day and ad unit, and nothing of devices, countries or sections. So a report
that cuts events by these has what was reported in a line of its own, and its total is that of all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from adserver.engines.catalog_store import Stored
from adserver.engines.day_sums import Day
from adserver.engines.sqlite_breakdown import SUMS
from adserver.engines.sqlite_cuts import ItemSums
from adserver.engines.sqlite_reported import Reported
from adserver.measurement.report import Choice, numbered

_COUNTS = dict.fromkeys(SUMS, 0)


class Source(Protocol):
    """Where reports of networks are kept."""

    async def reported(
        self, cuts: Sequence[tuple[int, int, int]], slots: Sequence[int], /
    ) -> list[Day[Reported]]:
        """Days (half-open range of buckets, number of the local day) × slots → what was reported."""
        ...


async def beside_estimates(
    source: Source, stored: Stored, choice: Choice, slots: Sequence[int], items: Sequence[int] | None = None
) -> list[ItemSums]:
    """Days × slots × line items of networks: revenue that was reported, less what was estimated.

    `items`: of these line items alone; None: of all.
    """
    wanted = None if items is None else set(items)
    found = []
    for reports in await source.reported(numbered(choice.period), slots):
        for day, slot, creative, micros in reports.rows:
            item = stored.ids[stored.line_items[creative]]
            if wanted is None or item in wanted:
                found.append(ItemSums(day=day, slot=slot, item=item, **{**_COUNTS, "revenue_micros": micros}))
    return found
