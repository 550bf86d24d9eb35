"""Plans and players → outcomes, played in two processes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache

from tests.simulation.baselines import EthicalAds, Revive, Strict
from tests.simulation.judge import Outcome, judge, play
from tests.simulation.optimum import optimum_of
from tests.simulation.ours import Ours
from tests.simulation.players import Player
from tests.simulation.variants import Knowing, Restarted
from tests.simulation.world import Plan, World, make_world

#: Name of each player → how to make one for a week.
PLAYERS: dict[str, Callable[[], Player]] = {
    "ours": Ours,
    "strict": Strict,
    "ethicalads": EthicalAds,
    "revive": Revive,
}
#: Ours again, changed in one respect; played when named.
VARIANTS: dict[str, Callable[[], Player]] = {"ours-restarted": Restarted, "ours-knowing": Knowing}
WORKERS = 2


@dataclass(frozen=True, slots=True)
class Result:
    """What a player made of a plan's week."""

    plan: Plan
    player: str
    outcome: Outcome


def compete(plans: Sequence[Plan], players: Sequence[str]) -> Iterator[Result]:
    """Every player in every world, in the order in which they finish; optima come first."""
    with ProcessPoolExecutor(WORKERS) as pool:
        # The optimum of each world is solved once, not by each of its players.
        solving = [pool.submit(_prepare, plan) for plan in plans]
        playing: list[Future[Result]] = []
        for solved in as_completed(solving):
            playing += [pool.submit(run, solved.result(), player) for player in players]
        for played in as_completed(playing):
            yield played.result()


def run(plan: Plan, player: str) -> Result:
    """One player's week."""
    world = _world(plan)
    pages, seconds = play(world, (PLAYERS | VARIANTS)[player]())
    return Result(plan, player, judge(world, optimum_of(world), pages, seconds))


def _prepare(plan: Plan) -> Plan:
    optimum_of(_world(plan))
    return plan


@lru_cache(maxsize=2)
def _world(plan: Plan) -> World:
    return make_world(plan)
