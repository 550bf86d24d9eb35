"""The server's own code as a player: index, tally, leases, decisions and ticks, on virtual time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import numpy as np

from adserver.catalog.model import PriceModel
from adserver.catalog.plan import flatten
from adserver.clock import BUCKET_SECONDS, EPOCH, local_day
from adserver.decision.context import Ask, Context, Fill
from adserver.decision.index import Index
from adserver.decision.rates import Seen
from adserver.decision.saved import pack, unpack
from adserver.decision.steering import Expectations, Learned, Steering
from adserver.decision.tally import TallyKey
from adserver.decision.traffic import Level, Profile
from adserver.decision.week import Sample
from tests.simulation.players import EMPTY
from tests.simulation.tables import asked_sizes
from tests.simulation.traffic import KINDS, QUARTERS, describe_kind
from tests.simulation.world import EXPECTED_CTR, World

_KEY = TallyKey(b"a key for the simulation", max_chars=1500)


def _at(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


class Ours:
    """The server. `restart_every`: so many minutes of virtual time between two restarts; 0: none."""

    def __init__(self, restart_every: int = 0) -> None:
        self._restart_every = restart_every
        self._minutes = 0

    def begin(self, world: World, rng: Random) -> None:
        """A new week starts: the server has seen the week before it."""
        self._world, self._rng = world, rng
        ids = {path: number for number, path in enumerate(flatten(world.catalog), start=1)}
        self._index = Index(world.catalog, ids, version=1, expected_ctr=EXPECTED_CTR)
        numbers = {item.name: number for number, item in enumerate(world.lines.items)}
        self._number = [numbers[item.name] for item in self._index.items]
        self._pages = [_page(world, kind) for kind in range(KINDS)]
        self._kinds, self._times = world.views.kind.tolist(), world.views.at_us.tolist()
        self._visitors = world.views.visitor.tolist()
        self._tallies: dict[int, str] = {}
        self._seen: dict[tuple[int, int], list[int]] = {}
        self._day = -1
        self._zone = world.site.zone
        self._steering = self._start(self._learned(), _at(world.start_us))

    def tick(self, now_us: int) -> None:
        """A minute starts."""
        now = _at(now_us)
        self._minutes += 1
        self._day = local_day(now, self._zone)
        self._steering.learned.seen = (
            [
                Seen(slot, creative, shown, 0, 0, clicked)
                for (slot, creative), (shown, clicked) in self._seen.items()
            ]
            if self._steering.rates_are_due(now)
            else self._steering.learned.seen
        )
        self._steering.tick(now)
        planning = self._steering.planning(now)
        if planning:
            self._steering.adopt(planning(), now)
        if self._restart_every and self._minutes % self._restart_every == 0:
            self._restart(now)

    def page(self, view: int) -> Sequence[int]:
        """The line item of each slot."""
        context, asks = self._pages[self._kinds[view]]
        us, visitor = self._times[view], self._visitors[view]
        now, now_s = _at(us), us // 1_000_000
        decider = self._steering.decider
        tally = _KEY.read(self._tallies.get(visitor, ""), now_s)
        page = decider.decide(context, asks, now, self._rng, tally)
        tally.add(decider.serve(page, now), now_s)
        self._steering.note(context, asks, now)
        if tally.changed:
            self._tallies[visitor] = _KEY.write(tally, self._index.caps, now_s).decode()
        self._fills = [fill if isinstance(fill, Fill) else None for fill in page.decisions]
        return [EMPTY if fill is None else self._number[fill.choice.position] for fill in self._fills]

    def counted(self, view: int, filled: Sequence[int], clicked: Sequence[int]) -> None:
        """Every filled slot is an impression, and some are clicked."""
        minute = self._times[view] // 60_000_000
        for slot, fill in enumerate(self._fills):
            if fill is None:
                continue
            choice = fill.choice
            clicks = slot in clicked
            seen = self._seen.setdefault((fill.slot_id, choice.creative_id), [0, 0])
            seen[0] += 1
            seen[1] += clicks
            earns = choice.price_micros if choice.model is PriceModel.CPM else 0
            self._steering.count(choice.item_id, "impressions", 1, earns, day=self._day, minute=minute)
            if clicks:
                earns = choice.price_micros if choice.model is PriceModel.CPC else 0
                self._steering.count(choice.item_id, "clicks", 1, earns, day=self._day, minute=minute)

    def _start(self, learned: Learned, now: datetime) -> Steering:
        return Steering(self._index, learned, Expectations(ctr=EXPECTED_CTR), now, self._rng)

    def _restart(self, now: datetime) -> None:
        """As after a kill: what was saved at the last tick, and what the log says was delivered."""
        before = self._steering
        learned = unpack(pack(before.remember()))
        learned.profiles, learned.seen = before.learned.profiles, before.learned.seen
        self._steering = self._start(learned, now)
        self._steering.ledger.restate(before.ledger.delivered())

    def _learned(self) -> Learned:
        """What a week of service taught it: the shape of traffic, its level, and sampled page requests."""
        history = self._world.history
        buckets = history.at_us // (BUCKET_SECONDS * 1_000_000)
        first = int(self._world.start_us // (BUCKET_SECONDS * 1_000_000)) - QUARTERS
        counts = np.bincount(buckets - first, minlength=QUARTERS)
        profile = Profile((first + i, int(count)) for i, count in enumerate(counts))
        picked = np.sort(self._rng.sample(range(len(history)), min(2000, len(history))))
        samples = [Sample(_at(int(history.at_us[i])), *self._pages[int(history.kind[i])]) for i in picked]
        level = Level(len(history) / 168 * 48, 48.0)
        return Learned(profiles={self._world.site.name: profile}, level=level, samples=samples)


def _page(world: World, kind: int) -> tuple[Context, tuple[Ask, ...]]:
    section, country, device = describe_kind(kind)
    sizes = asked_sizes(world.site, device)
    context = Context(world.site.name, section, country=country, device=device)
    return context, tuple(
        Ask(slot.name, offered) for slot, offered in zip(world.site.slot, sizes, strict=True)
    )
