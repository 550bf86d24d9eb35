"""A place in an issue → what stands there for good, and what each open and click of it is worth.

Every open and click of a link that is the same for all readers is a fill of its own, made when it comes: a
token in the address would be everybody's, and count once.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple, TypeVar

import structlog
from starlette.types import Scope

from adserver.catalog.model import live_at
from adserver.catalog.nearest import nearest
from adserver.clock import bucket_of_ms, to_ms, to_us
from adserver.decision.context import Context, Fill, PictureAsk
from adserver.decision.facts import OUTSIDE, size_code
from adserver.decision.index import Index
from adserver.engines.sqlite_locks import Lock, SqliteLocks
from adserver.errors import InvalidInput, Overloaded, StorageFailed
from adserver.measurement.event import Event, Kind, Validity, event_of
from adserver.measurement.log import FILLED, INVALID
from adserver.measurement.token import MODEL_CODES, MODELS, FillToken, stem_of
from adserver.serving.agents import Agent
from adserver.serving.cut_by import facts_of
from adserver.serving.networks import OWN, packed
from adserver.serving.outside.mail import filters_mail, program_of
from adserver.serving.outside.scans import Link, Scans
from adserver.serving.parts import Parts
from adserver.serving.visitor import Visitor, visitor_of

T = TypeVar("T")
_DAY_MS = 86_400_000
_ISSUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,99}")
_MOST_POSITION = 99
_log = structlog.get_logger()


class Place(NamedTuple):
    """A place that may be filled: a slot of the catalog, an issue's name, and which of several there."""

    site: str
    slot: str
    slot_id: int
    issue: str
    position: int


class Reader(NamedTuple):
    """Who opens or clicks: as the rules of invalid traffic see it, and where it is."""

    visitor: Visitor
    country: str | None
    filters: bool


class Choosing(NamedTuple):
    """What is locked in a place, or why nothing is."""

    lock: Lock | None
    reason: str


class Issues:
    """The locks of a database and the clicks that wait; opened at the first question, closed by `close`."""

    def __init__(self, parts: Parts) -> None:
        settings = parts.settings
        self._parts = parts
        self._threads = ThreadPoolExecutor(1, "locks")
        self._locks: SqliteLocks | None = None
        self._choosing = asyncio.Lock()
        self._scans = Scans(
            self._append,
            window_ms=settings.scan_window_ms,
            repeat_ms=settings.link_repeat_seconds * 1000,
            most=settings.max_burst_addresses,
        )

    async def close(self) -> None:
        """Record what waits, and let go of the file."""
        self._scans.settle()
        if self._locks is not None:
            await self._asked(lambda locks: locks.__exit__(None, None, None))
        self._threads.shutdown()

    async def _asked(self, question: Callable[[SqliteLocks], T]) -> T:
        """What the file answers, in the one thread that has it. Raises StorageFailed."""

        def ask() -> T:
            if self._locks is None:
                self._locks = SqliteLocks(self._parts.settings.db)
            return question(self._locks)

        return await asyncio.get_running_loop().run_in_executor(self._threads, ask)

    async def standing(self, place: Place) -> Choosing:
        """What stands in a place, chosen and locked now if nothing does yet. Raises StorageFailed."""
        key = place.slot_id, place.issue, place.position
        lock = await self._asked(lambda locks: locks.find(*key))
        if lock is not None:
            return Choosing(lock, FILLED)
        async with self._choosing:
            since = to_ms(self._parts.clock()) - _DAY_MS
            if await self._asked(lambda locks: locks.count_since(place.slot_id, since)) >= (
                self._parts.settings.max_locks_per_day
            ):
                _log.warning("too many places locked within a day", site=place.site, slot=place.slot)
                return Choosing(None, "too_many_slots")
            site = self._parts.live.index.sites[place.site]
            slots = [slot.id for slot in site.slots.values()]
            others = await self._asked(lambda locks: locks.of_issue(slots, place.issue))
            made = choose(self._parts, place, others)
            if made.lock is None:
                return made
            return Choosing(await self._asked(partial(SqliteLocks.keep, lock=made.lock)), FILLED)

    def count_empty(self, place: Place, reason: str) -> None:
        """Count that a picture was asked for where nothing stands."""
        self._parts.log.count_request(bucket_of_ms(to_ms(self._parts.clock())), place.slot_id, reason)

    async def open(self, lock: Lock, scope: Scope) -> None:
        """Record that the picture is fetched; on disk, or at least queued, when this returns."""
        parts = self._parts
        reader, now = reader_of(parts, scope, opens=True), parts.clock()
        now_ms = to_ms(now)
        found = parts.screen.events(reader.visitor, now_ms, 1)
        parts.counts.count_invalid(found)
        token = self._token(lock, reader, now_ms)
        validity = found or self._standing_validity(lock)
        event = event_of(token, Kind.IMPRESSION, now_ms, parts.windows, parts.day_of, validity)
        position = parts.live.index.positions.get(lock.item)
        if not validity and position is not None:
            parts.steering.decider.ledger.take(position, to_us(now))
        if validity is not Validity.LATE:
            outcome = f"{INVALID}{found.name.lower()}" if found else FILLED
            parts.log.count_request(event.bucket, lock.slot, outcome)
        with suppress(Overloaded, StorageFailed):
            await parts.log.append([event])

    def click(self, place: Place, lock: Lock, scope: Scope) -> str:
        """Record a click, when it is known what it was → the token of its fill."""
        parts = self._parts
        reader, now_ms = reader_of(parts, scope, opens=False), to_ms(parts.clock())
        scanner = reader.filters or scope["method"] == "HEAD"
        found = parts.screen.click(reader.visitor, now_ms, head=False, scanner=scanner)
        parts.counts.clicks += 1
        parts.counts.count_invalid(found)
        token = self._token(lock, reader, now_ms)
        validity = found or self._standing_validity(lock)
        event = event_of(token, Kind.CLICK, now_ms, parts.windows, parts.day_of, validity)
        address = packed(reader.visitor.address) if reader.visitor.address else None
        if address is not None and OWN.hold(address):
            address = None
        self._scans.click(address, Link(place.site, place.issue, place.slot_id, place.position), event)
        seconds = parts.settings.scan_window_ms / 1000
        asyncio.get_running_loop().call_later(seconds, self._settle)
        return parts.key.sign(stem_of(token), token.fill, token.facts).decode()

    def _settle(self) -> None:
        self._scans.settle(to_ms(self._parts.clock()))

    def _append(self, events: Sequence[Event]) -> None:
        with suppress(Overloaded):
            self._parts.log.append(events)

    def _standing_validity(self, lock: Lock) -> Validity:
        """LATE where its line item is no longer in flight, or the issue was locked too long ago."""
        parts = self._parts
        index, now = parts.live.index, parts.clock()
        position = index.positions.get(lock.item)
        if position is None or not live_at(index.items[position], now):
            return Validity.LATE
        age_ms = to_ms(now) - lock.at_ms
        return Validity.VALID if age_ms < parts.settings.issue_window_seconds * 1000 else Validity.LATE

    def _token(self, lock: Lock, reader: Reader, now_ms: int) -> FillToken:
        """A fill of its own for what happens now; its facts say that it stands outside pages."""
        parts = self._parts
        site = parts.live.index.slot_sites[lock.slot]
        context = Context(
            site.name, country=reader.country, device=reader.visitor.agent.device, theme=OUTSIDE
        )
        return FillToken(
            parts.ids.next(now_ms),
            lock.slot,
            lock.item,
            lock.creative,
            MODELS[lock.model],
            lock.price_micros,
            lock.catalog_version,
            size_code(lock.size),
            facts_of(context, reader.visitor.agent.browser, 0, site.zone, bucket_of_ms(now_ms)),
        )


