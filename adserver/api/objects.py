"""Requests to `/api/v1/{collection}` → objects of the catalog created, read, changed and archived."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.exceptions import HTTPException

from adserver.accounts.model import Principal
from adserver.api.described import answer_of, body_of, listing_of
from adserver.api.services import Asking, Given, Services
from adserver.api.shapes import (
    KINDS,
    PARENT_KEYS,
    IfMatch,
    Listing,
    change_of,
    name_of,
    new_object,
    shape_of,
    version_of,
)
from adserver.catalog.plan import Path
from adserver.editing.edits import Edit, path_of
from adserver.editing.objects import Seen, Wanted

Inside = Annotated[
    str, Query(max_length=200, description="Only those in this one, also deeper, by its full name.")
]
State = Annotated[str, Query(max_length=20, description="Of line items: live, paused, scheduled or ended.")]
OneTier = Annotated[str, Query(max_length=20, description="Of line items.")]
Part = Annotated[str, Query(max_length=200, description="Only those whose name has this in it.")]
After = Annotated[str, Query(max_length=200, description="`next` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Body = dict[str, Any]
_NAMED = "/{name:path}"


def routers() -> list[APIRouter]:
    """One for each collection."""
    return [_router(collection, kind) for collection, kind in KINDS.items()]


def _router(collection: str, kind: str) -> APIRouter:
    router = APIRouter(prefix=f"/{collection}", tags=[collection])
    _read(router, collection, kind)
    _write(router, collection, kind)
    return router


def _read(router: APIRouter, collection: str, kind: str) -> None:
    async def listing(
        given: Given,
        asking: Asking,
        inside: Inside = "",
        state: State = "",
        tier: OneTier = "",
        q: Part = "",
        after: After = "",
        limit: Limit = 100,
    ) -> Listing:
        seen = await given.objects.seen_by(asking)
        return _listing(given, seen, kind, Wanted(inside, state, tier, q), after, limit)

    async def read(given: Given, asking: Asking, response: Response, name: str) -> dict[str, Any]:
        return await _shown(given, asking, path_of(kind, name), response)

    some, found = listing_of(kind), answer_of(200, kind)
    router.get("", summary=f"List {collection.replace('_', ' ')}", responses=some)(listing)
    router.get(_NAMED, summary=f"Read a {kind.replace('_', ' ')}", responses=found)(read)


def _write(router: APIRouter, collection: str, kind: str) -> None:
    async def create(given: Given, asking: Asking, response: Response, body: Body) -> dict[str, Any]:
        edit = new_object(kind, body)
        await given.editor.edit(asking, [edit])
        response.headers["location"] = f"/api/v1/{collection}/{name_of(edit.path)}"
        return await _shown(given, asking, edit.path, response)

    async def change(
        given: Given, asking: Asking, response: Response, name: str, body: Body, if_match: IfMatch = None
    ) -> dict[str, Any]:
        edit = change_of(kind, name, body, version_of(if_match))
        await _must_see(given, asking, edit.path)
        await given.editor.edit(asking, [edit])
        return await _shown(given, asking, edit.path, response)

    async def archive(given: Given, asking: Asking, name: str, if_match: IfMatch = None) -> None:
        path = path_of(kind, name)
        await _must_see(given, asking, path)
        await given.editor.edit(asking, [Edit("archive", path, version=version_of(if_match))])

    one = kind.replace("_", " ")
    added, changed = answer_of(201, kind), answer_of(200, kind)
    asks, changes = body_of(kind), body_of(kind, change=True)
    router.post("", status_code=201, summary=f"Add a {one}", responses=added, openapi_extra=asks)(create)
    router.patch(_NAMED, summary=f"Change a {one}", responses=changed, openapi_extra=changes)(change)
    router.delete(_NAMED, status_code=204, summary=f"Archive a {one} and what it holds")(archive)


def _listing(given: Services, seen: Seen, kind: str, wanted: Wanted, after: str, limit: int) -> Listing:
    now = given.clock()
    names = {name_of(path): path for path in seen.of_kind(kind)}
    if after and after not in names:
        raise HTTPException(422, f"after: there is no {kind.replace('_', ' ')} {after!r}")
    left = list(names)[list(names).index(after) + 1 :] if after else list(names)
    found: list[dict[str, Any]] = []
    for name in left:
        above = [name_of(path) for path in seen.above(names[name])]
        if wanted.part not in name or (wanted.inside and wanted.inside not in above):
            continue
        shape = shape_of(seen, names[name], now)
        if wanted.state not in ("", shape.get("state")) or wanted.tier not in ("", shape.get("tier")):
            continue
        if len(found) == limit:
            return Listing(version=seen.version, items=found, next=_full_name(found[-1], kind))
        found.append(shape)
    return Listing(version=seen.version, items=found, next=None)


def _full_name(shape: dict[str, Any], kind: str) -> str:
    name: str = shape["name"]
    return f"{shape[PARENT_KEYS[kind]]}/{name}" if kind in ("slot", "campaign") else name


async def _shown(given: Services, asking: Principal, path: Path, response: Response) -> dict[str, Any]:
    seen = await given.objects.seen_by(asking)
    if path not in seen.entries:
        raise _not_there(path)
    response.headers["etag"] = f'"{seen.versions[path]}"'
    return shape_of(seen, path, given.clock())


async def _must_see(given: Services, asking: Principal, path: Path) -> None:
    """What is not theirs to see does not exist."""
    if path not in (await given.objects.seen_by(asking)).entries:
        raise _not_there(path)


def _not_there(path: Path) -> HTTPException:
    return HTTPException(404, f"There is no {path[0].replace('_', ' ')} {name_of(path)!r}.")
