"""The database's catalog → the objects of it that a principal sees, as they are at this moment.

What serves may be half a second behind; whoever has just changed something wants to see it changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adserver.accounts.model import Principal
from adserver.accounts.ownership import visible_entries
from adserver.catalog.plan import Entry, Path
from adserver.engines.catalog_store import CatalogStore, State


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees of one version of the catalog."""

    version: int
    entries: Mapping[Path, Entry]
    versions: Mapping[Path, int]
    """Object → the version that gave it its present form."""

    def of_kind(self, kind: str) -> dict[Path, Entry]:
        """The objects of one kind, in their order within what they are in."""
        found = [(path, entry) for path, entry in self.entries.items() if path[0] == kind]
        return dict(sorted(found, key=lambda pair: (pair[1].parent or (), pair[1].position)))

    def inside(self, parent: Path) -> dict[Path, Entry]:
        """The objects directly in another, in their order."""
        found = [(path, entry) for path, entry in self.entries.items() if entry.parent == parent]
        return dict(sorted(found, key=lambda pair: (pair[0][0], pair[1].position)))

    def above(self, path: Path) -> list[Path]:
        """What an object is in, from the outermost on."""
        above: list[Path] = []
        parent = self.entries[path].parent
        while parent is not None:
            above.insert(0, parent)
            parent = self.entries[parent].parent
        return above


class Objects:
    """Reads the objects of now, and keeps those of one version for the next who asks."""

    def __init__(self, store: CatalogStore, url: str) -> None:
        """`url` leads to the same database: what takes long is read in a thread of its own."""
        self._store = store
        self._url = url
        self._state: State | None = None
        self._loading = asyncio.Lock()

    async def seen_by(self, principal: Principal) -> Seen:
        """What somebody sees now."""
        version = await self._store.version()
        if self._state is None or self._state.version != version:
            async with self._loading:
                if self._state is None or self._state.version != version:
                    self._state = await asyncio.to_thread(lambda: asyncio.run(_load(self._url)))
        state = self._state
        return Seen(state.version, visible_entries(principal, state.entries), state.versions)


def state_at(line_item: Mapping[str, Any], now: datetime) -> str:
    """Whether a line item, by its body, may serve at a time: `paused`, `scheduled`, `ended` or `live`."""
    if line_item.get("paused"):
        return "paused"
    start, end = line_item.get("start"), line_item.get("end")
    if end is not None and datetime.fromisoformat(end) <= now:
        return "ended"
    if start is not None and datetime.fromisoformat(start) > now:
        return "scheduled"
    return "live"


async def _load(url: str) -> State:
    store = await CatalogStore.open(url)
    try:
        return await store.state()
    finally:
        await store.close()
