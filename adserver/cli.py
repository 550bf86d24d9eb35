"""Words on a command line → the command that does them, and an exit status: 0 done, 1 failed, 2 bad input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

import typer

from adserver.errors import AdserverError, StorageFailed

#: Module of `adserver.commands` → its commands, in the order in which help lists them. Only the module of the
#: command that is asked for is read: all of them together take three times as long.
COMMANDS = {
    "demo": ("demo",),
    "serve": ("serve",),
    "catalog": ("check", "plan", "apply", "export"),
    "items": ("items",),
    "changes": ("copy", "history", "undo"),
    "objects": ("add", "set", "archive"),
    "why": ("why", "estimate"),
    "proof": ("proof",),
    "explain": ("explain",),
    "forecast": ("forecast",),
    "history": ("import", "rebuild"),
    "ads_txt": ("import-ads-txt",),
    "earnings": ("earnings",),
    "newsletter": ("newsletter",),
    "preview": ("preview",),
    "restate": ("refilter", "audit"),
    "closing": ("close", "statement"),
    "backup": ("backup", "restore"),
    "retain": ("retain",),
    "user": ("user",),
}


def app_for(words: Sequence[str]) -> typer.Typer:
    """The command line with the command that some words begin with; with all commands for any other words."""
    app = typer.Typer(
        name="adserver",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    # With a callback the name of a command is always asked for, even where there is only one.
    @app.callback()
    def adserver() -> None:
        """An ad server that a news publisher runs itself."""

    named = [module for module, commands in COMMANDS.items() if words and words[0] in commands]
    for module in named or COMMANDS:
        import_module(f"adserver.commands.{module}").register(app)
    return app


def main() -> None:
    """Run one command. An error is one clear line on standard error for each thing that is wrong."""
    try:
        app_for(sys.argv[1:])()
    except StorageFailed as error:
        _stop(error, 1)
    except AdserverError as error:
        _stop(error, 2)


def _stop(error: AdserverError, status: int) -> None:
    typer.echo(str(error), err=True)
    sys.exit(status)
