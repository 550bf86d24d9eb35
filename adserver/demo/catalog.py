"""The demo's catalog file and a day → the catalog with its flights around that day.

The file has fixed dates, as any catalog; a demo that is started years later must still find its campaigns
running and two weeks of history behind them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from adserver.catalog.file import load
from adserver.catalog.model import Advertiser, Campaign, Catalog, LineItem

CATALOG_FILE = Path(__file__).parent / "catalog.toml"
#: The time zone of the newsroom, the same as in the file: its days are cut here.
ZONE = ZoneInfo("Asia/Kathmandu")
#: The day on which the flights in the file are half over.
_DAY_OF_FILE = date(2026, 11, 21)


def demo_catalog(now: datetime) -> Catalog:
    """The demo's catalog, its flights moved by whole days of its zone so that they lie around `now`.

    `now` is aware. Instants of one day of that zone give equal catalogs.
    """
    catalog = load(CATALOG_FILE)
    shift = now.astimezone(ZONE).date() - _DAY_OF_FILE
    moved = tuple(_move_advertiser(advertiser, shift) for advertiser in catalog.advertiser)
    return catalog.model_copy(update={"advertiser": moved})


def _move_advertiser(advertiser: Advertiser, shift: timedelta) -> Advertiser:
    campaigns = tuple(_move_campaign(campaign, shift) for campaign in advertiser.campaign)
    return advertiser.model_copy(update={"campaign": campaigns})


def _move_campaign(campaign: Campaign, shift: timedelta) -> Campaign:
    items = tuple(_move_line_item(item, shift) for item in campaign.line_item)
    return campaign.model_copy(update={"line_item": items})


def _move_line_item(item: LineItem, shift: timedelta) -> LineItem:
    flight = {"start": _move(item.start, shift), "end": _move(item.end, shift)}
    return item.model_copy(update=flight)


def _move(at: datetime | None, shift: timedelta) -> datetime | None:
    """An instant as many calendar days later, at the same time of day in the newsroom."""
    return None if at is None else (at.astimezone(ZONE) + shift).astimezone(UTC)
