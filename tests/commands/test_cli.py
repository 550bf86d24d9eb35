"""The table of commands and the modules that it names say the same."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import pytest
import typer
from typer.main import get_command

from adserver import commands
from adserver.cli import COMMANDS, app_for


def names_of(app: typer.Typer) -> list[str]:
    """The commands of a command line."""
    return list(getattr(get_command(app), "commands", ()))


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_adds_the_commands_that_the_table_names(module: str) -> None:
    alone = typer.Typer()
    alone.callback()(lambda: None)
    import_module(f"adserver.commands.{module}").register(alone)
    assert names_of(alone) == list(COMMANDS[module])
    assert names_of(app_for([COMMANDS[module][0], "--help"])) == list(COMMANDS[module])


def test_no_module_is_left_out_and_help_lists_all() -> None:
    assert {module.name for module in iter_modules(commands.__path__)} == set(COMMANDS)
    every = sorted(name for names in COMMANDS.values() for name in names)
    for words in ([], ["--help"], ["nonsense"]):
        assert sorted(names_of(app_for(words))) == every
