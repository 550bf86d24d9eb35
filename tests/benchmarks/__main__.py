"""`python -m tests.benchmarks` → a table, and the same figures in `var/bench.json`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from adserver.clock import system_clock
from adserver.logs import configure_logs
from tests.benchmarks.bench import Figure, Plan, control_of, measure
from tests.benchmarks.changes import look_at_changes, sentence_of_changes
from tests.benchmarks.console import look_at_console, table_of_console
from tests.benchmarks.inside import Inside, look_inside
from tests.benchmarks.load import CONNECTION_COUNT, Load, wrk_path
from tests.benchmarks.tag import look_at_tag, sentence_of

_OUTPUT = Path("var/bench.json")
_INSIDE_SIZES = (1_000, 10_000, 100_000)
_CONSOLE_SIZE = 10_000
_CHANGED_SIZES = (1_000, 10_000)
#: Columns of the table when it does not go to a terminal.
_WIDTH = 110
#: Up to here the measurements of the control count as the same.
_CALM_SPREAD = 0.25


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    seconds = int(os.environ.get("ADSERVER_BENCH_SECONDS", "5"))
    parser.add_argument("--seconds", type=int, default=seconds, help="of each case (ADSERVER_BENCH_SECONDS)")
    plan = Plan(seconds=parser.parse_args().seconds)
    if not wrk_path():
        sys.exit("the benchmarks need wrk: apt-get install wrk")
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    configure_logs()
    with TemporaryDirectory() as folder, console.status("") as status:
        figures = measure(plan, Path(folder), step=status.update)
        status.update("inside")
        insides = [look_inside(size, Path(folder)) for size in _INSIDE_SIZES]
        status.update("console")
        pages = look_at_console(_CONSOLE_SIZE, Path(folder))
        status.update("changes")
        changes = {size: look_at_changes(size, Path(folder)) for size in _CHANGED_SIZES}
        status.update("tag.js")
        tag = look_at_tag(Path(folder))
    console.print(table_of(figures))
    console.print(table_inside(insides))
    console.print(table_of_console(pages, _CONSOLE_SIZE))
    for size, waited in changes.items():
        console.print(sentence_of_changes(size, waited))
    console.print(sentence_of(tag) if tag else "No Chromium: what tag.js costs was not measured.")
    spread = control_of(figures)[2]
    if spread > _CALM_SPREAD:
        console.print(
            f"The control's CPU per request spread by {spread:.0%}: something else used this machine. "
            "Measure again when it is quiet.",
            style="yellow",
        )
    _OUTPUT.parent.mkdir(exist_ok=True)
    record = {**record_of(figures, plan), "inside": [asdict(inside) for inside in insides]}
    record["console"] = [asdict(page) for page in pages]
    record["changes"] = changes
    record["tag"] = asdict(tag) if tag else None
    _OUTPUT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    console.print(f"{_machine()}. Written to {_OUTPUT}.", highlight=False)


def table_of(figures: Sequence[Figure]) -> Table:
    """One row per case."""
    table = Table(title=f"One server process on one core, {CONNECTION_COUNT} connections", box=SIMPLE)
    table.add_column("case", no_wrap=True)
    for name in ("per second", "÷ control", "CPU µs each", "÷ control", "p50 ms", "p99 ms", "filled"):
        table.add_column(name, justify="right", no_wrap=True)
    rate, cpu_micros, _ = control_of(figures)
    table.add_row("control, mean", f"{rate:,.0f}", "1.00", f"{cpu_micros:.1f}", "1.00")
    for figure in figures:
        load, fill_rate = figure.load, figure.fill_rate
        table.add_row(
            figure.name,
            f"{load.rate:,.0f}",
            f"{figure.rate_ratio:.2f}",
            f"{load.cpu_micros:.1f}",
            f"{figure.cpu_ratio:.2f}",
            f"{load.p50_ms:.1f}",
            f"{load.p99_ms:.1f}",
            "" if fill_rate is None else f"{fill_rate:.0%}",
        )
    return table


def table_inside(insides: Sequence[Inside]) -> Table:
    """One row per size of catalog."""
    table = Table(title="A decision of five slots alone; a new catalog while pages are served", box=SIMPLE)
    for name in ("items", "decide p50 µs", "p99 µs", "first time p50 µs", "rebuilt in s", "longest wait ms"):
        table.add_column(name, justify="right", no_wrap=True)
    for inside in insides:
        table.add_row(
            f"{inside.item_count:,}",
            f"{inside.decide_p50_us:.1f}",
            f"{inside.decide_p99_us:.0f}",
            f"{inside.first_p50_us:.0f}",
            f"{inside.rebuild_seconds:.2f}",
            f"{1000 * inside.longest_wait_seconds:.0f}",
        )
    return table


def record_of(figures: Sequence[Figure], plan: Plan) -> dict[str, Any]:
    """The figures as JSON: rates per second, times in the unit of their key."""
    cases = [
        {
            "name": figure.name,
            "rate_ratio": figure.rate_ratio,
            "cpu_ratio": figure.cpu_ratio,
            "fill_rate": figure.fill_rate,
            "load": _load_record(figure.load),
            "controls": [_load_record(control) for control in figure.controls],
        }
        for figure in figures
    ]
    return {
        "at": system_clock().isoformat(timespec="seconds"),
        "machine": _machine(),
        "connections": CONNECTION_COUNT,
        "plan": asdict(plan),
        "cases": cases,
    }


def _load_record(load: Load) -> dict[str, Any]:
    return {"rate": load.rate, "cpu_micros": load.cpu_micros, **asdict(load)}


def _machine() -> str:
    models = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")
    ]
    model = models[0].partition(": ")[2] if models else platform.machine()
    return f"{os.cpu_count()} × {model}, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
