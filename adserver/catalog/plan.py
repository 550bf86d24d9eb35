"""Two catalogs → the changes between them, object by object; and a catalog ⇄ its objects under lasting names.

The store keeps the history of every object, and ad ops want to read what an apply would do before it is
done: both need a catalog taken apart into objects whose identity survives edits. Identity is by name, so
renaming an object removes it and adds another.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from adserver.catalog.check import cross_findings
from adserver.catalog.creative import Creative
from adserver.catalog.faults import validation_findings
from adserver.catalog.keys import to_faults
from adserver.catalog.model import Advertiser, Campaign, Catalog, LineItem, Site, Slot
from adserver.catalog.part import Part
from adserver.errors import InvalidInput

#: Kind and names: `("slot", "daily", "article-top")`, `("line_item", "savings-top")`.
Path = tuple[str, ...]
Action = Literal["add", "change", "remove", "move"]

#: Each kind's lists of further objects.
CHILDREN = {
    "site": ("slot",),
    "advertiser": ("campaign",),
    "campaign": ("line_item",),
    "line_item": ("creative",),
    "slot": (),
    "creative": (),
}
#: Kind → the kind of what it belongs to; None: to nothing.
PARENTS: Mapping[str, str | None] = {
    "site": None,
    "advertiser": None,
    **{child: parent for parent, children in CHILDREN.items() for child in children},
}
#: Kinds whose names are unique only within their parent, whose name is therefore part of the identity.
WITHIN = ("slot", "campaign")
MODELS: Mapping[str, type[Part]] = {
    "site": Site,
    "slot": Slot,
    "advertiser": Advertiser,
    "campaign": Campaign,
    "line_item": LineItem,
    "creative": Creative,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One object without its children: its place, and its JSON-able `body` without keys at their default."""

    parent: Path | None
    position: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one object.

    `before` and `after` are bodies (None where the object is absent); for a "move" they are
    `{"parent": "campaign himal-bank/savings" or "", "position": 2}`. An object can both change and move.
    """

    action: Action
    path: Path
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


def flatten(catalog: Catalog) -> dict[Path, Entry]:
    """Every object of a catalog with unique names, in file order, parents before children."""
    entries: dict[Path, Entry] = {}
    for kind in ("site", "advertiser"):
        for position, part in enumerate(getattr(catalog, kind)):
            entries.update(_flatten(kind, part, None, position))
    return entries


def _flatten(kind: str, part: Part, parent: Path | None, position: int) -> Iterator[tuple[Path, Entry]]:
    name: str = part.name  # type: ignore[attr-defined]  # every part of CHILDREN has a name
    path = (kind, *parent[1:], name) if parent and kind in WITHIN else (kind, name)
    yield path, Entry(parent, position, body_of(kind, part))
    for child_kind in CHILDREN[kind]:
        for index, child in enumerate(getattr(part, child_kind)):
            yield from _flatten(child_kind, child, path, index)


def body_of(kind: str, part: Part) -> dict[str, Any]:
    """What an entry keeps of an object."""
    return part.model_dump(mode="json", exclude_defaults=True, exclude=set(CHILDREN[kind]))


def assemble(entries: Mapping[Path, Entry], source: str = "catalog") -> Catalog:
    """Inverse of `flatten`; the order of `entries` does not matter.

    Raises InvalidInput, with `source` as the file and every fault, when a body is not allowed (any more).
    """
    tables: dict[Path | None, dict[str, Any]] = {None: {}}
    tables.update((path, dict(entry.body)) for path, entry in entries.items())
    for path, entry in sorted(entries.items(), key=lambda pair: pair[1].position):
        tables[entry.parent].setdefault(path[0], []).append(tables[path])
    try:
        return Catalog.model_validate(tables[None])
    except ValidationError as error:
        findings = [*validation_findings(error), *cross_findings(tables[None])]
        raise InvalidInput(to_faults(tables[None], findings, source)) from None


def diff(old: Catalog, new: Catalog) -> tuple[Change, ...]:
    """What turns `old` into `new`, empty exactly when they are equal: first removals, then in file order."""
    return diff_entries(flatten(old), flatten(new))


def diff_entries(old: Mapping[Path, Entry], new: Mapping[Path, Entry]) -> tuple[Change, ...]:
    """`diff` of two catalogs that are already taken apart."""
    changes = [Change("remove", path, entry.body, None) for path, entry in old.items() if path not in new]
    moved = set() if keep_places(old, new) else _moved(old, new)
    for path, entry in new.items():
        before = old.get(path)
        if before is None:
            changes.append(Change("add", path, None, entry.body))
            continue
        if path in moved:
            changes.append(Change("move", path, _place(before), _place(entry)))
        if before.body != entry.body:
            changes.append(Change("change", path, before.body, entry.body))
    return tuple(changes)


def keep_places(old: Mapping[Path, Entry], new: Mapping[Path, Entry]) -> bool:
    """Whether whatever is in both is in the same place."""
    return all(
        (was := old.get(path)) is None
        or was is entry
        or (was.parent, was.position) == (entry.parent, entry.position)
        for path, entry in new.items()
    )


def _place(entry: Entry) -> dict[str, Any]:
    return {"parent": title(entry.parent) if entry.parent else "", "position": entry.position}


def _moved(old: Mapping[Path, Entry], new: Mapping[Path, Entry]) -> set[Path]:
    """Objects with another parent, and the fewest that explain a new order among those that stayed."""
    moved: set[Path] = set()
    stayed: dict[tuple[Path | None, str], list[Path]] = {}
    for path, entry in sorted(new.items(), key=lambda pair: pair[1].position):
        before = old.get(path)
        if before is None:
            continue
        if before.parent != entry.parent:
            moved.add(path)
        else:
            stayed.setdefault((entry.parent, path[0]), []).append(path)
    for paths in stayed.values():
        positions = [old[path].position for path in paths]
        kept = _longest_rising(positions)
        moved.update(path for index, path in enumerate(paths) if index not in kept)
    return moved


def _longest_rising(numbers: list[int]) -> set[int]:
    """Indexes of one longest strictly rising subsequence (patience sorting, n log n)."""
    ends: list[int] = []
    end_indexes: list[int] = []
    before: list[int | None] = []
    for index, number in enumerate(numbers):
        length = bisect_left(ends, number)
        before.append(end_indexes[length - 1] if length else None)
        ends[length : length + 1] = [number]
        end_indexes[length : length + 1] = [index]
    kept: set[int] = set()
    cursor = end_indexes[-1] if end_indexes else None
    while cursor is not None:
        kept.add(cursor)
        cursor = before[cursor]
    return kept


def title(path: Path) -> str:
    """`("slot", "daily", "article-top")` → `"slot daily/article-top"`."""
    return f"{path[0]} {'/'.join(path[1:])}"


SIGNS: Mapping[Action, str] = {"add": "+", "change": "~", "remove": "-", "move": "~"}


def render(change: Change) -> str:
    """A change as plain lines: its sign and object, then indented each key that differs, before → after."""
    head = f"{SIGNS[change.action]} {title(change.path)}"
    if change.action == "remove":
        return head
    if change.action == "move":
        assert change.before is not None and change.after is not None, "a move has a place before and after"
        if change.before["parent"] != change.after["parent"]:
            return f"{head}\n    moves from {change.before['parent']} to {change.after['parent']}"
        return (
            f"{head}\n    moves from place {change.before['position'] + 1} to {change.after['position'] + 1}"
        )
    lines = [head]
    for key, before, after in differences(change):
        if change.action == "add":
            lines.append(f"    {key}: {after}")
        else:
            lines.append(f"    {key}: {before or '(not set)'} → {after or '(not set)'}")
    return "\n".join(lines)


def differences(change: Change) -> Iterator[tuple[str, str, str]]:
    """The keys that differ, such as `price.cpm`, with their values before and after as JSON; "": not set."""
    before, after = dict(_leaves(change.before or {})), dict(_leaves(change.after or {}))
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key) and key != "name":
            yield key, before.get(key, ""), after.get(key, "")


def _leaves(body: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in body.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", json.dumps(value, ensure_ascii=False)
