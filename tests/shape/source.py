"""Text of a Python file → its syntax tree, name and imports; and the files that belong to the repository."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from tests.shape.house import FLOORS

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """One Python file; `path` is relative to the repository, with slashes."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.text, self.path)

    @property
    def name(self) -> str:
        """Dotted name; a package's is that of its `__init__.py`."""
        parts = PurePosixPath(self.path).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def part(self) -> str:
        """The part of the house that it belongs to."""
        return part_of(self.name)

    @property
    def floor(self) -> int | None:
        """The floor of that part, None when it has none yet."""
        return FLOORS.get(self.part)

    def imports(self) -> Iterator[tuple[int, str]]:
        """(line, dotted name) of everything imported, anywhere in the file: `from a import b` gives `a.b`."""
        package = self.name if self.path.endswith("__init__.py") else self.name.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    above = package.split(".")[: len(package.split(".")) - node.level + 1]
                    base = ".".join([*above, *filter(None, [node.module])])
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def part_of(name: str) -> str:
    """`"adserver.catalog.model"` → `"adserver.catalog"`: the part of the house in which a module lies."""
    first, *rest = name.split(".")
    return ".".join([first, *rest[:1]]) if first == "adserver" else first


def repository_files() -> list[str]:
    """Paths of the files that are, or would be, committed."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for path in sorted(set(listed.splitlines())) if (ROOT / path).is_file()]


def own_text(*suffixes: str) -> Iterator[tuple[str, str]]:
    """(path, text) of the files of these kinds that we wrote: vendored ones are others' work."""
    for path in repository_files():
        if path.endswith(suffixes) and "vendor" not in PurePosixPath(path).parts:
            yield path, (ROOT / path).read_text(encoding="utf-8")


def own_modules(*tops: str) -> list[Module]:
    """The Python files under these top-level packages."""
    return [Module(path, text) for path, text in own_text(".py") if path.split("/")[0] in tops]
