"""Settings → engines → routes: the one place where the parts meet, and where the loop is closed."""

from __future__ import annotations

import asyncio
import gc
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from adserver.catalogs import Catalogs
from adserver.clock import Clock, system_clock, to_ms
from adserver.decision.frequency import caps_room
from adserver.decision.index import Index
from adserver.decision.saved import unpack
from adserver.decision.steering import Prepared, Steering
from adserver.decision.tally import TallyKey
from adserver.doors import people_routes
from adserver.engines.catalog_store import Stored, sqlite_url
from adserver.engines.files import in_use
from adserver.engines.migrate import migrate
from adserver.engines.sqlite_leases import SqliteLeases
from adserver.engines.sqlite_limits import Counted, Limit
from adserver.engines.sqlite_log import SqliteLog, new_node
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.engines.sqlite_report import SqliteReport
from adserver.errors import AdserverError
from adserver.leasing import Leasing
from adserver.logs import configure_logs
from adserver.loop import STATE, Loop, expectations_of
from adserver.measurement.event import Windows
from adserver.measurement.limits import limits_of
from adserver.measurement.log import EventLog
from adserver.measurement.pulse import Pulse, slots_asked
from adserver.measurement.sections import SECTIONS, Sections
from adserver.measurement.token import FillIds, TokenKey
from adserver.mornings import Mornings
from adserver.reasons import ReasonKeeper
from adserver.serving.consent import Consents
from adserver.serving.edge import Edge
from adserver.serving.frame import routes as frame_routes
from adserver.serving.jobs import Jobs
from adserver.serving.live import Live
from adserver.serving.live import build as build_live
from adserver.serving.openrtb.routes import routes as openrtb_routes
from adserver.serving.outside.issues import Issues
from adserver.serving.outside.routes import routes as outside_routes
from adserver.serving.parts import Parts
from adserver.serving.preview import routes as preview_routes
from adserver.serving.preview_token import PreviewKey
from adserver.serving.routes import routes as serving_routes
from adserver.serving.screen import Screen
from adserver.serving.sellers import routes as seller_routes
from adserver.serving.trackers import routes as tracker_routes
from adserver.serving.vast import routes as vast_routes
from adserver.serving.visitor import country_lookup
from adserver.settings import Settings
from adserver.told import told_each_morning
from adserver.upkeep import keep_up, read_ahead
from dashboards.sources import Sources, sources_of

_log = structlog.get_logger()
_SWITCH_SECONDS = 0.0005
#: Fill ids that are further ahead of the clock than a busy millisecond pushes them mean that it was set back.
_MOST_AHEAD_MS = 1_000


