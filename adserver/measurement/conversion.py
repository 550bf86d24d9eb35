"""Fill token and reported order → a conversion for the log, on its campaign's terms.

Whether it counts is judged where it is written (`engines.sqlite_conversions`): only the log knows whether the
fill was clicked, and whether the order was counted before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adserver.catalog.model import Lookback, seconds_of
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_conversions import Conversion
from adserver.measurement.event import Event
from adserver.settings import Settings

_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What an advertiser says of one order: its own id for it and, if it likes, what it was worth."""

    id: str
    value_micros: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """Who bought each line item there ever was, and how long after a click or a view orders are its own."""

    campaigns: Mapping[int, _Path]
    ids: Mapping[_Path, int]
    lookbacks: Mapping[_Path, Lookback]
    """Of the campaigns that have their own."""
    click_ms: int
    view_ms: int

    def conversion(self, event: Event, order: Order) -> Conversion | None:
        """An order of a line item's advertiser; None where the line item was never in the catalog."""
        campaign = self.campaigns.get(event.item)
        if campaign is None:
            return None
        advertiser = self.ids["advertiser", campaign[1]]
        return Conversion(event, advertiser, order.id, order.value_micros, *self._windows(campaign))

    def windows(self) -> dict[int, tuple[int, int]]:
        """Line item → how many ms after a click, and after a view, orders are its own."""
        return {item: self._windows(campaign) for item, campaign in self.campaigns.items()}

    def _windows(self, campaign: _Path) -> tuple[int, int]:
        own = self.lookbacks.get(campaign, Lookback())
        return (
            seconds_of(own.click) * 1000 if own.click else self.click_ms,
            seconds_of(own.view) * 1000 if own.view else self.view_ms,
        )


def terms_of(stored: Stored, settings: Settings) -> Terms:
    """The terms of a catalog version; campaigns that were removed keep theirs."""
    lookbacks = {
        ("campaign", advertiser.name, campaign.name): campaign.lookback
        for advertiser in stored.catalog.advertiser
        for campaign in advertiser.campaign
        if campaign.lookback
    }
    archived: dict[_Path, Any] = {
        path: body["lookback"]
        for path, body in stored.archived.items()
        if path[0] == "campaign" and "lookback" in body
    }
    return Terms(
        stored.campaigns,
        stored.ids,
        lookbacks | {path: Lookback.model_validate(body) for path, body in archived.items()},
        settings.click_lookback_seconds * 1000,
        settings.view_lookback_seconds * 1000,
    )
