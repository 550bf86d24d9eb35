"""Addresses below /reports → pages, JSON and CSV of one and the same report.

What is asked stands in the query (`site`, `period`, or `from` and `to`), the same for every form of a report.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from adserver.accounts.model import Role
from adserver.accounts.ownership import report_scope
from adserver.accounts.shares import Shares
from adserver.errors import InvalidInput, StorageFailed
from adserver.measurement.cuts import Breakdown, Cuts
from adserver.measurement.report import Choice, Report, Reports, Site
from adserver.measurement.statement import Statement
from adserver.web.compressed import COMPRESSED
from adserver.web.door import principal_of
from dashboards import (
    creative_pages,
    exports,
    hour_pages,
    live_pages,
    pace_pages,
    reason_pages,
    section_pages,
    statement_pages,
)
from dashboards.answers import (
    HEADERS,
    NO_SITE,
    UNREADABLE,
    Refuse,
    csv_file,
    refuse_json,
    refuse_page,
    refuse_text,
    sentence,
)
from dashboards.cut_pages import reach_page, section_of
from dashboards.frame import ASSETS
from dashboards.pages import report_page
from dashboards.print_forms import PrintForms
from dashboards.printing import Printer
from dashboards.result_routes import before_door, behind_door
from dashboards.slot_table import sort_of
from dashboards.sources import Sources

NOT_FOR_ADVERTISERS = "These are the reports of a whole site, which are its publisher's."

_log = structlog.get_logger()

T = TypeVar("T")
Handler = Callable[[Request], Awaitable[Response]]
#: (request, the reports that one may see, what was chosen) → one of them in one form.
Tell = Callable[[Request, Reports, Choice], Awaitable[Response]]
Rows = Callable[[Report], list[exports.Row]]


def routes(
    sources: Sources, shares: Shares, door: Middleware, printer: Printer | None = None
) -> list[BaseRoute]:
    """Everything below /reports, behind the door, but for what is shared by a link.

    `printer` None: nothing is printed.
    """
    reports, cuts = sources.reports, sources.cuts
    campaigns_csv = _csv("campaigns", exports.campaign_rows, exports.CAMPAIGN_COLUMNS)
    funnel_csv = _csv("funnel", exports.funnel_rows, exports.FUNNEL_COLUMNS)
    revenue_csv = _csv("revenue", exports.revenue_rows, exports.REVENUE_COLUMNS)
    slots_csv = _csv("slots", exports.slot_rows, exports.SLOT_COLUMNS)
    marked_csv = _csv("marked", exports.marked_rows, exports.MARKED_COLUMNS)
    inner = [
        Route("/", _answer(reports, _page(cuts), refuse_page)),
        Route("/revenue.json", _answer(reports, _json(exports.revenue_rows), refuse_json)),
        Route("/revenue.csv", _answer(reports, revenue_csv, refuse_text)),
        Route("/slots.json", _answer(reports, _json(exports.slot_rows), refuse_json)),
        Route("/slots.csv", _answer(reports, slots_csv, refuse_text)),
        Route("/campaigns.json", _answer(reports, _json(exports.campaign_rows), refuse_json)),
        Route("/campaigns.csv", _answer(reports, campaigns_csv, refuse_text)),
        Route("/funnel.json", _answer(reports, _json(exports.funnel_rows), refuse_json)),
        Route("/funnel.csv", _answer(reports, funnel_csv, refuse_text)),
        Route("/marked.json", _answer(reports, _json(exports.marked_rows), refuse_json)),
        Route("/marked.csv", _answer(reports, marked_csv, refuse_text)),
        Route("/breakdown.json", _answer(reports, _breakdown_json(cuts), refuse_json)),
        Route("/breakdown.csv", _answer(reports, _breakdown_csv(cuts), refuse_text)),
        Route("/reach", _answer(reports, _reach_page(cuts), refuse_page)),
        Route("/reach.json", _answer(reports, _reach_json(cuts), refuse_json)),
        Route("/reach.csv", _answer(reports, _reach_csv(cuts), refuse_text)),
        *_in_all_forms(sources),
        *_statement_routes(sources),
        *behind_door(sources, shares),
    ]
    told = Mount("/", routes=inner, middleware=[COMPRESSED])
    own, shared = (Middleware(PrintForms, printer=printer, name=name) for name in ("", "results"))
    return [
        before_door(sources, shares, shared),
        Mount("/reports", routes=[ASSETS.route(), told], middleware=[door, own]),
    ]


@dataclass(frozen=True, slots=True)
class _Forms(Generic[T]):
    """A report as a page, as what its JSON says, and as the lines of its CSV."""

    page: Callable[[T, Sequence[Site]], str]
    body: Callable[[T], exports.Row]
    rows: Callable[[T], list[exports.Row]]
    columns: tuple[str, ...]


_HOURS = _Forms(hour_pages.hours_page, hour_pages.hours_json, hour_pages.hour_rows, hour_pages.COLUMNS)
_PACE = _Forms(pace_pages.pace_page, pace_pages.pace_json, pace_pages.pace_rows, pace_pages.COLUMNS)
_REASONS = _Forms(
    reason_pages.reasons_page, reason_pages.reasons_json, reason_pages.reason_rows, reason_pages.COLUMNS
)
_SECTIONS = _Forms(
    section_pages.section_page, section_pages.section_json, section_pages.section_rows, section_pages.COLUMNS
)
_LIVE = _Forms(live_pages.live_page, live_pages.live_json, live_pages.live_rows, live_pages.COLUMNS)
_CREATIVES = _Forms(
    creative_pages.creatives_page,
    creative_pages.creatives_json,
    creative_pages.creative_rows,
    creative_pages.COLUMNS,
)


def _in_all_forms(sources: Sources) -> list[BaseRoute]:
    def word(request: Request, name: str) -> str:
        return request.query_params.get(name, "")

    return [
        *_all_forms(sources, "hours", _HOURS, lambda _, _own, choice: sources.hours.read(choice)),
        *_all_forms(sources, "delivery", _PACE, lambda _, own, choice: sources.paces.read(choice, own.only)),
        *_all_forms(
            sources,
            "reasons",
            _REASONS,
            lambda request, _own, choice: sources.reasons.read(choice, word(request, "line_item")),
        ),
        *_all_forms(
            sources,
            "sections",
            _SECTIONS,
            lambda request, _own, choice: sources.sections.read(choice, word(request, "section")),
        ),
        *_all_forms(sources, "live", _LIVE, lambda _, own, choice: sources.vitals.read(choice, own.only)),
        *_all_forms(sources, "creatives", _CREATIVES, lambda _, own, choice: own.read(choice)),
    ]


def _all_forms(
    sources: Sources,
    name: str,
    forms: _Forms[T],
    read: Callable[[Request, Reports, Choice], Awaitable[T]],
) -> list[BaseRoute]:
    """The page of a report, its JSON and its CSV."""

    async def page(request: Request, own: Reports, choice: Choice) -> Response:
        found = await read(request, own, choice)
        return HTMLResponse(forms.page(found, own.sites()), headers=HEADERS)

    async def body(request: Request, own: Reports, choice: Choice) -> Response:
        return JSONResponse(forms.body(await read(request, own, choice)), headers=HEADERS)

    async def lines(request: Request, own: Reports, choice: Choice) -> Response:
        return csv_file(choice, name, forms.rows(await read(request, own, choice)), forms.columns)

    return [
        Route(f"/{name}{suffix}", _answer(sources.reports, tell, refuse))
        for suffix, tell, refuse in (
            ("", page, refuse_page),
            (".json", body, refuse_json),
            (".csv", lines, refuse_text),
        )
    ]


def _statement_routes(sources: Sources) -> list[BaseRoute]:
    """A month instead of a period, and of all slots."""

    def advertiser(request: Request) -> str:
        return request.query_params.get("advertiser", "")

    async def read(request: Request, choice: Choice) -> tuple[str, Statement | None]:
        month = statement_pages.month_or_last(request.query_params.get("month", ""), choice)
        found, only = await sources.statements.read(choice.site.name, month), advertiser(request)
        return month, found.of(only) if found and only else found

    async def page(request: Request, own: Reports, choice: Choice) -> Response:
        month, found = await read(request, choice)
        shown = statement_pages.statement_page(choice, month, found, own.sites(), advertiser(request))
        return HTMLResponse(shown, headers=HEADERS)

    async def body(request: Request, _own: Reports, choice: Choice) -> Response:
        month, found = await read(request, choice)
        return JSONResponse(statement_pages.statement_json(month, choice, found), headers=HEADERS)

    async def lines(request: Request, _own: Reports, choice: Choice) -> Response:
        month, found = await read(request, choice)
        rows = list(exports.statement_rows(found)) if found else []
        return csv_file(choice, f"statement-{month}", rows, exports.STATEMENT_COLUMNS)

    forms = (("", page, refuse_page), (".json", body, refuse_json), (".csv", lines, refuse_text))
    return [
        Route(f"/statement{suffix}", _answer(sources.reports, tell, refuse)) for suffix, tell, refuse in forms
    ]


def _answer(reports: Reports, tell: Tell, refuse: Refuse) -> Handler:
    async def answer(request: Request) -> Response:
        query, principal = request.query_params, principal_of(request)
        if principal.role is Role.ADVERTISER:
            own_report = RedirectResponse("/reports/advertiser", 303, HEADERS)
            return own_report if refuse is refuse_page else refuse(NOT_FOR_ADVERTISERS, 403)
        own = reports.within(report_scope(principal).sites)
        try:
            choice = own.choose(
                site=query.get("site", ""),
                period=query.get("period", ""),
                first=query.get("from", ""),
                last=query.get("to", ""),
                slot=query.get("slot", ""),
                compared=query.get("compare", ""),
            )
            if choice is None:
                return refuse(NO_SITE, 404)
            if refuse is refuse_page:
                choice = await own.dated(choice)
            return await tell(request, own, choice)
        except InvalidInput as error:
            return refuse(sentence(error), 400)
        except StorageFailed:
            _log.exception("report not read", path=request.url.path)
            return refuse(UNREADABLE, 503)

    return answer


def _page(cuts: Cuts) -> Tell:
    async def tell(request: Request, own: Reports, choice: Choice) -> Response:
        sort = sort_of(request.query_params.get("sort", ""))
        report, breakdown = await gather(own.read(choice), _breakdown(cuts, request, choice))
        section = section_of(breakdown, request.query_params.get("sort"))
        page = report_page(report, section, own.sites(), str(request.base_url), sort)
        return HTMLResponse(page, headers=HEADERS)

    return tell


def _reach_page(cuts: Cuts) -> Tell:
    async def tell(_request: Request, own: Reports, choice: Choice) -> Response:
        return HTMLResponse(reach_page(await cuts.reach(choice), own.sites()), headers=HEADERS)

    return tell


async def _breakdown(cuts: Cuts, request: Request, choice: Choice) -> Breakdown:
    query = request.query_params
    return await cuts.breakdown(choice, by=query.get("by", ""), line_item=query.get("line_item", ""))


def _breakdown_json(cuts: Cuts) -> Tell:
    async def tell(request: Request, _own: Reports, choice: Choice) -> Response:
        breakdown = await _breakdown(cuts, request, choice)
        return JSONResponse(exports.breakdown_json(breakdown), headers=HEADERS)

    return tell


def _breakdown_csv(cuts: Cuts) -> Tell:
    async def tell(request: Request, _own: Reports, choice: Choice) -> Response:
        breakdown = await _breakdown(cuts, request, choice)
        rows, columns = exports.breakdown_rows(breakdown), exports.breakdown_columns(breakdown)
        return csv_file(choice, f"by-{breakdown.by}", rows, columns)

    return tell


def _reach_json(cuts: Cuts) -> Tell:
    async def tell(_request: Request, _own: Reports, choice: Choice) -> Response:
        return JSONResponse(exports.reach_json(await cuts.reach(choice)), headers=HEADERS)

    return tell


def _reach_csv(cuts: Cuts) -> Tell:
    async def tell(_request: Request, _own: Reports, choice: Choice) -> Response:
        return csv_file(choice, "reach", exports.reach_rows(await cuts.reach(choice)), exports.REACH_COLUMNS)

    return tell


def _json(rows: Rows) -> Tell:
    async def tell(_request: Request, own: Reports, choice: Choice) -> Response:
        report = await own.read(choice)
        return JSONResponse(exports.as_json(report, rows(report)), headers=HEADERS)

    return tell


def _csv(name: str, rows: Rows, columns: tuple[str, ...]) -> Tell:
    async def tell(_request: Request, own: Reports, choice: Choice) -> Response:
        return csv_file(choice, name, rows(await own.read(choice)), columns)

    return tell
