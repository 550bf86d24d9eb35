"""Settings → the catalog and the event file that a command works on."""

from __future__ import annotations

from pathlib import Path

from adserver.engines.catalog_store import Stored, load_catalog
from adserver.engines.migrate import migrate
from adserver.engines.sql import catalog_url, sqlite_url
from adserver.errors import InvalidInput
from adserver.settings import Settings


def existing(db: Path) -> Path:
    """The same path. Raises InvalidInput where there is no file."""
    if not db.is_file():
        raise InvalidInput.one(str(db), "--db", "there is no such file")
    return db


def need_catalog(settings: Settings) -> None:
    """Raise InvalidInput where no catalog can be yet: looking must not make a file."""
    if settings.catalog_url is None:
        existing(settings.db)


async def stored_of(settings: Settings) -> Stored:
    """The catalog of now, beside a file whose events are as this version needs them."""
    await migrate(sqlite_url(settings.db), "events")
    return await load_catalog(catalog_url(settings))
