"""Addresses below /console/line_items → all line items as a list, as a table to edit, and as CSV.

Whatever changes many line items is shown first, key by key, and then made with one press, as one version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.catalog.plan import Path, title
from adserver.clock import Clock
from adserver.console.forms import Form, form_of, one
from adserver.console.history import objects_of
from adserver.console.objects import address_of
from adserver.console.pages import Answer, go_to, only, page, refusal_of
from adserver.editing.editor import Editor, Forbidden
from adserver.editing.edits import Conflict, Edit
from adserver.editing.objects import Objects, Seen, Wanted, line_items_of, state_at
from adserver.editing.sheet import COLUMNS, HEADS, Row, edits_of, read_csv, rows_of, to_csv
from adserver.errors import InvalidInput
from adserver.settings import Settings
from adserver.web.door import principal_of
from adserver.web.headers import HEADERS

_ROOT = "/console/line_items"
_LISTED, _EDITED, _CHANGES = 100, 40, 200
_STATES = ("live", "scheduled", "paused", "ended")
_TIERS = ("sponsorship", "guaranteed", "price", "network", "house")
#: Columns of the table, with their headings and what is in an empty cell of the row for all.
_CELLS: Mapping[str, tuple[str, str]] = {
    "paused": ("Paused", ""),
    "tier": ("Tier", ""),
    "start": ("Start", ""),
    "end": ("End", ""),
    "price": ("Price", "4.50 cpm"),
    "goal": ("Goal", "100000 impressions"),
    "budget": ("Budget", "500.00"),
    "daily_budget": ("Day's budget", "25.00"),
    "pacing": ("Pacing", ""),
}
_CHOICES: Mapping[str, Sequence[str]] = {
    "paused": ("no", "yes"),
    "tier": _TIERS,
    "pacing": ("", "even", "frontloaded", "asap"),
}


class LineItems:
    """Behind the door; what somebody does not see is not there."""

    def __init__(self, editor: Editor, objects: Objects, clock: Clock, settings: Settings) -> None:
        self._editor = editor
        self._objects = objects
        self._clock = clock
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/line_items", self._list),
            Route("/line_items.csv", self._export),
            Route("/line_items/table", self._table, methods=["GET"]),
            Route("/line_items/table", _by_editors(self._look), methods=["POST"]),
            Route("/line_items/import", self._import, methods=["GET"]),
            Route("/line_items/import", _by_editors(self._read), methods=["POST"]),
            Route("/line_items/apply", _by_editors(self._apply), methods=["POST"]),
        ]

    async def _list(self, request: Request) -> Response:
        seen, paths, wanted = await self._wanted(request)
        first = _page_of(request)
        rows = [
            {
                "href": address_of(path),
                "state": state_at(seen.entries[path].body, self._clock()),
                **cells,
            }
            for path, cells in _with_cells(seen, paths[first : first + _LISTED])
        ]
        return self._shown(request, "line_items.html", "Line items", wanted, paths, first, _LISTED, rows=rows)

    async def _export(self, request: Request) -> Response:
        seen, paths, _ = await self._wanted(request)
        disposition = 'attachment; filename="line_items.csv"'
        headers = {**HEADERS, "Content-Disposition": disposition}
        return Response(to_csv(rows_of(seen, paths)), headers=headers, media_type="text/csv")

    async def _table(self, request: Request) -> Response:
        seen, paths, wanted = await self._wanted(request)
        first = _page_of(request)
        rows = [cells for _, cells in _with_cells(seen, paths[first : first + _EDITED])]
        return self._edit(request, rows, wanted, paths, first)

    def _edit(
        self,
        request: Request,
        rows: Sequence[Row],
        wanted: Wanted,
        paths: Sequence[Path],
        first: int,
        refused: InvalidInput | Forbidden | None = None,
    ) -> Response:
        faults = [str(fault) for fault in refused.faults] if refused else []
        more = {"cells": _CELLS, "choices": _CHOICES, "faults": faults, "rows": rows}
        status = refusal_of(refused)
        return self._shown(
            request, "table.html", "Edit line items", wanted, paths, first, _EDITED, status, **more
        )

    def _shown(
        self,
        request: Request,
        template: str,
        heading: str,
        wanted: Wanted,
        paths: Sequence[Path],
        first: int,
        most: int,
        status: int = 200,
        **shown: Any,
    ) -> Response:
        query = {key: value for key, value in asdict(wanted).items() if value}
        return page(
            request,
            template,
            heading,
            status,
            wanted=wanted,
            states=_STATES,
            tiers=_TIERS,
            count=len(paths),
            first=first,
            last=min(first + most, len(paths)),
            most=most,
            query=urlencode(query),
            may_change=principal_of(request).edits,
            **shown,
        )

    async def _look(self, request: Request) -> Response:
        """What the table that was sent would change."""
        form = await form_of(request)
        rows = _rows_in(form)
        seen = await self._objects.seen_by(principal_of(request))
        try:
            return await self._ask(request, seen, edits_of(seen, rows), rows)
        except Conflict as error:
            return self._sent_back(request, error, "", rows)
        except (InvalidInput, Forbidden) as error:
            paths: list[Path] = [("line_item", row["line_item"]) for row in rows]
            return self._edit(request, rows, Wanted(), paths, 0, error)

    async def _import(self, request: Request) -> Response:
        return self._ask_for_file(request)

    def _ask_for_file(
        self,
        request: Request,
        text: str = "",
        faults: Sequence[str] = (),
        status: int = 200,
        *,
        again: bool = False,
    ) -> Response:
        """`again`: the text is what was sent, to be mended."""
        columns = [*HEADS, *COLUMNS]
        shown = {"text": text, "faults": faults[:_CHANGES], "columns": columns, "again": again}
        return page(request, "import.html", "Import line items", status, **shown)

    def _sent_back(
        self, request: Request, error: Conflict | InvalidInput | Forbidden, text: str, rows: Sequence[Row]
    ) -> Response:
        """A sheet that was not taken: as it was sent, with what is wrong, or which rows are of the past."""
        if not isinstance(error, Conflict):
            faults = [str(fault) for fault in error.faults]
            return self._ask_for_file(request, text, faults, refusal_of(error))
        sentences = [
            f"{title(path)}: changed by somebody else in the meantime, and is of version {version} now"
            for path, version in error.versions.items()
        ]
        return self._ask_for_file(request, to_csv(rows), sentences, 409, again=True)

    async def _read(self, request: Request) -> Response:
        """What a CSV file that was sent would change."""
        text, rows = "", list[dict[str, str]]()
        try:
            form = await form_of(request, most_bytes=self._settings.max_sheet_bytes, files=True)
            text = one(form, "file") or one(form, "text")
            rows = read_csv(text, self._settings.max_sheet_rows)
            seen = await self._objects.seen_by(principal_of(request))
            return await self._ask(request, seen, edits_of(seen, rows), rows)
        except (Conflict, InvalidInput, Forbidden) as error:
            return self._sent_back(request, error, text, rows)

    async def _ask(
        self, request: Request, seen: Seen, edits: Sequence[Edit], rows: Sequence[Row]
    ) -> Response:
        """Show what would change, with the rows that change it, ready to be applied."""
        edited = await self._editor.edit(principal_of(request), edits, dry_run=True)
        changed = {change.path[1] for change in edited.changes}
        kept = [
            {**row, "version": str(seen.versions.get(("line_item", name), ""))}
            for row in rows
            for name in (row["line_item"].strip(),)
            if name in changed
        ]
        return page(
            request,
            "sheet_diff.html",
            "What would change",
            objects=objects_of(edited.changes, _CHANGES),
            more=max(0, len(edited.changes) - _CHANGES),
            count=len(edited.changes),
            sheet=to_csv(kept),
        )

    async def _apply(self, request: Request) -> Response:
        principal, text, rows = principal_of(request), "", list[dict[str, str]]()
        try:
            form = await form_of(request, most_bytes=self._settings.max_sheet_bytes)
            text = one(form, "sheet")
            rows = read_csv(text, self._settings.max_sheet_rows)
            edits = edits_of(await self._objects.seen_by(principal), rows)
            edited = await self._editor.edit(principal, edits, note=one(form, "note").strip()[:1000])
        except (Conflict, InvalidInput, Forbidden) as error:
            return self._sent_back(request, error, text, rows)
        return go_to(f"/console/history/{edited.version}?done=1" if edited.changes else _ROOT)

    async def _wanted(self, request: Request) -> tuple[Seen, list[Path], Wanted]:
        asked = request.query_params
        wanted = Wanted(*(asked.get(key, "").strip() for key in ("inside", "state", "tier", "part")))
        seen = await self._objects.seen_by(principal_of(request))
        return seen, line_items_of(seen, wanted, self._clock()), wanted


def _by_editors(answer: Answer) -> Answer:
    return only(answer, lambda asking: asking.edits, "Line items are edited by ad ops.")


def _with_cells(seen: Seen, paths: Sequence[Path]) -> list[tuple[Path, dict[str, str]]]:
    """Each line item with its cells; instants as the fields of a browser have them, without their offset."""
    found = []
    for path, row in zip(paths, rows_of(seen, paths), strict=True):
        local = {key: row[key].partition("+")[0][:19] for key in ("start", "end")}
        found.append((path, row | {key: _without_offset(text) for key, text in local.items()}))
    return found


def _without_offset(text: str) -> str:
    date, mark, time = text.partition("T")
    return f"{date}{mark}{time.partition('-')[0]}"


def _rows_in(form: Form) -> list[dict[str, str]]:
    """The rows of the table that was sent; what is given for all is in each of them that is ticked."""
    names, versions = form.get("line_item", []), form.get("version", [])
    for_all = {key: one(form, f"all-{key}").strip() for key in _CELLS}
    ticked = set(form.get("in", []))
    rows = []
    for number, name in enumerate(names):
        cells = {key: one(form, f"{key}-{number}") for key in _CELLS}
        if str(number) in ticked:
            cells |= {key: text for key, text in for_all.items() if text}
        version = versions[number] if number < len(versions) else ""
        rows.append({"line_item": name, "version": version, **cells})
    return rows


def _page_of(request: Request) -> int:
    text = request.query_params.get("first", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