class App:
    """The whole server as one ASGI application. Open it with ASGI's lifespan, or with `running`.

    `pages` adds routes of a publisher's own to it; the demo's newsroom is one. Without `ticking`, on virtual
    time, its owner calls `tick` once a minute.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock = system_clock,
        pages: Callable[[Clock], list[BaseRoute]] | None = None,
        rng: Random | None = None,
        ticking: bool = True,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._pages = pages
        self._rng = rng or Random()
        self._ticking = ticking
        self._edge: Edge | None = None
        self._loop: Loop | None = None
        self._reasons: ReasonKeeper | None = None
        self._stored: Stored | None = None
        self._catalog_problem: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        assert self._edge, (
            "the app is asked before it was opened: run its lifespan, or `async with app.running()`"
        )
        await self._edge(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Open, and close when the server ends. What an operator can mend is said in one sentence."""
        phase = "startup"
        await receive()
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except Exception as error:
            said = str(error) if isinstance(error, AdserverError) else traceback.format_exc()
            await send({"type": f"lifespan.{phase}.failed", "message": said})
            raise
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Parts]:
        """Everything open inside, everything written and closed after."""
        settings = self.settings
        async with AsyncExitStack() as stack:
            stack.enter_context(in_use(settings.db))
            catalogs = await stack.enter_async_context(Catalogs(settings))
            self._stored = await catalogs.begin()
            await migrate(sqlite_url(settings.db), "events")
            engine = SqliteLog(settings.db, min_click_delay_ms=settings.min_click_delay_ms)
            stack.callback(engine.close)
            source = SqliteReport(settings.db)
            stack.push_async_callback(source.close)
            progress = SqliteProgress(settings.db)
            stack.push_async_callback(progress.close)
            log = EventLog(
                engine,
                max_waiting=settings.max_events_waiting,
                flush_seconds=settings.request_flush_seconds,
                on_counted=self._counted,
                last_event_age_seconds=self._age_seconds(engine.last_event_ms()),
            )
            parts = self._parts(engine, log, self._stored)
            self._loop = self._loop_over(parts, progress)
            self._reasons = ReasonKeeper(settings, parts.steering, self._current, self._clock, parts.jobs)
            await self._loop.begin()
            sources = sources_of(settings, source, progress, self._current, self._clock, catalogs.store)
            issues = Issues(parts)
            routes = self._routes(parts, sources, catalogs, progress)
            self._edge = Edge(parts, Starlette(routes=[*outside_routes(parts, issues), *routes]))
            _settle_in()
            log.start()
            stack.push_async_callback(log.stop)
            stack.push_async_callback(issues.close)
            self._loop.accrue()
            if settings.workers > 1:
                await self._share(parts, stack)
            follower = asyncio.get_running_loop().create_task(self._follow(catalogs, parts))
            stack.push_async_callback(_end, follower)
            if self._ticking:
                for task in self._tasks(parts, sources, self._loop, self._reasons):
                    stack.push_async_callback(_end, asyncio.get_running_loop().create_task(task))
                _log.info("serving", db=str(settings.db), catalog=parts.live.version)
            yield parts
            self._loop.save()
            if self._ticking:
                _log.info("stopping", waiting=log.waiting_count)

    def _tasks(
        self, parts: Parts, sources: Sources, loop: Loop, reasons: ReasonKeeper
    ) -> list[Coroutine[Any, Any, None]]:
        """What goes on beside serving, until the stack ends."""
        settings = self.settings
        keeping = keep_up(settings, self._clock, self._current, parts.jobs)
        tasks = [loop.run(), reasons.run(), keeping, read_ahead(sources), self._pulse(parts).run()]
        if told := told_each_morning(settings, sources):
            tasks.append(Mornings(settings, self._clock, sources.reports.sites, told).run())
        return tasks

    def _pulse(self, parts: Parts) -> Pulse:
        """The last hour of this worker, from now on."""

        def counted() -> tuple[int, int, int]:
            return (*slots_asked(parts.log.counts.decisions), parts.counts.errors)

        pulse = Pulse(parts.ids.node, counted, self._clock, parts.log.save_state)
        parts.took = pulse.took
        return pulse

    async def _share(self, parts: Parts, stack: AsyncExitStack) -> None:
        """Hold parts of goals and budgets, beside the other workers on this file, until the stack ends."""
        settings = self.settings
        # Whoever is not heard of serves on until it is not trusted, and then waits for its last impressions.
        expiry_seconds = settings.lease_trust_seconds + settings.reservation_seconds
        leasing = Leasing(
            stack.enter_context(SqliteLeases(settings.db, parts.ids.node, expiry_ms=expiry_seconds * 1000)),
            parts.steering,
            self._clock,
            parts.jobs,
            lambda: parts.counts.page_requests,
            every_seconds=settings.lease_seconds,
            trust_seconds=settings.lease_trust_seconds,
        )
        await leasing.renew()
        stack.push_async_callback(leasing.end)
        stack.push_async_callback(_end, asyncio.get_running_loop().create_task(leasing.run()))

    async def tick(self) -> None:
        """Renew what decisions go by, from all that was counted, and keep what kept line items from pages."""
        assert self._loop, "the app ticks before it was opened"
        assert self._reasons, "the app ticks before it was opened"
        await self._loop.tick()
        await self._reasons.keep()

    def _age_seconds(self, at_ms: int | None) -> float | None:
        return None if at_ms is None else max(0.0, (to_ms(self._clock()) - at_ms) / 1000)

    def _counted(self, counted: Sequence[Counted]) -> None:
        if self._loop:
            self._loop.counted(counted)

    def _parts(self, engine: SqliteLog, log: EventLog, stored: Stored) -> Parts:
        settings = self.settings
        secret, live = engine.secret(), build_live(stored, settings)
        return Parts(
            settings=settings,
            clock=self._clock,
            log=log,
            key=TokenKey(secret),
            preview_key=PreviewKey(secret),
            tally_key=TallyKey(secret, max_chars=caps_room(settings.max_tally_chars)),
            ids=FillIds(engine.node_number()),
            live=live,
            steering=Steering(
                live.index,
                unpack(engine.load_state(STATE)),
                expectations_of(settings),
                self._clock(),
                self._rng,
            ),
            country_of=country_lookup(settings),
            sections=Sections(engine.load_states(SECTIONS), settings.max_sections, log, self._clock),
            screen=Screen(settings),
            consents=Consents(settings),
            rng=self._rng,
            jobs=Jobs(),
            windows=Windows(
                view_ms=settings.impression_window_seconds * 1000,
                click_ms=settings.click_window_seconds * 1000,
                skew_ms=settings.clock_skew_seconds * 1000,
            ),
        )

    def _loop_over(self, parts: Parts, progress: SqliteProgress) -> Loop:
        limits = limits_of(self._current())
        loop = Loop(
            self.settings, self._clock, progress, parts.log, parts.steering, limits, parts.jobs, parts.ids
        )
        parts.day_of = loop.day_of
        return loop

    def _routes(
        self,
        parts: Parts,
        sources: Sources,
        catalogs: Catalogs,
        progress: SqliteProgress,
    ) -> list[BaseRoute]:
        routes = serving_routes(parts, lambda: self._catalog_problem)
        for door in (
            frame_routes,
            preview_routes,
            vast_routes,
            tracker_routes,
            openrtb_routes,
            seller_routes,
        ):
            routes += door(parts)
        routes += people_routes(parts, sources, catalogs.store, catalogs.users, self._current, progress)
        return routes + (self._pages(self._clock) if self._pages else [])

    def _current(self) -> Stored:
        assert self._stored, "the catalog is asked for before it was loaded"
        return self._stored

    async def _follow(self, catalogs: Catalogs, parts: Parts) -> None:
        """Put each new catalog version in service; while there is trouble, the last good one serves on."""
        for name in ("catalog", "fill_ids"):
            parts.jobs.expect(name, self.settings.catalog_poll_seconds)
        while True:
            await asyncio.sleep(self.settings.catalog_poll_seconds)
            try:
                with parts.jobs.attempt("catalog"):
                    if await catalogs.version() != parts.live.version:
                        await self._replace(catalogs, parts)
                self._catalog_problem = None
            except Exception as error:
                self._catalog_problem = f"the catalog cannot be loaded: {error}"
            with suppress(Exception), parts.jobs.attempt("fill_ids"):
                await self._keep_time(parts)

    async def _keep_time(self, parts: Parts) -> None:
        """Date fills by the clock again when it was set back.

        Ids only go forward, so that none is given twice; those of a new node may begin anywhere.
        """
        if parts.ids.ahead_ms(to_ms(self._clock())) > _MOST_AHEAD_MS:
            parts.ids = FillIds(await asyncio.to_thread(new_node, self.settings.db))
            _log.warning("the clock was set back; fills are dated by it again")

    async def _replace(self, catalogs: Catalogs, parts: Parts) -> None:
        """Take the catalog of now into service."""
        assert self._loop, "a catalog is followed before the app was opened"
        made = await asyncio.to_thread(_compile, catalogs, self._current(), self.settings, self._loop)
        stored, live, prepared, limits = made
        old = _pieces(parts.live.index)
        self._loop.follow(prepared, limits)
        parts.live, parts.day_of = live, self._loop.day_of
        self._stored = stored
        _log.info("catalog in service", version=stored.version)
        del made, stored, live, prepared, limits
        await asyncio.to_thread(_let_go, old)


