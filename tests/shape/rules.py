"""A module → where it breaks the rules of the house. Rules take text, so that each can be shown to fail."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from tests.shape import house
from tests.shape.source import Module, part_of


@dataclass(frozen=True, order=True)
class Breach:
    """One place that breaks a rule."""

    path: str
    line: int
    problem: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}"


def floors(module: Module) -> Iterator[Breach]:
    """Imports go downwards only."""
    if module.floor is None:
        yield Breach(module.path, 1, f"{module.part} has no floor; give it one in tests/shape/house.py")
        return
    for line, name in module.imports():
        part = part_of(name)
        if part.split(".")[0] not in ("adserver", "dashboards", "tests") or part == module.part:
            continue
        floor = house.FLOORS.get(part)
        if floor is None:
            yield Breach(module.path, line, f"{name} has no floor; give {part} one in tests/shape/house.py")
        elif floor > module.floor:
            yield Breach(module.path, line, f"floor {module.floor} imports {name} from floor {floor} above")
        elif floor == module.floor and not _stands_before(part, module.part, floor):
            yield Breach(module.path, line, f"{module.part} imports {name} beside it on floor {floor}")


def _stands_before(part: str, importer: str, floor: int) -> bool:
    order = house.ORDERED_FLOORS.get(floor, ())
    return part in order and importer in order and order.index(part) < order.index(importer)


def cycles(modules: Iterable[Module]) -> Iterator[Breach]:
    """No module imports itself by way of others; the first such ring is reported."""
    by_name = {module.name: module for module in modules}
    graph = {name: set(_imported_modules(module, by_name)) - {name} for name, module in by_name.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        ring = error.args[1]
        yield Breach(by_name[ring[0]].path, 1, f"imports go round in a circle: {' ← '.join(ring)}")


def _imported_modules(module: Module, known: dict[str, Module]) -> Iterator[str]:
    for _, name in module.imports():
        if name in known:
            yield name
        elif name.rpartition(".")[0] in known:
            yield name.rpartition(".")[0]


def sizes(module: Module) -> Iterator[Breach]:
    """Files and functions short enough to be read in one go."""
    yield from file_size(module.path, module.text)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > house.MOST_LINES_PER_FUNCTION:
                limit = f"more than {house.MOST_LINES_PER_FUNCTION}"
                yield Breach(module.path, node.lineno, f"{node.name} has {lines} lines, {limit}")


def file_size(path: str, text: str) -> Iterator[Breach]:
    """The same for any kind of file."""
    lines = text.count("\n")
    if lines > house.MOST_LINES_PER_FILE:
        yield Breach(path, lines, f"{lines} lines, more than {house.MOST_LINES_PER_FILE}")


def homes(module: Module) -> Iterator[Breach]:
    """Each library from outside is known in its home alone."""
    for line, name in module.imports():
        library = name.split(".")[0]
        homes = house.HOMES.get(library)
        if homes is None:
            ours = library in ("adserver", "dashboards", "tests") or library in sys.stdlib_module_names
            if not ours:
                yield Breach(module.path, line, f"{library} has no home; give it one in tests/shape/house.py")
        elif not any(_within(module.name, home) for home in homes):
            where = ", ".join(homes) or "the tests"
            yield Breach(module.path, line, f"{library} is at home in {where}, not here")


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def purity(module: Module) -> Iterator[Breach]:
    """The lowest floors do no I/O, and neither look at the clock nor draw lots."""
    if module.floor not in house.PURE_FLOORS:
        return
    allowed = house.IMPURE_BY_TRADE.get(module.name, ())
    for line, name in module.imports():
        for library in house.IMPURE_LIBRARIES.difference(allowed):
            if _within(name, library):
                yield Breach(module.path, line, f"floor {module.floor} is pure and imports {library}")
        if name.startswith("random.") and name != "random.Random":
            yield Breach(module.path, line, f"{name} draws from a shared generator; take rng as an argument")
    for node in ast.walk(module.tree):
        what = _impure(node)
        if what and what not in allowed:
            line = getattr(node, "lineno", 1)
            yield Breach(module.path, line, f"floor {module.floor} is pure and uses {what}")


def _impure(node: ast.AST) -> str | None:
    if isinstance(node, ast.AsyncFunctionDef):
        return f"async {node.name}"
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "random":
        return None if node.attr == "Random" else f"random.{node.attr}"
    if isinstance(node, ast.Call):
        called = node.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        return name if name in house.IMPURE_CALLS else None
    return None


def opening(module: Module) -> Iterator[Breach]:
    """A module opens with what it turns into what. A package's `__init__.py` may be empty or one line."""
    if module.path.endswith("__init__.py") and module.text.count("\n") <= 1:
        return
    first = (ast.get_docstring(module.tree) or "").partition("\n")[0]
    if not first:
        yield Breach(module.path, 1, "opens without a docstring")
    elif not module.path.startswith("tests/") and not re.search("[→⇄]", first):
        yield Breach(module.path, 1, "the first line of its docstring does not say “what → what”")


