"""Addresses below /console/catalog → pages and forms of sites, slots, advertisers and what they run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.accounts.model import Principal
from adserver.catalog.plan import CHILDREN, PARENTS, WITHIN, Path
from adserver.clock import Clock
from adserver.console.conflict import Meanwhile, reconciled
from adserver.console.field_list import DIMENSIONS, FIELDS, FURTHER
from adserver.console.fields import Shown, patch_of, shown, typed
from adserver.console.forms import Form, form_of, number, one
from adserver.console.pages import by_key, go_to, message, not_there, page, refusal_of
from adserver.console.preview import size_of
from adserver.console.seen import TagsSeen
from adserver.console.tags import tags_of
from adserver.editing.copying import copies
from adserver.editing.editor import Editor, Forbidden
from adserver.editing.edits import Conflict, Edit, merged, path_of
from adserver.editing.objects import Objects, Seen, state_at, zone_of
from adserver.editing.proofs import creatives_in
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings
from adserver.web.door import principal_of

ROOT = "/console/catalog/"
WORDS: Mapping[str, str] = {
    "site": "site",
    "slot": "slot",
    "advertiser": "advertiser",
    "campaign": "campaign",
    "line_item": "line item",
    "creative": "creative",
}
#: An object, and creatives → what its page says of proofs.
ProofTold = Callable[[Path, list[str]], Awaitable[dict[str, Any]]]


class CatalogPages:
    """Behind the door; what somebody does not see is not there."""

    def __init__(
        self,
        editor: Editor,
        objects: Objects,
        tags_seen: TagsSeen,
        proof_links: ProofTold,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self._editor = editor
        self._objects = objects
        self._tags_seen = tags_seen
        self._proof_links = proof_links
        self._clock = clock
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/catalog/", self._overview),
            Route("/catalog/new/{kind}", self._new, methods=["GET"]),
            Route("/catalog/new/{kind}", self._create, methods=["POST"]),
            Route("/catalog/{kind}/{name:path}", self._show, methods=["GET"]),
            Route("/catalog/{kind}/{name:path}", self._save, methods=["POST"]),
        ]

    async def _overview(self, request: Request) -> Response:
        seen = await self._objects.seen_by(principal_of(request))
        return page(
            request,
            "catalog.html",
            "Catalog",
            sites=self._rows(seen, seen.of_kind("site")),
            advertisers=self._rows(seen, seen.of_kind("advertiser")),
            **_rights(principal_of(request)),
        )

    async def _show(self, request: Request) -> Response:
        seen = await self._objects.seen_by(principal_of(request))
        path = _path_of(request)
        if path not in seen.entries:
            return not_there()
        return await self._form(request, seen, path)

    async def _new(self, request: Request) -> Response:
        seen = await self._objects.seen_by(principal_of(request))
        kind, query = request.path_params["kind"], request.query_params
        parent = _parent_path(kind, query.get("in", "")) if kind in PARENTS else None
        copied = seen.entries.get(path_of(kind, query.get("copy", "")))
        if kind not in PARENTS or (PARENTS[kind] and parent not in seen.entries):
            return not_there()
        body = _without_name(copied.body) if copied else {}
        return self._new_form(request, seen, kind, parent, "", body, copy=query.get("copy", ""))

    async def _create(self, request: Request) -> Response:
        principal = principal_of(request)
        seen = await self._objects.seen_by(principal)
        kind, form = request.path_params["kind"], await form_of(request)
        parent = _parent_path(kind, one(form, "in")) if kind in PARENTS else None
        if kind not in PARENTS or (PARENTS[kind] and parent not in seen.entries):
            return not_there()
        name = one(form, "name").strip()
        path = (kind, *(parent[1:] if parent and kind in WITHIN else ()), name)
        zone, copied = zone_of(seen, parent or path), one(form, "copy")
        source = path_of(kind, copied)
        try:
            begun = _without_name(seen.entries[source].body) if source in seen.entries else {}
            edit = Edit("add", path, merged(begun, patch_of(kind, form, begun, zone)), parent)
            held = copies(seen.entries, source, path) if one(form, "held") and source in seen.entries else []
            await self._editor.edit(principal, [edit, *held])
        except (InvalidInput, Forbidden) as error:
            return self._new_form(request, seen, kind, parent, name, {}, error, form, copied)
        return go_to(address_of(path))

    async def _save(self, request: Request) -> Response:
        principal = principal_of(request)
        seen, path = await self._objects.seen_by(principal), _path_of(request)
        if path not in seen.entries:
            return not_there()
        form = await form_of(request)
        above = seen.entries[path].parent
        try:
            if one(form, "archive"):
                await self._editor.edit(principal, [Edit("archive", path, version=number(form, "version"))])
                return go_to(address_of(above) if above else ROOT)
            patch = patch_of(path[0], form, seen.entries[path].body, zone_of(seen, path))
            await self._editor.edit(principal, [Edit("change", path, patch, version=number(form, "version"))])
        except Conflict:
            return await self._conflict(request, path, form)
        except (InvalidInput, Forbidden) as error:
            fields = typed(shown(path[0], seen.entries[path].body, zone_of(seen, path)), form)
            return await self._form(request, seen, path, fields, error, version=number(form, "version"))
        return go_to(f"{address_of(path)}?saved=1")

    async def _conflict(self, request: Request, path: Path, form: Form) -> Response:
        """Somebody else was faster: their changes and those in the form, in one form to save or to mend."""
        principal = principal_of(request)
        seen = await self._objects.seen_by(principal)
        if path not in seen.entries:
            return message("Archived", "Somebody else has archived this while you were editing.", 409)
        version, now = number(form, "version"), seen.entries[path].body
        step = await self._editor.step(principal, version) if version else None
        base = step.after[path].body if step and path in step.after else now
        fields, meanwhile = reconciled(path[0], base, now, form, zone_of(seen, path))
        return await self._form(request, seen, path, fields, meanwhile=meanwhile)

    async def _form(
        self,
        request: Request,
        seen: Seen,
        path: Path,
        fields: Sequence[Shown] | None = None,
        refused: InvalidInput | Forbidden | None = None,
        *,
        version: int | None = None,
        meanwhile: Sequence[Meanwhile] | None = None,
    ) -> Response:
        """`version`: the one that its author has seen, where it is not that of now."""
        entry, kind = seen.entries[path], path[0]
        zone = zone_of(seen, path)
        children = {child: self._rows(seen, _only(seen.inside(path), child)) for child in CHILDREN[kind]}
        status = refusal_of(refused) if meanwhile is None else 409
        return page(
            request,
            "object.html",
            path[-1],
            status,
            kind=kind,
            word=WORDS[kind],
            name=path[-1],
            full_name="/".join(path[1:]),
            version=seen.versions[path] if version is None else version,
            crumbs=[(address_of(above), above[-1], WORDS[above[0]]) for above in seen.above(path)],
            fields=shown(kind, entry.body, zone) if fields is None else fields,
            dimensions=DIMENSIONS,
            zone=zone.key,
            faults=_at_fields(kind, path, seen, refused),
            children=children,
            words=WORDS,
            saved="saved" in request.query_params,
            meanwhile=meanwhile,
            tags=tags_of(path, entry.body, self._settings.base_url),
            preview=size_of(entry.body) if kind == "creative" else None,
            **await self._tags_seen.told(path),
            **await self._proof_links(path, [path[1]] if kind == "creative" else creatives_in(seen, path)),
            above="/".join(entry.parent[1:]) if entry.parent else "",
            **_rights(principal_of(request)),
        )

    def _new_form(
        self,
        request: Request,
        seen: Seen,
        kind: str,
        parent: Path | None,
        name: str,
        body: Mapping[str, Any],
        refused: InvalidInput | Forbidden | None = None,
        form: Form | None = None,
        copy: str = "",
    ) -> Response:
        zone = zone_of(seen, parent or (kind, name))
        path = (kind, *(parent[1:] if parent and kind in WITHIN else ()), name)
        crumbs = [*seen.above(parent), parent] if parent else []
        fields = shown(kind, body, zone)
        return page(
            request,
            "new.html",
            f"New {WORDS[kind]}",
            refusal_of(refused),
            kind=kind,
            word=WORDS[kind],
            name=name,
            above="/".join(parent[1:]) if parent else "",
            crumbs=[(address_of(above), above[-1], WORDS[above[0]]) for above in crumbs],
            fields=typed(fields, form) if form else fields,
            dimensions=DIMENSIONS,
            zone=zone.key,
            faults=_at_fields(kind, path, seen, refused, parent),
            copy=copy,
            held_count=len(seen.inside(path_of(kind, copy))) if copy else 0,
            held=one(form, "held") if form else "on",
            held_word=WORDS[CHILDREN[kind][0]] if CHILDREN[kind] else "",
            **_rights(principal_of(request)),
        )

    def _rows(self, seen: Seen, entries: Mapping[Path, Any]) -> list[dict[str, Any]]:
        rows = []
        for path, entry in entries.items():
            inside = seen.inside(path)
            row = {"href": address_of(path), "name": path[-1], "body": entry.body, "count": len(inside)}
            if path[0] == "line_item":
                row["state"] = state_at(entry.body, self._clock())
            rows.append(row)
        return rows


def address_of(path: Path) -> str:
    """The page of an object."""
    return f"{ROOT}{path[0]}/{quote('/'.join(path[1:]))}"


def _path_of(request: Request) -> Path:
    return path_of(request.path_params["kind"], request.path_params["name"])


def _parent_path(kind: str, name: str) -> Path | None:
    above = PARENTS[kind]
    return path_of(above, name) if above else None


def _only(entries: Mapping[Path, Any], kind: str) -> dict[Path, Any]:
    return {path: entry for path, entry in entries.items() if path[0] == kind}


def _without_name(body: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "name"}


def _rights(principal: Principal) -> dict[str, bool]:
    return {
        "may_change": principal.edits,
        "may_found": principal.everywhere,
    }


def _at_fields(
    kind: str,
    path: Path,
    seen: Seen,
    refused: InvalidInput | Forbidden | None,
    parent: Path | None = None,
) -> Mapping[str, list[str]]:
    """Faults at the keys of a form; those of no field at the empty key."""
    above = [*seen.above(path), path] if path in seen.entries else []
    if not above:
        above = [*(seen.above(parent) if parent else []), *([parent] if parent else []), path]
    prefix = ".".join(f"{step[0]}.{step[-1]}" for step in above)
    keys = {field.key for field in FIELDS[kind]} | {"name"}
    placed = []
    for fault in refused.faults if refused else ():
        key = fault.key.removeprefix(f"{prefix}.") if fault.key.startswith(f"{prefix}.") else fault.key
        head = key.partition(".")[0].partition("[")[0]
        rest = key[len(head) :].lstrip(".")
        if head in keys:
            inside = rest and head in _WITH_KEYS
            placed.append(Fault("", head, f"{rest}: {fault.problem}" if inside else fault.problem))
        elif FURTHER in keys and key != fault.key:
            placed.append(Fault("", FURTHER, f"{key}: {fault.problem}" if key else fault.problem))
        else:
            placed.append(Fault("", "", f"{fault.key}: {fault.problem}" if fault.key else fault.problem))
    return by_key(placed)


#: Keys of which a fault says where in them it is.
_WITH_KEYS = ("target", "disclosure", "lookback")
