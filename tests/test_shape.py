"""The shape of the code: floors, homes, sizes, purity, openings and names, from its own syntax trees.

Every rule is first broken by a made-up module: a rule that cannot fail would say nothing.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.shape import rules
from tests.shape.house import FLOORS, HOMES
from tests.shape.source import ROOT, Module, own_modules, own_text, part_of, repository_files

Rule = Callable[[Module], Iterator[rules.Breach]]

CODE = own_modules("adserver", "dashboards")
TESTS = own_modules("tests")


def _clean(breaches: Iterable[rules.Breach]) -> None:
    found = sorted(breaches)
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("rule", [rules.floors, rules.homes, rules.purity], ids=lambda rule: rule.__name__)
def test_code_keeps_the_rule(rule: Rule) -> None:
    _clean(breach for module in CODE for breach in rule(module))


@pytest.mark.parametrize("rule", [rules.sizes, rules.opening, rules.names], ids=lambda rule: rule.__name__)
def test_code_and_tests_keep_the_rule(rule: Rule) -> None:
    _clean(breach for module in [*CODE, *TESTS] for breach in rule(module))


def test_no_imports_go_round_in_a_circle() -> None:
    _clean(rules.cycles([*CODE, *TESTS]))


def test_scripts_styles_and_templates_are_short_and_well_named() -> None:
    for path, text in own_text(".js", ".css", ".html"):
        _clean(rules.file_size(path, text))
        if path.endswith(".js"):
            _clean(rules.script_names(path, text))


def test_top_of_the_repository_holds_only_what_was_agreed() -> None:
    _clean(rules.top_level(repository_files()))


def test_locks_hold_what_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    runtime = [*project["project"]["dependencies"], *project["dependency-groups"]["build"]]
    testing = [*runtime, *project["project"]["optional-dependencies"]["test"]]
    for path, declared in (("requirements.lock", runtime), ("requirements-test.lock", testing)):
        _clean(rules.locks(path, (ROOT / path).read_text(encoding="utf-8"), declared))


def test_tables_of_the_house_name_only_parts_that_have_a_floor() -> None:
    assert {part_of(home) for homes in HOMES.values() for home in homes} <= set(FLOORS)


BROKEN = [
    (rules.floors, "adserver/catalog/x.py", "from adserver.decision import page", "above"),
    (rules.floors, "adserver/engines/x.py", "def f():\n    import adserver.app", "above"),
    (rules.floors, "adserver/catalog/x.py", "from ..engines import sqlite", "above"),
    (rules.floors, "adserver/serving/x.py", "import dashboards.routes", "beside it"),
    (rules.floors, "adserver/demo/x.py", "from adserver import app", "beside it"),
    (rules.floors, "adserver/errors.py", "from adserver.settings import Settings", "beside it"),
    (rules.floors, "adserver/app.py", "from tests import shape", "above"),
    (rules.floors, "adserver/app.py", "import adserver.loft", "adserver.loft has no floor"),
    (rules.floors, "adserver/loft.py", "", "adserver.loft has no floor"),
    (rules.homes, "adserver/serving/x.py", "import sqlite3", "adserver.engines, not here"),
    (rules.homes, "adserver/catalog/file_x.py", "import tomllib", "adserver.catalog.file, not here"),
    (rules.homes, "dashboards/x.py", "import plotly.graph_objects as go", "the tests, not here"),
    (rules.homes, "adserver/app.py", "import pandas", "pandas has no home"),
    (rules.purity, "adserver/decision/x.py", "import asyncio", "imports asyncio"),
    (rules.purity, "adserver/decision/x.py", "from pathlib import Path", "imports pathlib"),
    (rules.purity, "adserver/decision/x.py", "from importlib.resources import files", "importlib.resources"),
    (rules.purity, "adserver/decision/x.py", "from random import choice", "take rng"),
    (rules.purity, "adserver/decision/x.py", "import random\nrandom.random()", "uses random.random"),
    (rules.purity, "adserver/decision/x.py", "at = datetime.now(UTC)", "uses now"),
    (rules.purity, "adserver/catalog/x.py", "open('file')", "uses open"),
    (rules.purity, "adserver/catalog/x.py", "def f(p): return p.read_text()", "uses read_text"),
    (rules.purity, "adserver/catalog/x.py", "async def f(): ...", "uses async f"),
    (rules.sizes, "adserver/x.py", "x = 1\n" * 401, "401 lines"),
    (rules.sizes, "tests/x.py", "def f():\n" + "    x = 1\n" * 50, "f has 51 lines"),
    (rules.opening, "adserver/x.py", "x = 1\n", "without a docstring"),
    (rules.opening, "adserver/x.py", '"""Things."""\n', "what → what"),
    (rules.opening, "tests/x.py", "x = 1\n", "without a docstring"),
    (rules.opening, "adserver/x/__init__.py", "x = 1\ny = 2\n", "without a docstring"),
    (rules.names, "adserver/utils.py", "", "the module's name"),
    (rules.names, "adserver/x.py", "class CampaignManager: ...", "CampaignManager"),
    (rules.names, "adserver/x.py", "def process_events(): ...", "process_events"),
    (rules.names, "adserver/x.py", "def f(data): ...", "data"),
    (rules.names, "adserver/x.py", "for handle in (): ...", "handle"),
    (rules.names, "adserver/x.py", "x._data = 1", "_data"),
    (rules.names, "adserver/x.py", "import x as utils", "utils"),
    (rules.names, "adserver/x.py", "with open('x') as helper: ...", "helper"),
]


@pytest.mark.parametrize(("rule", "path", "text", "problem"), BROKEN)
def test_rule_finds_what_breaks_it(rule: Rule, path: str, text: str, problem: str) -> None:
    breaches = [str(breach) for breach in rule(Module(path, text))]
    assert len(breaches) == 1
    assert breaches[0].startswith(f"{path}:")
    assert problem in breaches[0]


KEPT = [
    (rules.floors, "adserver/cli.py", "from adserver.app import build\nfrom adserver.commands import serve"),
    (
        rules.floors,
        "adserver/decision/page.py",
        "from . import index\nfrom adserver.catalog.model import Tier",
    ),
    (rules.homes, "adserver/catalog/file.py", "import tomllib, json\nfrom adserver import money"),
    (rules.purity, "adserver/engines/x.py", "import sqlite3, asyncio\nopen('x')"),
    (rules.purity, "adserver/decision/x.py", "from random import Random\ndef f(rng): return rng.random()"),
    (rules.purity, "adserver/clock.py", "def system_clock(): return datetime.now(UTC)"),
    (rules.sizes, "adserver/x.py", "def f():\n" + "    x = 1\n" * 49 + "x = 1\n" * 350),
    (rules.opening, "adserver/x/__init__.py", ""),
    (rules.opening, "adserver/x.py", '"""This → that."""\n'),
    (rules.names, "adserver/x.py", "def read_metadata(database): x.dataset = processor = handler = 1"),
    (rules.names, "adserver/x.py", "from multiprocessing import Process\ndraw(data=1)"),
]


@pytest.mark.parametrize(("rule", "path", "text"), KEPT)
def test_rule_lets_pass_what_keeps_it(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Module(path, text))) == []


def test_rule_finds_a_circle_of_imports() -> None:
    one = Module("adserver/demo/one.py", "from adserver.demo.two import b")
    two = Module("adserver/demo/two.py", "def b():\n    from . import one")
    assert "circle" in str(next(rules.cycles([one, two])))
    assert not list(rules.cycles([one]))


def test_rule_finds_what_a_lock_lacks_and_where_it_ties_itself_to_a_server() -> None:
    lock = "--index-url https://x.example\ntomli-w==1.2.0 \\\n    --hash=sha256:00\n"
    found = [str(breach) for breach in rules.locks("x.lock", lock, ["tomli_w>=1.2,<2", "rich[all]>=15"])]
    assert len(found) == 2
    assert "'rich[all]>=15' is not in it" in found[0]
    assert "x.lock:1: '--index-url" in found[1]


def test_rules_find_long_and_ill_named_scripts_and_strangers_at_the_top() -> None:
    assert "401 lines" in str(next(rules.file_size("x.css", "\n" * 401)))
    assert "x.js:2: data" in str(next(rules.script_names("x.js", "let a;\nconst data = 1;")))
    assert "notes" in str(next(rules.top_level(["adserver/app.py", "notes/x.md"])))
