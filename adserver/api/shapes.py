"""Catalog objects and what happens to them ⇄ the JSON of the management API."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Header
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, ConfigDict, Field

from adserver.catalog.plan import PARENTS, WITHIN, Change, Path
from adserver.editing.edits import Edit, path_of
from adserver.editing.objects import Seen, state_at
from adserver.engines.catalog_history import Step

#: Collection in an address → kind of object.
KINDS: Mapping[str, str] = {
    "sites": "site",
    "slots": "slot",
    "advertisers": "advertiser",
    "campaigns": "campaign",
    "line_items": "line_item",
    "creatives": "creative",
}
#: Kind → the key under which an object names what it is in, which is the kind of that.
PARENT_KEYS = {kind: parent for kind, parent in PARENTS.items() if parent}
#: Keys that are told, not set.
_TOLD = ("version", "state")

Kind = Literal["site", "slot", "advertiser", "campaign", "line_item", "creative"]
IfMatch = Annotated[str | None, Header(max_length=40, description='The version that was seen, as `"17"`.')]
_SEEN_VERSION = re.compile(r'(?:W/)?"?([0-9]{1,15})"?')
Note = Annotated[str, Field(max_length=1000, description="Why, for the history.")]


class Strict(BaseModel):
    """A body whose keys are all known."""

    model_config = ConfigDict(extra="forbid")


class Listing(BaseModel):
    """Objects, and where the next page begins."""

    version: int = Field(description="Version of the catalog.")
    items: list[dict[str, Any]]
    next: str | None = Field(description="Give it as `after` to go on; null: this is the end.")


class EditShape(Strict):
    """One object to add, change or archive."""

    action: Literal["add", "change", "archive"]
    kind: Kind
    name: Annotated[str, Field(max_length=200, description="Slots and campaigns: `parent/name`.")]
    set: dict[str, Any] = Field(default={}, description="JSON merge patch (RFC 7396).")
    parent: Annotated[str, Field(max_length=200)] | None = Field(
        default=None, description="Of a new line item its campaign, of a new creative its line item."
    )
    version: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        default=None, description="The version that was seen; another one now is a conflict."
    )


class ChangesShape(Strict):
    """Edits that are all made, or none."""

    edits: Annotated[list[EditShape], Field(min_length=1, max_length=10_000)]
    note: Note = ""
    dry_run: bool = False


class CopyShape(Strict):
    """An object to copy, and the name of the copy."""

    kind: Kind
    name: Annotated[str, Field(max_length=200, description="Slots and campaigns: `parent/name`.")]
    to: Annotated[str, Field(max_length=200, description="Its new name, of slots and campaigns too in full.")]
    set: dict[str, Any] = Field(default={}, description="What differs, as merge patch (RFC 7396).")
    note: Note = ""
    dry_run: bool = False


class ChangeShape(BaseModel):
    """What happens to one object; bodies without keys at their default."""

    action: Literal["add", "change", "remove", "move"]
    kind: str
    name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class EditedShape(BaseModel):
    """What changed, or would, and the version of the catalog afterwards."""

    version: int
    changes: list[ChangeShape]


class StepShape(EditedShape):
    """One version of the catalog."""

    at: datetime
    author: str
    note: str


class ProblemShape(BaseModel):
    """Problem details (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    faults: list[dict[str, str]] = []


def name_of(path: Path) -> str:
    """The inverse of `path_of`, without the kind."""
    return "/".join(path[1:])


def shape_of(seen: Seen, path: Path, now: datetime) -> dict[str, Any]:
    """An object as the API shows it: its keys, what it is in, and its version."""
    entry = seen.entries[path]
    shape = dict(entry.body)
    if entry.parent is not None:
        shape[PARENT_KEYS[path[0]]] = name_of(entry.parent)
    if path[0] == "line_item":
        shape["state"] = state_at(entry.body, now)
    return {**shape, "version": seen.versions[path]}


def new_object(kind: str, body: Mapping[str, Any]) -> Edit:
    """A body that was posted to a collection → the edit that adds it."""
    name = str(body.get("name", ""))
    given = body.get(PARENT_KEYS[kind]) if kind in PARENT_KEYS else None
    above = path_of(PARENT_KEYS[kind], str(given)) if given is not None else None
    path = (kind, *(above[1:] if above else ()), name) if kind in WITHIN else (kind, name)
    return Edit("add", path, _keys(kind, body), above)


def change_of(kind: str, name: str, body: Mapping[str, Any], version: int | None) -> Edit:
    """A merge patch of an object → the edit that makes it."""
    return Edit("change", path_of(kind, name), _keys(kind, body), version=version)


def _keys(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is set by a body; what it merely tells back is left out."""
    told = (*_TOLD, PARENT_KEYS.get(kind))
    return {key: value for key, value in body.items() if key not in told}


def edit_of(shape: EditShape) -> Edit:
    """One edit of a bulk change."""
    parent = PARENT_KEYS.get(shape.kind)
    above = path_of(parent, shape.parent) if parent and shape.parent is not None else None
    return Edit(shape.action, path_of(shape.kind, shape.name), shape.set, above, shape.version)


def changes_of(changes: tuple[Change, ...]) -> list[ChangeShape]:
    """What changed, object by object."""
    return [
        ChangeShape(
            action=change.action,
            kind=change.path[0],
            name=name_of(change.path),
            before=None if change.before is None else dict(change.before),
            after=None if change.after is None else dict(change.after),
        )
        for change in changes
    ]


def step_of(step: Step) -> StepShape:
    """One version of the history."""
    revision = step.revision
    return StepShape(
        version=revision.version,
        at=revision.at,
        author=revision.author,
        note=revision.note,
        changes=changes_of(tuple(step.changes)),
    )


def version_of(if_match: str | None) -> int | None:
    """The version in an `If-Match` header; `*`: any."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _SEEN_VERSION.fullmatch(if_match.strip())
    if found is None:
        raise HTTPException(422, 'If-Match: is not a version such as "17"')
    return int(found[1])
