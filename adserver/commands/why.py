"""`adserver why`, `estimate`: a line item or a targeting, and sampled page requests → what these say of it.

The samples are those that the server has saved, which it does once a minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from adserver.accounts.model import THIS_MACHINE
from adserver.clock import system_clock
from adserver.commands.catalog import Db
from adserver.decision.rule_names import rule_name
from adserver.engines.catalog_store import load_catalog
from adserver.engines.sql import catalog_url
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.errors import InvalidInput
from adserver.forecast.past import PastPages, target_in
from adserver.settings import Settings, load_settings
from adserver.steered import steering_of
from adserver.stored import existing

Result = TypeVar("Result")


def register(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.command()(why)
    app.command()(estimate)


def why(
    line_item: Annotated[str, typer.Argument(help="Name of a line item.", show_default=False)],
    db: Db = None,
) -> None:
    """Say why a line item did not serve today and yesterday, by sampled page requests."""
    found = _ask(load_settings(db=db), lambda past: past.reasons(THIS_MACHINE, line_item))
    if found is None:
        raise InvalidInput.one("", line_item, "there is no such line item")
    if found.never:
        typer.echo(found.never)
    for day in found.days:
        replayed = day.replayed
        typer.echo(f"{day.day}: served on {replayed.served_count} of {replayed.page_count} sampled pages")
        for one in replayed.hindrances:
            share = one.page_count / replayed.page_count
            typer.echo(f"  {share:4.0%}  {rule_name(one.rule)}: {one.slot}: {one.sentence}")


def estimate(
    target: Annotated[str, typer.Argument(help='JSON as in the catalog: {"country": ["NP"]}.')] = "{}",
    allow_topic: Annotated[list[str] | None, typer.Option(help="A sensitive topic that it accepts.")] = None,
    db: Db = None,
) -> None:
    """Say how many of yesterday's page requests a targeting matches."""
    asked = target_in(target)
    found = _ask(
        load_settings(db=db), lambda past: past.estimate(THIS_MACHINE, asked, tuple(allow_topic or ()))
    )
    counted = f" ({found.match_count:,} of {found.page_count:,})" if found.page_count else ""
    typer.echo(f"matches {found.match_rate:.0%} of page requests{counted}, by {found.sampled_count} samples")
    for rule, share in found.lost.items():
        typer.echo(f"  {share:4.0%}  lost to {rule_name(rule).lower()}")


def _ask(settings: Settings, ask: Callable[[PastPages], Awaitable[Result]]) -> Result:
    async def asked() -> Result:
        existing(settings.db)
        stored = await load_catalog(catalog_url(settings))
        steering, _ = await steering_of(settings, stored, system_clock)
        progress = SqliteProgress(settings.db)
        try:
            counts = progress.request_counts
            return await ask(PastPages(steering, lambda: stored, counts, system_clock, settings))
        finally:
            await progress.close()

    return asyncio.run(asked())
