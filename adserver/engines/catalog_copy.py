"""The catalog of now ⇄ a file beside the events, by which a node starts while the database is away."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path as File
from typing import Any, TypeVar

from adserver.catalog.plan import Entry, Path, assemble, flatten
from adserver.engines.catalog_store import Stored
from adserver.engines.files import whole_file
from adserver.errors import StorageFailed

Value = TypeVar("Value")


def copy_of(db: File) -> File:
    """Where the copy of a node is whose events are in `db`."""
    return db.with_name(f"{db.name}-catalog.json")


def write_copy(file: File, stored: Stored) -> None:
    """Replace the copy, whole and durable. Raises StorageFailed."""
    entries = flatten(stored.catalog)
    content = {
        "version": stored.version,
        "entries": [[path, entry.parent, entry.position, entry.body] for path, entry in entries.items()],
        "ids": list(stored.ids.items()),
        "clicks": list(stored.clicks.items()),
        "archived": list(stored.archived.items()),
        "campaigns": list(stored.campaigns.items()),
        "line_items": list(stored.line_items.items()),
        "versions": list(stored.versions.items()),
    }
    with whole_file(file, overwrite=True) as partial:
        partial.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def read_copy(file: File) -> Stored | None:
    """What was copied last; None where nothing was. Raises StorageFailed, InvalidInput as the store does."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return _stored(content, str(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageFailed(f"{file}: cannot be read: {error}") from error


def _stored(content: Mapping[str, Any], name: str) -> Stored:
    entries = {
        tuple(path): Entry(_path(parent), position, body)
        for path, parent, position, body in content["entries"]
    }
    return Stored(
        version=content["version"],
        catalog=assemble(entries, name),
        ids=_by_path(content["ids"]),
        clicks=dict(content["clicks"]),
        archived=_by_path(content["archived"]),
        campaigns={number: tuple(path) for number, path in content["campaigns"]},
        line_items={number: tuple(path) for number, path in content["line_items"]},
        versions=_by_path(content["versions"]),
    )


def _path(names: list[str] | None) -> Path | None:
    return None if names is None else tuple(names)


def _by_path(pairs: Iterable[tuple[list[str], Value]]) -> dict[Path, Value]:
    return {tuple(path): value for path, value in pairs}
