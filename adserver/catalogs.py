"""Settings → catalog and accounts of a server that runs, also while the database that holds them is away."""

from __future__ import annotations

import asyncio
from typing import Self

import structlog

from adserver.engines.account_store import AccountStore
from adserver.engines.catalog_copy import copy_of, read_copy, write_copy
from adserver.engines.catalog_store import CatalogStore, Stored, load_catalog
from adserver.engines.migrate import migrate
from adserver.engines.sql import catalog_url
from adserver.errors import StorageFailed
from adserver.settings import Settings

_log = structlog.get_logger()


class Catalogs:
    """The stores of one server. In the one SQLite file they are never away, and nothing is copied."""

    def __init__(self, settings: Settings) -> None:
        self._url = catalog_url(settings)
        self._copy = copy_of(settings.db) if settings.catalog_url else None
        self.store = CatalogStore.connect(self._url)
        self.users = AccountStore.connect(self._url)
        self._migrated = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.store.close()
        await self.users.close()

    async def begin(self) -> Stored:
        """The catalog to start with: of now or, while the database is away, of the copy.

        Raises StorageFailed when there is neither, AdserverError when newer code has migrated the database.
        """
        try:
            await self._migrate()
            return self._kept(await self.store.load())
        except StorageFailed as error:
            copy = read_copy(self._copy) if self._copy else None
            if copy is None:
                raise
            _log.warning(
                "catalog from the copy", version=copy.version, file=str(self._copy), error=str(error)
            )
            return copy

    async def version(self) -> int:
        """The version of now. Raises StorageFailed while the database is away."""
        if not self._migrated:
            await self._migrate()
        return await self.store.version()

    def load(self, before: Stored) -> Stored:
        """The catalog of now, in a thread and over connections of its own. Raises as the store does.

        `before`: the one in service, of which all that has not changed is taken.
        """
        return self._kept(asyncio.run(load_catalog(self._url, before=before)))

    async def _migrate(self) -> None:
        for stream in ("catalog", "accounts"):
            await migrate(self._url, stream)
        self._migrated = True

    def _kept(self, stored: Stored) -> Stored:
        """The same; what cannot be copied is served all the same."""
        if self._copy:
            try:
                write_copy(self._copy, stored)
            except StorageFailed as error:
                _log.error("catalog not copied", error=str(error))
        return stored
