"""The database's catalog → the objects of it that a principal sees, as they are at this moment.

What serves may be half a second behind; whoever has just changed something wants to see it changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from adserver.accounts.model import Principal
from adserver.accounts.ownership import visible_entries
from adserver.catalog.plan import Entry, Path
from adserver.engines.catalog_store import CatalogStore, State

#: Of so many different rights it is remembered what they let see.
_MOST_RIGHTS = 50


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody sees of one version of the catalog."""

    version: int
    entries: Mapping[Path, Entry]
    versions: Mapping[Path, int]
    """Object → the version that gave it its present form."""
    _kinds: dict[str, dict[Path, Entry]] = field(default_factory=dict)
    _inside: dict[Path | None, dict[Path, Entry]] = field(default_factory=dict)

    def of_kind(self, kind: str) -> Mapping[Path, Entry]:
        """The objects of one kind, in their order within what they are in."""
        found = self._kinds.get(kind)
        if found is None:
            own = [(path, entry) for path, entry in self.entries.items() if path[0] == kind]
            found = dict(sorted(own, key=lambda pair: (pair[1].parent or (), pair[1].position)))
            self._kinds[kind] = found
        return found

    def inside(self, parent: Path) -> Mapping[Path, Entry]:
        """The objects directly in another, in their order."""
        if not self._inside:
            ordered = sorted(self.entries.items(), key=lambda pair: (pair[0][0], pair[1].position))
            for path, entry in ordered:
                self._inside.setdefault(entry.parent, {})[path] = entry
        return self._inside.get(parent, {})

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
        self._seen: dict[object, Seen] = {}
        """Of that state, by what somebody may see."""
        self._loading = asyncio.Lock()

    async def seen_by(self, principal: Principal) -> Seen:
        """What somebody sees now."""
        version = await self._store.version()
        if self._state is None or self._state.version != version:
            async with self._loading:
                if self._state is None or self._state.version != version:
                    self._state = await asyncio.to_thread(lambda: asyncio.run(_load(self._url)))
                    self._seen.clear()
        rights = (principal.everywhere, principal.role, principal.sites, principal.advertisers)
        seen = self._seen.get(rights)
        if seen is None:
            state = self._state
            seen = Seen(state.version, visible_entries(principal, state.entries), state.versions)
            if len(self._seen) >= _MOST_RIGHTS:
                self._seen.clear()
            self._seen[rights] = seen
        return seen


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


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which line items somebody wants to see; what is empty does not matter."""

    inside: str = ""
    """An advertiser, or a campaign as `advertiser/name`."""
    state: str = ""
    tier: str = ""
    part: str = ""
    """In their name."""


def line_items_of(seen: Seen, wanted: Wanted, now: datetime) -> list[Path]:
    """The line items that somebody wants, in the order of the catalog."""
    return [
        path
        for path, entry in seen.of_kind("line_item").items()
        if wanted.part in path[1]
        and wanted.tier in ("", entry.body.get("tier"))
        and (not wanted.inside or _is_inside(entry, wanted.inside))
        and wanted.state in ("", state_at(entry.body, now))
    ]


def _is_inside(entry: Entry, name: str) -> bool:
    above = "/".join(entry.parent[1:]) if entry.parent else ""
    return above == name or above.startswith(f"{name}/")


def zone_of(seen: Seen, path: Path) -> ZoneInfo:
    """The time zone in which an object's dates are typed: of the first site that it is for."""
    sites: list[str] = []
    if path in seen.entries:
        for one_of in (path, *reversed(seen.above(path))):
            body = seen.entries[one_of].body
            sites += body.get("target", {}).get("site", ()) or body.get("sites", ())
    for name in (*sites, *(site[1] for site in seen.of_kind("site"))):
        entry = seen.entries.get(("site", name))
        if entry:
            return ZoneInfo(entry.body["timezone"])
    return ZoneInfo("UTC")


def local_time(text: str, zone: ZoneInfo) -> datetime:
    """A stored instant in a time zone; as it is where its date there is before year 1 or after 9999."""
    at = datetime.fromisoformat(text)
    try:
        return at.astimezone(zone)
    except OverflowError:
        return at


async def _load(url: str) -> State:
    store = await CatalogStore.open(url)
    try:
        return await store.state()
    finally:
        await store.close()
