"""A catalog and traffic → a real database, a real server, and the same sums computed the slow way."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Scope
from adserver.accounts.shares import Shares
from adserver.catalog.model import Catalog
from adserver.clock import bucket_of, bucket_start
from adserver.engines.account_store import AccountStore
from adserver.engines.catalog_store import Stored, sqlite_url
from adserver.engines.migrate import migrate
from adserver.engines.sql import create_engine
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.measurement.report import Totals
from adserver.settings import Settings
from adserver.web.door import Door
from adserver.web.password import by_password, refusal_of_reports
from dashboards.printing import printer_of
from dashboards.routes import routes
from dashboards.sources import sources_of

#: In Kathmandu it is 15:37 of the same day, in New York 04:52.
NOW = datetime(2026, 11, 24, 9, 52, 30, tzinfo=UTC)
SLOTS = ("article-top", "sidebar", "comments")


@dataclass(frozen=True)
class Traffic:
    """What was counted in one bucket of one slot."""

    bucket: int
    slot: int
    totals: Totals
    unfilled: dict[str, int]


def site(name: str, timezone: str, currency: str = "USD", slots: Sequence[str] = SLOTS) -> dict[str, Any]:
    """One site as the catalog file has it."""
    sizes = ["300x250"]
    return {
        "name": name,
        "domain": f"{name}.example",
        "timezone": timezone,
        "currency": currency,
        "slot": [{"name": slot, "sizes": sizes} for slot in slots],
    }


def stored(sites: Sequence[dict[str, Any]], archived: Sequence[tuple[str, str]] = ()) -> Stored:
    """Sites, and (site, slot) that were removed → a catalog version with ids."""
    catalog = Catalog.model_validate({"site": sites})
    paths: list[tuple[str, ...]] = [("slot", s.name, slot.name) for s in catalog.site for slot in s.slot]
    gone: list[tuple[str, ...]] = [("slot", *pair) for pair in archived]
    site_paths: list[tuple[str, ...]] = [("site", s.name) for s in catalog.site]
    ids = {path: number for number, path in enumerate([*paths, *gone, *site_paths], start=1)}
    return Stored(1, catalog, ids, clicks={}, archived={path: {} for path in gone}, campaigns={})


def new_database(path: Path) -> None:
    """An empty file with the tables of the events."""
    asyncio.run(migrate(sqlite_url(path), "events"))


def fill(path: Path, traffic: Iterable[Traffic]) -> None:
    """Replaces all rollups of a database by this traffic, each split over two creatives where it can be."""
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("rollup", "request_rollup", "event"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - three fixed names
        for one in traffic:
            _insert(connection, one)


def _insert(connection: sqlite3.Connection, one: Traffic) -> None:
    totals = one.totals
    counts = (
        totals.impression_count,
        totals.measurable_count,
        totals.viewable_count,
        totals.click_count,
        totals.conversion_count,
        totals.revenue_micros,
    )
    for creative, half in ((7, [n // 2 for n in counts]), (8, [n - n // 2 for n in counts])):
        if any(half):
            row = (one.bucket, one.slot, creative, *half)
            connection.execute(
                "INSERT INTO rollup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET impression_count = impression_count + excluded.impression_count,"
                " measurable_count = measurable_count + excluded.measurable_count,"
                " viewable_count = viewable_count + excluded.viewable_count,"
                " click_count = click_count + excluded.click_count,"
                " conversion_count = conversion_count + excluded.conversion_count,"
                " revenue_micros = revenue_micros + excluded.revenue_micros",
                row,
            )
    for outcome, number in {"filled": totals.fill_count, **one.unfilled}.items():
        if number:
            connection.execute(
                "INSERT INTO request_rollup VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET request_count = request_count + excluded.request_count",
                (one.bucket, one.slot, outcome, number),
            )


def slow_total(
    traffic: Iterable[Traffic], zone: ZoneInfo, first: date, last: date, slots: Iterable[int]
) -> Totals:
    """What a period's total must be, by looking at the local date of every single bucket."""
    wanted = set(slots)
    total = Totals()
    for one in traffic:
        local = bucket_start(one.bucket).astimezone(zone).date()
        if one.slot in wanted and first <= local <= last:
            total += one.totals
    return total


def steady_traffic(catalog: Stored, site_name: str, days: int = 14) -> list[Traffic]:
    """Every six hours of the last days something in every slot of a site, never twice the same."""
    numbers = [number for path, number in catalog.ids.items() if path[:2] == ("slot", site_name)]
    traffic = []
    for step in range(4 * days):
        bucket = bucket_of(NOW - timedelta(hours=6 * step))
        for number in numbers:
            filled = 300 + 10 * number + step
            counts = (filled + 40, filled, filled - 5, filled - 9, filled // 2, 1 + step % 3)
            totals = Totals(*counts, revenue_micros=filled * 3000, conversion_count=step % 2)
            traffic.append(Traffic(bucket, number, totals, {"no_eligible": 30, "below_floor": 10}))
    return traffic


@contextmanager
def serving(path: Path, catalog: Stored, settings: Settings | None = None) -> Iterator[str]:
    """The reports of a database on a real server in a thread of its own → its base URL."""
    source, progress = SqliteReport(path), SqliteProgress(path)
    chosen = settings or Settings(db=path)
    asyncio.run(migrate(sqlite_url(path), "accounts"))
    users = AccountStore(create_engine(sqlite_url(path)))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await source.close()
        await progress.close()
        await users.close()

    password = chosen.reports_password
    door = Middleware(
        Door,
        accounts=Accounts(users, lambda: NOW, chosen),
        settings=chosen,
        refuse=refusal_of_reports(password),
        scopes=dict.fromkeys((False, True), Scope.REPORTS),
        known=by_password(password),
    )
    sources = sources_of(chosen, source, progress, lambda: catalog, lambda: NOW)
    app = Starlette(
        routes=routes(sources, Shares(users, lambda: NOW, chosen), door, printer_of(chosen)),
        lifespan=lifespan,
    )
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
