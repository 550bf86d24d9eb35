"""Words on a command line → the command that does them, and an exit status: 0 done, 1 failed, 2 bad input."""

from __future__ import annotations

import sys

import typer

from adserver.commands import (
    ads_txt,
    backup,
    catalog,
    closing,
    demo,
    earnings,
    explain,
    history,
    items,
    newsletter,
    preview,
    restate,
    retain,
    serve,
    user,
)
from adserver.errors import AdserverError, StorageFailed

app = typer.Typer(
    name="adserver",
    help="An ad server that a news publisher runs itself.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (
    demo,
    serve,
    catalog,
    items,
    explain,
    history,
    ads_txt,
    earnings,
    newsletter,
    preview,
    restate,
    closing,
    backup,
    retain,
    user,
):
    part.register(app)


def main() -> None:
    """Run one command. An error is one clear line on standard error for each thing that is wrong."""
    try:
        app()
    except StorageFailed as error:
        _stop(error, 1)
    except AdserverError as error:
        _stop(error, 2)


def _stop(error: AdserverError, status: int) -> None:
    typer.echo(str(error), err=True)
    sys.exit(status)