def _compile(
    catalogs: Catalogs, before: Stored, settings: Settings, steering: Loop
) -> tuple[Stored, Live, Prepared, Sequence[Limit]]:
    """The catalog of now, ready to serve, and its limits. Takes a second for ten thousand line items."""
    # A collection would stop all threads to look at hundreds of thousands of objects that are here to stay.
    gc.disable()
    try:
        stored = catalogs.load(before)
        live = build_live(stored, settings)
        return stored, live, steering.prepare(live.index), limits_of(stored)
    finally:
        gc.freeze()
        gc.enable()


def _settle_in() -> None:
    """Make the interpreter ready to serve."""
    # What was built to start lives as long as the server: the garbage collector need not visit it.
    gc.collect()
    gc.freeze()
    # Whoever waits for another thread, as while a new catalog is built, does not wait long.
    sys.setswitchinterval(_SWITCH_SECONDS)


def _pieces(index: Index) -> list[object]:
    """What most of an index is made of."""
    return [*index.choices, *index.contenders, *index.items]


def _let_go(pieces: list[object]) -> None:
    """Free an old index piece by piece: all at once would stop the loop for as long as that takes."""
    while pieces:
        pieces.pop()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def create() -> App:
    """The application that `serve` and its workers run, from the environment alone."""
    configure_logs()
    return App(Settings())
