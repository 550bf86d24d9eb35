"""Requests to `/line_items.csv` → many line items read, or changed, as rows of a CSV file."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from adserver.api.services import Asking, Given
from adserver.api.shapes import EditedShape, Note, changes_of
from adserver.editing.objects import Wanted, line_items_of
from adserver.editing.sheet import edits_of, read_csv, rows_of, to_csv
from adserver.errors import InvalidInput

router = APIRouter(tags=["line_items"])
_CSV = {"content": {"text/csv": {"schema": {"type": "string"}}}}
Part = Annotated[str, Query(max_length=200)]


@router.get(
    "/line_items.csv",
    summary="Line items as a CSV file",
    response_class=Response,
    responses={200: _CSV},
)
async def read(
    given: Given, asking: Asking, inside: Part = "", state: Part = "", tier: Part = "", q: Part = ""
) -> Response:
    """`inside`: an advertiser, or a campaign as advertiser/name; `q`: a part of the name."""
    seen = await given.objects.seen_by(asking)
    paths = line_items_of(seen, Wanted(inside, state, tier, q), given.clock())
    return Response(to_csv(rows_of(seen, paths)), media_type="text/csv")


@router.post(
    "/line_items.csv",
    summary="Change line items, and add new ones, as rows of a CSV file say, all or none",
    openapi_extra={"requestBody": {"required": True, **_CSV}},
)
async def change(
    given: Given, asking: Asking, request: Request, dry_run: bool = False, note: Annotated[Note, Query()] = ""
) -> EditedShape:
    """Columns that are left out change nothing; with `dry_run` the answer says what would change."""
    body = await request.body()
    if len(body) > given.settings.max_sheet_bytes:
        raise InvalidInput.one("", "body", f"is longer than {given.settings.max_sheet_bytes} bytes")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput.one("", "body", "is not UTF-8 text") from None
    rows = read_csv(text, given.settings.max_sheet_rows)
    edits = edits_of(await given.objects.seen_by(asking), rows)
    edited = await given.editor.edit(asking, edits, note=note, dry_run=dry_run)
    return EditedShape(version=edited.version, changes=changes_of(edited.changes))
