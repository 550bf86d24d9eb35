"""A user → the history of the catalog: who changed what and when, undoing it, the catalog as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.file import dump
from adserver.catalog.plan import SIGNS, Change, Path, differences, render, title
from adserver.clock import Clock
from adserver.console.pages import go_to, message, page
from adserver.console.words import ago, when
from adserver.editing.editor import Editor, Forbidden
from adserver.editing.edits import Conflict
from adserver.engines.catalog_history import Step
from adserver.errors import InvalidInput
from adserver.web.door import principal_of
from adserver.web.headers import HEADERS

_HISTORY = "/console/history"
_STEPS_PER_PAGE = 25
#: Objects shown of one version in the list, and on its own page.
_FEW, _MANY = 4, 100
#: Keys shown of one object in the list.
_FEW_KEYS = 6
_MOST_CHARS = 300
_LAST_VERSION = 2**53


@dataclass(frozen=True, slots=True)
class Shown:
    """What happened to one object, ready to be read: (key, before, after), "" where it is not set."""

    action: str
    sign: str
    title: str
    keys: Sequence[tuple[str, str, str]]
    more_keys: int
    moved: str


class History:
    """Behind the door; everybody sees, and takes back, what is theirs to change."""

    def __init__(self, editor: Editor, clock: Clock) -> None:
        self._editor = editor
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        version = "/history/{version:number}"
        return [
            Route("/history", self._list, methods=["GET"]),
            Route(version, self._one, methods=["GET"]),
            Route(f"{version}/undo", self._ask, methods=["GET"]),
            Route(f"{version}/undo", self._undo, methods=["POST"]),
            Route(f"{version}/catalog.toml", self._as_of, methods=["GET"]),
        ]

    async def _list(self, request: Request) -> Response:
        if not principal_of(request).edits:
            return message("This is not open to you", "The history is for those who change the catalog.", 403)
        asked = request.query_params
        until, path = _moment(asked.get("until", "")), _path(asked.get("of", ""))
        before = _version(asked.get("before", ""))
        past = await self._editor.history(
            principal_of(request), path=path, before=before, until=until, most=_STEPS_PER_PAGE
        )
        shown: dict[str, Any] = {
            "steps": [self._shown(step, _FEW, _FEW_KEYS) for step in past.steps],
            "older": past.older,
            "first": before is None,
            "of": asked.get("of", "") if path else "",
            "object": title(path) if path else "",
            "until": f"{until:%Y-%m-%dT%H:%M}" if until else "",
            "not_a_moment": bool(asked.get("until")) and until is None,
        }
        return page(request, "history.html", "History", **shown)

    async def _one(self, request: Request) -> Response:
        step = await self._step(request)
        if step is None:
            return _absent(request)
        notice = next((word for word in ("undone", "done") if word in request.query_params), "")
        return self._show(request, step, notice=notice)

    async def _ask(self, request: Request) -> Response:
        return await self._take_back(request, dry_run=True)

    async def _undo(self, request: Request) -> Response:
        return await self._take_back(request, dry_run=False)

    async def _take_back(self, request: Request, *, dry_run: bool) -> Response:
        step = await self._step(request)
        if step is None:
            return _absent(request)
        try:
            edited = await self._editor.undo(principal_of(request), step.revision.version, dry_run=dry_run)
        except Conflict as error:
            later = [(title(path), version, "/".join(path)) for path, version in error.versions.items()]
            return self._show(request, step, 409, later=later[:_MANY])
        except InvalidInput as error:
            return self._show(request, step, 422, faults=[str(fault) for fault in error.faults])
        except Forbidden as error:
            return self._show(request, step, 403, faults=[str(fault) for fault in error.faults])
        if not dry_run:
            return go_to(f"{_HISTORY}/{edited.version}?undone=1")
        return self._show(request, step, undoing=objects_of(edited.changes, _MANY))

    async def _as_of(self, request: Request) -> Response:
        version = request.path_params["version"]
        try:
            stored = await self._editor.as_of(principal_of(request), version)
        except InvalidInput as error:
            return message("No such version", f"{error}.", 404)
        text = await asyncio.to_thread(dump, stored.catalog)
        disposition = f'attachment; filename="catalog-{version}.toml"'
        headers = {**HEADERS, "Content-Disposition": disposition}
        return Response(text, headers=headers, media_type="application/toml")

    async def _step(self, request: Request) -> Step | None:
        version = request.path_params["version"]
        return await self._editor.step(principal_of(request), version)

    def _show(self, request: Request, step: Step, status: int = 200, **said: Any) -> Response:
        shown = {"notice": "", "faults": [], "later": [], "undoing": None, **said}
        name = f"Version {step.revision.version}"
        return page(request, "version.html", name, status, step=self._shown(step, _MANY), **shown)

    def _shown(self, step: Step, most: int, most_keys: int | None = None) -> dict[str, Any]:
        revision, changes = step.revision, step.changes
        return {
            "version": revision.version,
            "author": revision.author or "nobody named",
            "at": f"{revision.at:%Y-%m-%dT%H:%MZ}",
            "when": when(revision.at),
            "ago": ago(revision.at, self._clock()),
            "note": revision.note,
            "objects": objects_of(changes, most, most_keys),
            "more": max(0, len(changes) - most),
        }


def objects_of(changes: Sequence[Change], most: int, most_keys: int | None = None) -> list[Shown]:
    return [_shown_of(change, most_keys) for change in changes[:most]]


def _shown_of(change: Change, most_keys: int | None) -> Shown:
    moves = change.action == "move"
    keys = [] if moves else list(differences(change))
    kept = [(key, _short(before), _short(after)) for key, before, after in islice(keys, most_keys)]
    moved = render(change).partition("\n")[2].strip() if moves else ""
    more = len(keys) - len(kept)
    return Shown(change.action, SIGNS[change.action], title(change.path), kept, more, moved)


def _short(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"


def _absent(request: Request) -> Response:
    version = request.path_params["version"]
    return message("No such version", f"There is no version {version} that changed something of yours.", 404)


def _version(text: str) -> int | None:
    return min(int(text), _LAST_VERSION) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _path(text: str) -> Path | None:
    """`line_item/savings-top` → the path of an object; None: of all."""
    return tuple(text.split("/")) if "/" in text else None


def _moment(text: str) -> datetime | None:
    """What a browser sends for a date and time, in UTC."""
    try:
        return datetime.fromisoformat(text).replace(second=59, microsecond=999_000, tzinfo=UTC)
    except ValueError:
        return None
