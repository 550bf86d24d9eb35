"""Edits of single objects → the objects of the catalog as they shall be.

An edit names its object by path, and the version of it that its author has seen: when somebody else was there
since, it is a conflict, and nothing is lost. What is set is merged into the body (RFC 7396): null puts a key
back to its default.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from adserver.catalog.nearest import nearest
from adserver.catalog.plan import CHILDREN, PARENTS, WITHIN, Entry, Path, title
from adserver.engines.catalog_store import State
from adserver.errors import AdserverError, Fault, InvalidInput


def path_of(kind: str, name: str) -> Path:
    """`("campaign", "himal-bank/savings")` → `("campaign", "himal-bank", "savings")`."""
    return (kind, *name.split("/")) if kind in WITHIN else (kind, name)


@dataclass(frozen=True, slots=True)
class Edit:
    """One object to add, change or archive with all that it holds."""

    action: Literal["add", "change", "archive"]
    path: Path
    keys: Mapping[str, Any] = field(default_factory=dict)
    """What is set; for a new object all of it, but for its name."""
    parent: Path | None = None
    """Of a new line item or creative; for other kinds it is in the path."""
    version: int | None = None
    """The version of the object that the author has seen; None: whatever is there."""


#: In a conflict, in place of an object: the catalog.
WHOLE: Path = ("catalog",)


class Conflict(AdserverError):
    """Somebody else was faster: path → the version that the object has now, 0 when it is gone."""

    def __init__(self, versions: Mapping[Path, int]) -> None:
        self.versions = versions
        names = ", ".join(title(path).strip() for path in versions)
        super().__init__(f"{names}: changed by somebody else in the meantime; look again")


def edited(
    state: State, edits: Sequence[Edit], seen: Mapping[Path, Entry] | None = None
) -> dict[Path, Entry]:
    """All objects after the edits, in their order. Raises InvalidInput with every fault, or Conflict.

    `seen`: those that their author may see, so that none else is named; None: all.
    """
    stale = {
        edit.path: state.versions.get(edit.path, 0)
        for edit in edits
        if edit.version is not None and edit.version != state.versions.get(edit.path, 0)
    }
    if stale:
        raise Conflict(stale)
    entries = dict(state.entries)
    faults: list[Fault] = []
    for edit in edits:
        faults += _FAULTS[edit.action](entries, edit, entries if seen is None else seen)
        if not faults:
            _MAKE[edit.action](entries, edit)
    if faults:
        raise InvalidInput(faults)
    return entries


def merged(body: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON merge patch (RFC 7396)."""
    result = dict(body)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = merged(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _add_faults(entries: Mapping[Path, Entry], edit: Edit, _: Mapping[Path, Entry]) -> list[Fault]:
    kind = edit.path[0]
    if kind not in PARENTS:
        return [Fault("", title(edit.path), f"there is no kind {kind!r}{nearest(kind, PARENTS)}")]
    faults = []
    if len(edit.path) != (3 if kind in WITHIN else 2):
        names = f"{PARENTS[kind]} and {kind}" if kind in WITHIN else kind
        faults.append(Fault("", title(edit.path), f"is not a path: give the name of {names}"))
    elif edit.path in entries:
        faults.append(Fault("", title(edit.path), "is there already"))
    elif PARENTS[kind] is not None and _parent_of(edit) not in entries:
        parent = _parent_of(edit)
        given = title(parent) if parent else PARENTS[kind]
        faults.append(Fault("", title(edit.path), f"needs a {PARENTS[kind]} to be in: there is no {given}"))
    return faults + _key_faults(edit)


def _change_faults(entries: Mapping[Path, Entry], edit: Edit, seen: Mapping[Path, Entry]) -> list[Fault]:
    return _absent(entries, edit, seen) or _key_faults(edit)


def _absent(entries: Mapping[Path, Entry], edit: Edit, seen: Mapping[Path, Entry]) -> list[Fault]:
    if edit.path in entries:
        return []
    meant = nearest(edit.path[-1], [path[-1] for path in seen if path[0] == edit.path[0]])
    return [Fault("", title(edit.path), f"is not there{meant}")]


def _key_faults(edit: Edit) -> list[Fault]:
    """A name is who something is, and what it holds has edits of its own."""
    kind, faults = edit.path[0], []
    if edit.keys.get("name", edit.path[-1]) != edit.path[-1]:
        faults.append(Fault("", f"{title(edit.path)}: name", "cannot be changed: copy it under the new name"))
    faults += [
        Fault("", f"{title(edit.path)}: {key}", f"is edited on its own, as a {key}")
        for key in CHILDREN.get(kind, ())
        if key in edit.keys
    ]
    return faults


def _parent_of(edit: Edit) -> Path | None:
    kind = edit.path[0]
    if kind in WITHIN:
        return (PARENTS[kind] or "", *edit.path[1:-1])
    parent = edit.parent
    return parent if parent and parent[0] == PARENTS[kind] else None


def _add(entries: dict[Path, Entry], edit: Edit) -> None:
    parent = _parent_of(edit)
    siblings = [
        entry.position for path, entry in entries.items() if (path[0], entry.parent) == (edit.path[0], parent)
    ]
    body = merged({"name": edit.path[-1]}, edit.keys)
    entries[edit.path] = Entry(parent, max(siblings, default=-1) + 1, body)


def _change(entries: dict[Path, Entry], edit: Edit) -> None:
    entry = entries[edit.path]
    entries[edit.path] = Entry(entry.parent, entry.position, merged(entry.body, edit.keys))


def _archive(entries: dict[Path, Entry], edit: Edit) -> None:
    for path in [path for path in entries if _holds(entries, edit.path, path)]:
        del entries[path]


def _holds(entries: Mapping[Path, Entry], outer: Path, inner: Path | None) -> bool:
    while inner is not None:
        if inner == outer:
            return True
        inner = entries[inner].parent
    return False


_FAULTS = {"add": _add_faults, "change": _change_faults, "archive": _absent}
_MAKE = {"add": _add, "change": _change, "archive": _archive}


def undone(state: State, before: Mapping[Path, Entry], after: Mapping[Path, Entry]) -> dict[Path, Entry]:
    """The objects of now with one step taken back. Raises Conflict where they have changed again since."""
    touched: Iterable[Path] = {**before, **after}
    later = {
        path: state.versions.get(path, 0) for path in touched if state.entries.get(path) != after.get(path)
    }
    if later:
        raise Conflict(later)
    kept = {path: entry for path, entry in state.entries.items() if path not in after or path in before}
    entries = {**kept, **before}
    orphans = [path for path, entry in entries.items() if entry.parent and entry.parent not in entries]
    if orphans:
        raise Conflict({path: state.versions.get(path, 0) for path in orphans})
    return entries