def names(module: Module) -> Iterator[Breach]:
    """No name says only that something is done with something."""
    for word in set(_words(module.name)) & house.EMPTY_WORDS:
        yield Breach(module.path, 1, f"the module's name has the empty word {word!r}")
    for node in ast.walk(module.tree):
        for name, whole_only in _defined(node):
            empty = {name.strip("_").lower()} if whole_only else set(_words(name))
            for word in empty & house.EMPTY_WORDS:
                yield Breach(module.path, getattr(node, "lineno", 1), f"{name} has the empty word {word!r}")


def script_names(path: str, text: str) -> Iterator[Breach]:
    """The same for our JavaScript, as far as its text shows it."""
    declared = re.compile(r"\b(?:const|let|var|function|class)\s+(\w+)")
    for line, code in enumerate(text.splitlines(), 1):
        for name in declared.findall(code):
            if name.strip("_").lower() in house.EMPTY_WORDS:
                yield Breach(path, line, f"{name} is an empty word")


def _words(name: str) -> list[str]:
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)]


def _defined(node: ast.AST) -> Iterator[tuple[str, bool]]:
    """(name, whether it only counts as a whole) of what a node names. Names of tests are sentences."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            if name not in house.IMPOSED_NAMES:
                yield name, name.startswith("test_")
        case (
            ast.Name(id=name, ctx=ast.Store())
            | ast.Attribute(attr=name, ctx=ast.Store())
            | ast.arg(arg=name)
            | ast.alias(asname=str(name))
            | ast.ExceptHandler(name=str(name))
            | ast.MatchAs(name=str(name))
            | ast.MatchStar(name=str(name))
        ):
            yield name, True


def top_level(paths: Iterable[str]) -> Iterator[Breach]:
    """The top of the repository holds what it was agreed to hold."""
    for first in sorted({path.split("/")[0] for path in paths} - house.TOP_LEVEL):
        yield Breach(first, 1, "is not among the agreed things at the top of the repository")


def locks(path: str, text: str, declared: Iterable[str]) -> Iterator[Breach]:
    """A lock file holds what `pyproject.toml` declares, and names no server."""
    locked = {_project(line) for line in text.splitlines() if re.match("[a-z0-9]", line)}
    for requirement in declared:
        if _project(requirement) not in locked:
            yield Breach(path, 1, f"{requirement!r} is not in it; run `make lock`")
    for line, content in enumerate(text.splitlines(), 1):
        if "://" in content or content.startswith("-"):
            yield Breach(path, line, f"{content!r} ties it to one place")


def _project(requirement: str) -> str:
    """The name of what is required, normalised (PEP 503)."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name, f"{requirement!r} requires nothing"
    return re.sub(r"[-_.]+", "-", name[0]).lower()
