"""`adserver serve` but for one pragma of its log: a server of which a test must find fault."""

from __future__ import annotations

import os
import sys

from adserver.app import App
from adserver.commands.serve import run
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.log import EventLog
from adserver.serving.parts import Parts
from adserver.settings import Settings, load_settings


class Careless(App):
    """Its log is synced as `$SYNCHRONOUS` says, which should be FULL."""

    def _parts(self, engine: SqliteLog, log: EventLog, stored: Stored) -> Parts:
        engine._db.execute(f"PRAGMA synchronous={os.environ['SYNCHRONOUS']}")
        return super()._parts(engine, log, stored)


def create() -> Careless:
    """The application, as uvicorn asks for it."""
    return Careless(Settings())


if __name__ == "__main__":
    _, _, _, db, _, port = sys.argv  # serve --db FILE --port NUMBER
    os.environ["ADSERVER_DB"] = db
    run("tests.faults.careless:create", load_settings(db=db, port=port))
