"""A principal and edits → the catalog changed, or what would change: the one way in for all who edit.

Each call opens the database for itself, in a thread: to read and check a large catalog takes a second, in
which pages must be answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from adserver.accounts.model import Principal
from adserver.accounts.ownership import forbidden, visible, visible_entries
from adserver.catalog.model import Catalog
from adserver.catalog.plan import Change, Entry, Path, assemble, diff_entries, flatten
from adserver.clock import Clock
from adserver.editing.edits import WHOLE, Conflict, Edit, edited, undone
from adserver.editing.masking import masked
from adserver.engines.catalog_history import CatalogHistory, Step
from adserver.engines.catalog_store import CatalogStore, State, Stored
from adserver.engines.sql import create_engine
from adserver.errors import AdserverError, Fault, InvalidInput

Result = TypeVar("Result")
#: Versions looked at for one page of a history: of many, only a few may be theirs.
_MOST_LOOKED_AT = 500
#: Versions that are remembered, and objects that these changed, before they are forgotten.
_MOST_STEPS, _MOST_CHANGES_KEPT = 200, 50_000


class Forbidden(AdserverError):
    """Changes that are not the principal's to make."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


@dataclass(frozen=True, slots=True)
class Edited:
    """What changed, and the version that it made; for a dry run, what would, and the version of now."""

    changes: tuple[Change, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Past:
    """A page of the history, the newest first, and the version before which it goes on; None: nowhere."""

    steps: Sequence[Step]
    older: int | None


class Editor:
    """Changes one database's catalog on behalf of somebody. Raises InvalidInput, Conflict or Forbidden."""

    def __init__(self, url: str, clock: Clock, before: Callable[[], Stored | None] = lambda: None) -> None:
        """`before`: an earlier catalog, if one is known, so that only what changed since is read."""
        self._url = url
        self._before = before
        self._clock = clock
        self._steps: dict[int, Step] = {}
        """Of versions that were asked for: what a version changed does not change any more."""

    async def edit(
        self, principal: Principal, edits: Sequence[Edit], *, note: str = "", dry_run: bool = False
    ) -> Edited:
        """Make edits, all or none."""

        def alter(state: State) -> Mapping[Path, Entry]:
            return edited(state, edits, visible_entries(principal, state.entries))

        return await self._change(principal, alter, note, dry_run)

    async def replace(
        self,
        principal: Principal,
        catalog: Catalog,
        *,
        version: int | None = None,
        note: str = "",
        dry_run: bool = False,
    ) -> Edited:
        """Make a whole catalog what the principal sees; what is not theirs to see stays as it is.

        `version`: that of the catalog from which this one was made; another one now is a conflict.
        """

        def alter(state: State) -> dict[Path, Entry]:
            if version is not None and version != state.version:
                raise Conflict({WHOLE: state.version})
            new = flatten(catalog)
            if principal.everywhere:
                return new
            seen = flatten(visible(principal, assemble(state.entries)))
            others = {path: entry for path, entry in state.entries.items() if path not in seen}
            taken = [path for path in new if path in others]
            if taken:
                raise Forbidden([Fault("", "/".join(path), "is a name that is taken") for path in taken])
            return {**others, **new}

        return await self._change(principal, alter, note, dry_run)

    async def undo(self, principal: Principal, version: int, *, dry_run: bool = False) -> Edited:
        """Take back what one version changed; later changes of other objects stay."""
        step = await self.step(principal, version)
        if step is None:
            raise InvalidInput.one("", "version", f"there is no version {version}")
        note = f"undo of version {version}"
        return await self._change(
            principal, lambda state: undone(state, step.before, step.after), note, dry_run
        )

    async def history(
        self,
        principal: Principal,
        *,
        path: Path | None = None,
        before: int | None = None,
        until: datetime | None = None,
        most: int = 50,
    ) -> Past:
        """The last versions, before one or until a moment, that changed something of theirs, and what."""

        async def read(history: CatalogHistory) -> Past:
            own: list[Step] = []
            oldest = before
            for _ in range(max(1, _MOST_LOOKED_AT // most)):
                revisions = await history.revisions(path=path, before=oldest, until=until, most=most)
                for revision in revisions:
                    oldest = revision.version
                    step = _own(principal, await self._step_of(history, oldest))
                    own += [step] if step else []
                    if len(own) == most:
                        return Past(own, oldest if oldest > 1 else None)
                if len(revisions) < most:
                    return Past(own, None)
            return Past(own, oldest)

        return await self._in_thread(lambda: self._with_history(read))

    async def step(self, principal: Principal, version: int) -> Step | None:
        """What one version changed of theirs; None: nothing."""

        async def read(history: CatalogHistory) -> Step | None:
            return _own(principal, await self._step_of(history, version))

        return await self._in_thread(lambda: self._with_history(read))

    async def _step_of(self, history: CatalogHistory, version: int) -> Step | None:
        step = self._steps.get(version)
        if step is None:
            step = await history.step(version)
            kept = sum(len(known.changes) for known in self._steps.values())
            if len(self._steps) >= _MOST_STEPS or kept > _MOST_CHANGES_KEPT:
                self._steps.clear()
            if step is not None:
                self._steps[version] = step
        return step

    async def as_of(self, principal: Principal, version: int | None = None) -> Stored:
        """The catalog as it is, or was at a version, as far as they see it."""

        async def read() -> Stored:
            store = await CatalogStore.open(self._url)
            try:
                return await store.load(version)
            finally:
                await store.close()

        stored = await self._in_thread(read)
        return replace(stored, catalog=visible(principal, stored.catalog))

    async def version_at(self, at: datetime) -> int:
        """The version that the catalog had at a moment; 0 before the first."""

        async def read(history: CatalogHistory) -> int:
            revisions = await history.revisions(path=None, before=None, until=at, most=1)
            return revisions[0].version if revisions else 0

        return await self._in_thread(lambda: self._with_history(read))

    async def _change(
        self, principal: Principal, alter: Callable[[State], Mapping[Path, Entry]], note: str, dry_run: bool
    ) -> Edited:
        def guarded(state: State) -> Mapping[Path, Entry]:
            new = alter(state)
            refused = forbidden(principal, diff_entries(state.entries, new), state.entries, new)
            if refused:
                raise Forbidden(refused)
            return new

        async def change() -> Edited:
            store = await CatalogStore.open(self._url)
            try:
                author = principal.email or principal.name
                changes, version = await store.change(
                    guarded,
                    author=author,
                    at=self._clock(),
                    note=note,
                    dry_run=dry_run,
                    before=self._before(),
                )
                return Edited(changes, version)
            except InvalidInput as error:
                raise InvalidInput(masked(principal, await store.state(), error.faults)) from None
            finally:
                await store.close()

        return await self._in_thread(change)

    async def _with_history(self, read: Callable[[CatalogHistory], Awaitable[Result]]) -> Result:
        engine = create_engine(self._url)
        try:
            return await read(CatalogHistory(engine))
        finally:
            await engine.dispose()

    async def _in_thread(self, use: Callable[[], Awaitable[Result]]) -> Result:
        async def run() -> Result:
            return await use()

        return await asyncio.to_thread(lambda: asyncio.run(run()))


def _own(principal: Principal, step: Step | None) -> Step | None:
    """A step without what was never theirs to change; None: nothing is left."""
    if step is None or principal.everywhere:
        return step
    foreign = forbidden(principal, step.changes, {**step.above, **step.before}, {**step.above, **step.after})
    keys = {fault.key for fault in foreign}
    own = {change.path for change in step.changes if "/".join(change.path[1:]) not in keys}
    if not own:
        return None
    return Step(
        step.revision,
        {path: entry for path, entry in step.before.items() if path in own},
        {path: entry for path, entry in step.after.items() if path in own},
        step.above,
    )
