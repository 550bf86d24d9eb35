"""A catalog version → who is behind each creative that was ever counted, removed ones included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from adserver.engines.catalog_store import Stored


class Owner(NamedTuple):
    """A creative and what it is in; all names are empty where nothing is known of it. `tier`: as in files."""

    creative: str
    line_item: str
    campaign: str
    advertiser: str
    tier: str
    archived: bool
    """The line item was removed from the catalog."""


UNKNOWN = Owner("", "", "", "", "", archived=False)


class Owners:
    """Looks owners up in the catalog in service, read through once for each of its versions."""

    def __init__(self, catalog: Callable[[], Stored]) -> None:
        self._catalog = catalog
        self._of: Stored | None = None
        self._owners: Mapping[int, Owner] = {}

    def of_creatives(self) -> Mapping[int, Owner]:
        """Creative id → its owner."""
        stored = self._catalog()
        if stored is not self._of:
            self._owners, self._of = _owners(stored), stored
        return self._owners


def _owners(stored: Stored) -> dict[int, Owner]:
    tiers = {item.name: str(item.tier) for _, _, item in stored.catalog.line_items()}
    names = {number: path[-1] for path, number in stored.ids.items() if path[0] == "creative"}
    owners = {}
    for creative, path in stored.line_items.items():
        _, advertiser, campaign = stored.campaigns[stored.ids[path]]
        archived = path in stored.archived
        tier = str(stored.archived[path].get("tier", "")) if archived else tiers[path[1]]
        owners[creative] = Owner(names[creative], path[1], campaign, advertiser, tier, archived)
    return owners
