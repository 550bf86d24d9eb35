"""An object under a new name → the edits that copy what it holds, with names of its own for all of it."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from adserver.catalog.plan import WITHIN, Entry, Path
from adserver.editing.edits import Edit, merged

_MOST_NAME_CHARS = 63


def copy_of(
    entries: Mapping[Path, Entry], source: Path, copy: Path, changed: Mapping[str, Any] = MappingProxyType({})
) -> list[Edit]:
    """Edits that add `copy` beside `source`, with what that holds; `changed`: a patch of its keys."""
    entry = entries[source]
    keys = merged({key: value for key, value in entry.body.items() if key != "name"}, changed)
    return [Edit("add", copy, keys, entry.parent), *copies(entries, source, copy)]


def copies(entries: Mapping[Path, Entry], source: Path, copy: Path) -> list[Edit]:
    """Edits that add to `copy` what is in `source`, in its order.

    Line items in a campaign come paused: nothing serves before somebody has looked at it.
    """
    inside: dict[Path | None, list[Path]] = {}
    for path, entry in sorted(entries.items(), key=lambda pair: pair[1].position):
        inside.setdefault(entry.parent, []).append(path)
    return list(_copies(entries, inside, source, copy, (source[-1], copy[-1]), set(entries)))


def _copies(
    entries: Mapping[Path, Entry],
    inside: Mapping[Path | None, list[Path]],
    source: Path,
    copy: Path,
    renamed: tuple[str, str],
    taken: set[Path],
) -> Iterator[Edit]:
    for path in inside.get(source, ()):
        kind = path[0]
        within = kind in WITHIN
        name = path[-1] if within else _fresh(kind, path[-1], renamed, taken)
        new: Path = (kind, *copy[1:], name) if within else (kind, name)
        keys: dict[str, Any] = {key: value for key, value in entries[path].body.items() if key != "name"}
        if kind == "line_item":
            keys["paused"] = True
        taken.add(new)
        yield Edit("add", new, keys, copy)
        yield from _copies(entries, inside, path, new, renamed, taken)


def _fresh(kind: str, name: str, renamed: tuple[str, str], taken: Container[Path]) -> str:
    """A name like the old one: with the copy's name where it began with that of its source, or numbered."""
    old, new = renamed
    begins = name == old or name.startswith(tuple(f"{old}{mark}" for mark in "-._"))
    wanted = new + name[len(old) :] if begins else name
    number, found = 2, wanted[:_MOST_NAME_CHARS]
    while (kind, found) in taken:
        end = f"-{number}"
        found = f"{wanted[: _MOST_NAME_CHARS - len(end)]}{end}"
        number += 1
    return found
