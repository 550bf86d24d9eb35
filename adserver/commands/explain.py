"""`adserver explain`: a page request and a database → why each line item would serve there, or would not."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adserver.clock import system_clock
from adserver.decision.explain import BidVerdict, Explanation, SlotExplained, Verdict
from adserver.decision.rule_words import amount
from adserver.decision.verdicts import WON
from adserver.engines.catalog_store import load_catalog
from adserver.engines.sql import catalog_url
from adserver.errors import Fault, InvalidInput
from adserver.money import format_micros
from adserver.serving.answer import encode, explain_question, look_for
from adserver.serving.question import read_question
from adserver.settings import Settings, load_settings
from adserver.steered import steering_of
from adserver.stored import existing

#: Width of the tables where no terminal says its own, in characters.
_WIDTH = 140
_STDIN = "-"


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(explain)


def explain(
    page: Annotated[str, typer.Option(help="File with the JSON that a page sends to /v1/fill; - is stdin.")],
    db: Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).")] = None,
    at: Annotated[str, typer.Option(help="Time, in the site's zone unless it has an offset; else now.")] = "",
    slot: Annotated[str, typer.Option(help="Only this slot.")] = "",
    item: Annotated[str, typer.Option(help="Only this line item.")] = "",
    country: Annotated[str, typer.Option(help='Where the visitor is, such as "NP"; else not known.')] = "",
    device: Annotated[str, typer.Option(help="desktop, mobile or tablet; else not known.")] = "",
    limit: Annotated[str, typer.Option(help="Most line items a slot (ADSERVER_EXPLAINED_ITEMS).")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="What GET /api/v1/explain answers.")] = False,
) -> None:
    """Say for a page why each line item would serve in its slots, or why not. Changes nothing."""
    settings = load_settings(db=db)
    given = {"page": _read(page), "at": at, "slot": slot, "item": item, "country": country}
    given |= {"device": device, "limit": limit}
    explained = asyncio.run(_explain(settings, given, "standard input" if page == _STDIN else page))
    if as_json:
        typer.echo(json.dumps(json.loads(encode(explained)), indent=2, ensure_ascii=False))
    else:
        _print(explained)


def _read(page: str) -> str:
    try:
        body = sys.stdin.buffer.read() if page == _STDIN else Path(page).read_bytes()
    except OSError as error:
        raise InvalidInput.one(page, "", f"cannot be read: {error.strerror}") from None
    return body.decode("utf-8", "surrogateescape").strip()


async def _explain(settings: Settings, given: Mapping[str, str], file: str) -> Explanation:
    existing(settings.db)
    stored = await load_catalog(catalog_url(settings))
    try:
        question = read_question(given, stored.catalog, settings)
    except InvalidInput as error:
        raise InvalidInput([_on_command_line(fault, file) for fault in error.faults]) from None
    now = question.at or system_clock()
    steering, key = await steering_of(settings, stored, lambda: now)
    looked = look_for(steering.decider, key, question, settings, now, Random(0))
    return explain_question(looked, stored.catalog, question, settings)


def _on_command_line(fault: Fault, file: str) -> Fault:
    """The same fault where a person on the command line finds it."""
    if fault.key.partition(".")[0] == "page":
        return Fault(file, fault.key.removeprefix("page").removeprefix("."), fault.problem)
    return Fault("", f"--{fault.key}", fault.problem)


class _Row(NamedTuple):
    name: str
    tier: str
    score: str
    rule: str
    why: str


def _print(explained: Explanation) -> None:
    """One table for each slot: who won, then those that came closest."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=max(_WIDTH, console.width))
    console.print(_heading(explained), highlight=False, markup=False)
    for slot in explained.slots:
        console.print()
        console.print(Text.assemble((slot.slot, "bold"), f"  {slot.sentence} {_offer(slot)}"))
        rows = [_bid_row(bid) for bid in slot.bids] + [_row(verdict) for verdict in slot.line_items]
        rows.sort(key=lambda row: row.rule != WON)
        if rows:
            console.print(_table(rows))
        if slot.left_off:
            console.print(f"  and {slot.left_off} more, left off: {_counts(slot)}", markup=False)


def _heading(explained: Explanation) -> str:
    context, site = explained.context, explained.site
    zone = site.zone if site else ZoneInfo("UTC")
    facts = [
        f"section {context.section}" if context.section else "no section",
        f"topics {', '.join(context.topics)}" if context.topics else "no topics",
        f"country {context.country}" if context.country else "country not known (--country)",
        f"device {context.device}" if context.device else "device not known (--device)",
        "a tally is kept" if explained.stored else "no tally is kept, so nothing with caps serves",
    ]
    if not context.network:
        facts.append("no network may be asked")
    at = f"{explained.at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})"
    return f"{context.site}, {at}, catalog {explained.catalog}\n{'; '.join(facts)}"


def _offer(slot: SlotExplained) -> str:
    """What a slot asks for."""
    if slot.floor_micros is None:
        return ""
    return f"(floor {format_micros(slot.floor_micros)}; {', '.join(slot.sizes) or 'no size can be shown'})"


def _table(rows: list[_Row]) -> Table:
    table = Table(box=None, pad_edge=True, padding=(0, 1), header_style="dim")
    table.add_column("", width=1)
    table.add_column("line item", overflow="fold", max_width=32)
    table.add_column("tier", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True)
    table.add_column("rule", overflow="fold", max_width=24)
    table.add_column("why", overflow="fold", ratio=1)
    for row in rows:
        won = row.rule == WON
        cells = [Text(cell) for cell in row]
        table.add_row("→" if won else "", *cells, style="bold green" if won else "")
    return table


def _row(verdict: Verdict) -> _Row:
    score = verdict.score.score if verdict.score else None
    shown = "" if score is None else "house" if score < 0 else amount(score)
    return _Row(verdict.line_item, verdict.tier, shown, verdict.rule, verdict.sentence)


def _bid_row(bid: BidVerdict) -> _Row:
    return _Row(bid.bid, "header bid", format_micros(bid.cpm_micros), bid.rule, bid.sentence)


def _counts(slot: SlotExplained) -> str:
    return ", ".join(f"{rule} {count}" for rule, count in slot.counts.items())