def place_of(index: Index, site: str, slot: str, issue: str, position: int) -> Place:
    """A place of the catalog. Raises InvalidInput for what is none."""
    found = index.sites.get(site)
    if found is None:
        raise InvalidInput.one("", "site", f"there is no site {site!r}{nearest(site, index.sites)}")
    if slot not in found.slots:
        raise InvalidInput.one("", "slot", f"site {site} has no slot {slot!r}{nearest(slot, found.slots)}")
    if not _ISSUE.fullmatch(issue):
        raise InvalidInput.one(
            "", "issue", "is 1 to 100 letters, digits or ._~-, the first a letter or digit"
        )
    if not 1 <= position <= _MOST_POSITION:
        raise InvalidInput.one("", "position", f"is not between 1 and {_MOST_POSITION}")
    return Place(site, slot, found.slots[slot].id, issue, position)


def without_of(index: Index, others: Sequence[Lock]) -> tuple[int, ...]:
    """Line items that stand in an issue already and may not stand there twice."""
    taken = {lock.item: index.positions.get(lock.item) for lock in others}
    return tuple(sorted(item for item, at in taken.items() if at is not None and not index.items[at].repeat))


def choose(parts: Parts, place: Place, others: list[Lock]) -> Choosing:
    """Decide what shall stand in a place. `others`: what is locked in the same issue already."""
    index, now, decider = parts.live.index, parts.clock(), parts.steering.decider
    ask = PictureAsk(place.slot, without=without_of(index, others))
    page = decider.decide(Context(place.site, network=False), [ask], now, parts.rng, None)
    decider.serve(page, now)
    (decision,) = page.decisions
    if not isinstance(decision, Fill):
        return Choosing(None, getattr(decision, "reason", FILLED))
    return Choosing(lock_of(decision, place, to_ms(now), parts.live.version), FILLED)


def lock_of(fill: Fill, place: Place, now_ms: int, version: int) -> Lock:
    """A fill as it is locked in a place."""
    choice, creative = fill.choice, fill.choice.creative
    assert creative.image, "only images are asked for"
    return Lock(
        place.slot_id,
        place.issue,
        place.position,
        now_ms,
        choice.item_id,
        choice.creative_id,
        MODEL_CODES[choice.model],
        choice.price_micros,
        version,
        creative.size,
        creative.image,
        creative.image_dark,
        creative.alt or "",
    )


def reader_of(parts: Parts, scope: Scope, *, opens: bool) -> Reader:
    """What is known of who opens or clicks. A proxy's address and country are not its reader's.

    Mail programs and proxies open pictures. Links are opened by browsers, and whatever else opens one is
    judged as everywhere.
    """
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    visitor = visitor_of(scope)
    country = parts.country_of(scope["headers"], visitor.address)
    program = program_of(agent) if opens else None
    if program is not None:
        proxy = program.endswith("_proxy")
        device = None if proxy else visitor.agent.device
        address, country = (None, None) if proxy else (visitor.address, country)
        visitor = visitor._replace(agent=Agent(device, program, False), address=address)
    return Reader(visitor, country, filters_mail(agent))
