"""Requests to `/changes`, `/catalog`, `/history` → many edits at once, the whole catalog, what was before."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.exceptions import HTTPException
from pydantic import AwareDatetime

from adserver.api.services import Asking, Given
from adserver.api.shapes import (
    KINDS,
    ChangesShape,
    CopyShape,
    EditedShape,
    IfMatch,
    Note,
    StepShape,
    Strict,
    changes_of,
    edit_of,
    step_of,
    version_of,
)
from adserver.catalog.file import dump, parse
from adserver.catalog.model import Catalog
from adserver.editing.copying import copy_of
from adserver.editing.editor import Edited, Forbidden
from adserver.editing.edits import path_of
from adserver.errors import Fault, InvalidInput

router = APIRouter()
_TOML = {"content": {"application/toml": {"schema": {"type": "string"}}}}
Version = Annotated[int, Query(ge=1, le=2**53)]
Moment = Annotated[AwareDatetime, Query(description="With its offset, such as 2026-11-24T09:00:00+05:45.")]


class UndoShape(Strict):
    """How a version is taken back."""

    dry_run: bool = False


@router.post("/changes", tags=["changes"], summary="Make many edits, all or none")
async def make_changes(given: Given, asking: Asking, body: ChangesShape) -> EditedShape:
    """With `dry_run` nothing is changed: the answer says what would be."""
    edits = [edit_of(edit) for edit in body.edits]
    return _shape(await given.editor.edit(asking, edits, note=body.note, dry_run=body.dry_run))


@router.post("/copy", tags=["changes"], summary="Copy an object with all that it holds")
async def make_copy(given: Given, asking: Asking, body: CopyShape) -> EditedShape:
    """Line items in a copied campaign come paused; what is held gets names of its own."""
    entries = (await given.objects.seen_by(asking)).entries
    source, copy = path_of(body.kind, body.name), path_of(body.kind, body.to)
    if source not in entries:
        raise HTTPException(404, f"There is no {body.kind.replace('_', ' ')} {body.name!r}.")
    edits = copy_of(entries, source, copy, body.set)
    return _shape(await given.editor.edit(asking, edits, note=body.note, dry_run=body.dry_run))


@router.get(
    "/catalog",
    tags=["catalog"],
    summary="The whole catalog as a file, as it is or was",
    response_class=Response,
    responses={200: _TOML},
)
async def export(
    given: Given, asking: Asking, version: Version | None = None, at: Moment | None = None
) -> Response:
    """TOML; `PUT` takes the same. The ETag is the version of the catalog. `at`: as it was at a moment."""
    if at is not None:
        version = await given.editor.version_at(at)
    stored = await given.editor.as_of(asking, version)
    text = await asyncio.to_thread(dump, stored.catalog)
    return Response(text, headers={"etag": f'"{stored.version}"'}, media_type="application/toml")


@router.put(
    "/catalog",
    tags=["catalog"],
    summary="Make a catalog file the catalog, or with dry_run say what that would change",
    openapi_extra={"requestBody": {"required": True, **_TOML}},
)
async def apply(
    given: Given,
    asking: Asking,
    request: Request,
    dry_run: bool = False,
    note: Annotated[Note, Query()] = "",
    if_match: IfMatch = None,
) -> EditedShape:
    """What is absent from the file, and theirs, is archived. `If-Match`: of the catalog that it began as."""
    if not asking.edits:
        raise Forbidden([Fault("", "catalog", "is not yours to change")])
    seen = version_of(if_match)
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError:
        raise InvalidInput.one("", "body", "is not UTF-8 text") from None
    catalog: Catalog = await asyncio.to_thread(parse, text, "")
    return _shape(await given.editor.replace(asking, catalog, version=seen, note=note, dry_run=dry_run))


@router.get("/history", tags=["history"], summary="Versions of the catalog, the newest first")
async def history(
    given: Given,
    asking: Asking,
    collection: Annotated[str, Query(max_length=40, description="With `name`: only of one object.")] = "",
    name: Annotated[str, Query(max_length=200)] = "",
    before: Version | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> list[StepShape]:
    """What each of them changed, before and after."""
    if collection and collection not in KINDS:
        raise HTTPException(422, f"collection: {collection!r} is not one of {', '.join(KINDS)}")
    path = path_of(KINDS[collection], name) if collection else None
    past = await given.editor.history(asking, path=path, before=before, until=until, most=limit)
    return [step_of(step) for step in past.steps]


@router.post("/history/{version}/undo", tags=["history"], summary="Take one version back")
async def undo(given: Given, asking: Asking, version: int, body: UndoShape) -> EditedShape:
    """Later changes of other objects stay; a conflict where what it changed has changed again."""
    if not 1 <= version <= 2**53 or await given.editor.step(asking, version) is None:
        raise HTTPException(404, f"There is no version {version}.")
    return _shape(await given.editor.undo(asking, version, dry_run=body.dry_run))


def _shape(edited: Edited) -> EditedShape:
    return EditedShape(version=edited.version, changes=changes_of(edited.changes))
