"""`python -m tests.simulation` → a table of how well each player served, and figures in `var/sim.json`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adserver.clock import system_clock
from tests.simulation.contest import PLAYERS, VARIANTS, Result, compete
from tests.simulation.world import LINE_ITEMS, Plan

_OUTPUT = Path("var/sim.json")
_WIDTH = 120


def main() -> None:
    """Play, print and write."""
    arguments = _arguments()
    every = list(PLAYERS) if "all" in arguments.players else []
    players = [*every, *(name for name in arguments.players if name not in (*every, "all"))]
    plans = [
        Plan(seed, bias, arguments.scale, arguments.line_items, spike=not arguments.calm)
        for bias in arguments.bias
        for seed in range(1, arguments.seeds + 1)
    ]
    results = _watched(plans, players)
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    for bias in arguments.bias:
        console.print(table_of([result for result in results if result.plan.bias == bias], bias))
    console.print(
        "G, revenue and value in % of what a linear program with hindsight reaches; revenue counts clicks at "
        "their true rate; value is revenue less 20 per mille of missed goals. Pacing: mean distance "
        "from due, in points, of lines that were met and of all; shares: of sponsorships. "
        "Unpaid: clicks beyond a budget.",
        highlight=False,
    )
    _OUTPUT.parent.mkdir(exist_ok=True)
    _OUTPUT.write_text(json.dumps(_record(results), indent=2) + "\n", encoding="utf-8")
    console.print(f"Written to {_OUTPUT}.", highlight=False)
    if any(sum(result.outcome.violations.values()) for result in results):
        sys.exit("a player broke rules; no figure counts until it does not")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=4, help="how many worlds")
    parser.add_argument("--bias", type=int, nargs="+", default=[0, -25], help="%% that traffic differs by")
    parser.add_argument("--players", nargs="+", choices=["all", *PLAYERS, *VARIANTS], default=["all"])
    parser.add_argument("--scale", type=float, default=1.0, help="1 is 50,000 page views a day")
    parser.add_argument("--line-items", type=int, default=LINE_ITEMS)
    parser.add_argument("--calm", action="store_true", help="without the day on which two sections soar")
    return parser.parse_args()


def _watched(plans: Sequence[Plan], players: Sequence[str]) -> list[Result]:
    """All results by player and seed, with progress on standard error."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("weeks played", total=len(plans) * len(players))
        results = []
        for result in compete(plans, players):
            results.append(result)
            progress.advance(task)
    return sorted(results, key=lambda r: (players.index(r.player), r.plan.seed))


def table_of(results: Sequence[Result], bias: int) -> Table:
    """One row per player: means over seeds."""
    seeds = len({result.plan.seed for result in results})
    table = Table(title=f"Traffic {bias:+d} % off the forecast, mean of {seeds} seeds", box=SIMPLE)
    table.add_column("player", no_wrap=True)
    for name in "G|worst G|revenue|value|lines met|pacing|all|shares|over|unpaid|broken|s".split("|"):
        table.add_column(name, justify="right", no_wrap=True)
    for player in dict.fromkeys(result.player for result in results):
        outcomes = [result.outcome for result in results if result.player == player]
        table.add_row(
            player,
            f"{fmean(o.guaranteed_percent for o in outcomes):.2f}",
            f"{min(o.guaranteed_percent for o in outcomes):.2f}",
            f"{fmean(o.revenue_percent for o in outcomes):.2f}",
            f"{fmean(o.value_percent for o in outcomes):.1f}",
            f"{fmean(o.met_percent for o in outcomes):.1f}",
            f"{fmean(o.error_uncontested for o in outcomes):.1f}",
            f"{fmean(o.error_all for o in outcomes):.1f}",
            f"{fmean(o.share_error for o in outcomes):.2f}",
            str(sum(o.over_goal + o.over_budget_micros for o in outcomes)),
            str(sum(o.unpaid_clicks for o in outcomes)),
            str(sum(sum(o.violations.values()) for o in outcomes)),
            f"{fmean(o.seconds for o in outcomes):.0f}",
        )
    return table


def _record(results: Sequence[Result]) -> dict[str, object]:
    weeks = [{**asdict(r.plan), "player": r.player, **asdict(r.outcome)} for r in results]
    return {"at": system_clock().isoformat(timespec="seconds"), "weeks": weeks}


if __name__ == "__main__":
    main()
