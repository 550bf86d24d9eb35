"""A catalog and the objects of it that changed → the next catalog, in which all others are the same objects.

To read a large catalog anew takes a second or two, and most changes are of one object.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from adserver.catalog.model import Catalog
from adserver.catalog.plan import (
    CHILDREN,
    MODELS,
    WITHIN,
    Entry,
    Path,
    assemble,
    body_of,
    flatten,
    keep_places,
)

#: An object → what it is in, before or after; None: nothing, or nothing that is known.
Above = Callable[[Path], Path | None]


def patched(
    catalog: Catalog, put: Mapping[Path, Entry], gone: Collection[Path], above: Above
) -> Catalog | None:
    """Put objects in, in their place or after their siblings, and leave others out, with what they hold.

    None: some body is not allowed.
    """
    try:
        return _Patch(catalog, put, gone, above).made()
    except ValidationError:
        return None


def remade(
    catalog: Catalog, old: Mapping[Path, Entry], new: Mapping[Path, Entry]
) -> tuple[Catalog, Mapping[Path, Entry]]:
    """A catalog and its entries, and what these shall be → the catalog and its entries then.

    Whatever holds something that changes is looked at again, too. Raises InvalidInput with every fault that
    is inside objects.
    """
    put = {path: entry for path, entry in new.items() if old.get(path) != entry}
    gone = {path for path in old if path not in new}
    stay = keep_places(old, new)
    made = _patched_with_owners(catalog, old, new, put, gone) if stay else None
    if made is None:
        made = assemble(new, "")
    if gone or not stay or any(path not in old for path in put):
        return made, flatten(made)
    try:
        bodies = {path: body_of(path[0], MODELS[path[0]].model_validate(put[path].body)) for path in put}
    except ValidationError:
        return made, flatten(made)
    return made, {**old, **{path: Entry(put[path].parent, put[path].position, bodies[path]) for path in put}}


def _patched_with_owners(
    catalog: Catalog,
    old: Mapping[Path, Entry],
    new: Mapping[Path, Entry],
    put: Mapping[Path, Entry],
    gone: Collection[Path],
) -> Catalog | None:
    """None: the order changes, or something is not allowed."""
    added = [path for path in put if path not in old]
    families = {(new[path].parent, path[0]) for path in added}
    last: dict[tuple[Path | None, str], int] = {}
    for path, entry in old.items():
        if (family := (entry.parent, path[0])) in families:
            last[family] = max(last.get(family, -1), entry.position)
    in_order = all(new[path].position > last.get((new[path].parent, path[0]), -1) for path in added)
    held = all(entry.parent is None or entry.parent in new for entry in new.values())
    if not (in_order and held):
        return None

    def above(path: Path) -> Path | None:
        return (new.get(path) or old[path]).parent

    owners = {over: new[over] for path in (*put, *gone) for over in _way_up(path, above) if over in new}
    return patched(catalog, owners, gone, above)


class _Patch:
    def __init__(
        self, catalog: Catalog, put: Mapping[Path, Entry], gone: Collection[Path], above: Above
    ) -> None:
        self._catalog = catalog
        self._put = put
        self._gone = frozenset(gone)
        self._touched = {over for path in [*put, *gone] for over in _way_up(path, above)}
        self._by_parent: dict[tuple[Path | None, str], list[Path]] = {}
        for path, entry in sorted(put.items(), key=lambda pair: pair[1].position):
            self._by_parent.setdefault((entry.parent, path[0]), []).append(path)

    def made(self) -> Catalog:
        roots = {
            kind: self._children(kind, None, getattr(self._catalog, kind)) for kind in ("site", "advertiser")
        }
        return self._catalog.model_copy(update=roots)

    def _children(self, kind: str, parent: Path | None, old: tuple[Any, ...]) -> tuple[Any, ...]:
        inside = parent[1:] if parent and kind in WITHIN else ()
        kept, known = [], set()
        for part in old:
            path = (kind, *inside, part.name)
            known.add(path)
            if path in self._gone:
                continue
            kept.append(self._node(path, part) if path in self._touched else part)
        new = [path for path in self._by_parent.get((parent, kind), ()) if path not in known]
        return (*kept, *(self._node(path, None) for path in new))

    def _node(self, path: Path, old: Any) -> Any:
        held = {
            kind: self._children(kind, path, getattr(old, kind) if old else ()) for kind in CHILDREN[path[0]]
        }
        entry = self._put.get(path)
        if entry is None:
            return old.model_copy(update=held)
        return MODELS[path[0]].model_validate({**entry.body, **held})


def _way_up(path: Path, above: Above) -> Iterator[Path]:
    over: Path | None = path
    while over is not None:
        yield over
        over = above(over)
