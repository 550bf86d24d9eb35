"""Addresses below /reports → pages, JSON and CSV of one and the same report.

What is asked stands in the query (`site`, `period`, or `from` and `to`), the same for every form of a report.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from adserver.accounts.model import Role
from adserver.accounts.ownership import report_scope
from adserver.errors import InvalidInput, StorageFailed
from adserver.measurement.report import Report, Reports, Site
from adserver.web.door import principal_of
from dashboards import exports
from dashboards.assets import answer_asset
from dashboards.pages import message_page, report_page

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
NO_SITE = "The catalog has no site yet."
NOT_FOR_ADVERTISERS = "These are the reports of a whole site, which are its publisher's."
UNREADABLE = "The numbers cannot be read just now; try again in a moment."
FIRST_CATALOG = """\
[[site]]
name = "daily"
domain = "news.example"
timezone = "Asia/Kathmandu"
currency = "USD"
[[site.slot]]
name = "article-top"
sizes = ["970x250", "728x90", "320x50"]

$ adserver apply catalog.toml"""

_log = structlog.get_logger()

Handler = Callable[[Request], Awaitable[Response]]
#: (request, report, the sites whose reports are theirs) → the report in one form.
Show = Callable[[Request, Report, Sequence[Site]], Response]
#: A sentence and a status → a refusal in the form that was asked for.
Refuse = Callable[[str, int], Response]
Rows = Callable[[Report], list[exports.Row]]


def routes(reports: Reports, door: Middleware) -> list[BaseRoute]:
    """Everything below /reports, behind the door."""

    def show_page(request: Request, report: Report, sites: Sequence[Site]) -> Response:
        return HTMLResponse(report_page(report, sites, str(request.base_url)), headers=HEADERS)

    revenue_csv = _csv("revenue", exports.revenue_rows, exports.REVENUE_COLUMNS)
    slots_csv = _csv("slots", exports.slot_rows, exports.SLOT_COLUMNS)
    marked_csv = _csv("marked", exports.marked_rows, exports.MARKED_COLUMNS)
    inner = [
        Route("/", _answer(reports, show_page, _refuse_page)),
        Route("/revenue.json", _answer(reports, _json(exports.revenue_rows), _refuse_json)),
        Route("/revenue.csv", _answer(reports, revenue_csv, _refuse_text)),
        Route("/slots.json", _answer(reports, _json(exports.slot_rows), _refuse_json)),
        Route("/slots.csv", _answer(reports, slots_csv, _refuse_text)),
        Route("/marked.json", _answer(reports, _json(exports.marked_rows), _refuse_json)),
        Route("/marked.csv", _answer(reports, marked_csv, _refuse_text)),
        Route("/static/{file}", answer_asset),
    ]
    return [Mount("/reports", routes=inner, middleware=[door])]


def _answer(reports: Reports, show: Show, refuse: Refuse) -> Handler:
    async def answer(request: Request) -> Response:
        query, principal = request.query_params, principal_of(request)
        if principal.role is Role.ADVERTISER:
            return refuse(NOT_FOR_ADVERTISERS, 403)
        own = reports.within(report_scope(principal).sites)
        try:
            choice = own.choose(
                site=query.get("site", ""),
                period=query.get("period", ""),
                first=query.get("from", ""),
                last=query.get("to", ""),
            )
            if choice is None:
                return refuse(NO_SITE, 404)
            return show(request, await own.read(choice), own.sites())
        except InvalidInput as error:
            return refuse(sentence(error), 400)
        except StorageFailed:
            _log.exception("report not read", path=request.url.path)
            return refuse(UNREADABLE, 503)

    return answer


def sentence(error: InvalidInput) -> str:
    """All that is wrong with a query, as one sentence."""
    return "; ".join(f"{fault.key}: {fault.problem}" for fault in error.faults) + "."


def _refuse_page(text: str, status: int) -> Response:
    if text == NO_SITE:
        # Nothing went wrong: this is the first look of someone who has just installed the server.
        advice = "Describe your site and its slots in a file, then apply it:"
        return HTMLResponse(message_page("Reports", [text, advice], FIRST_CATALOG), headers=HEADERS)
    return HTMLResponse(message_page("This report cannot be shown", [text]), status, HEADERS)


def _refuse_json(text: str, status: int) -> Response:
    return JSONResponse({"error": text}, status, HEADERS)


def _refuse_text(text: str, status: int) -> Response:
    return PlainTextResponse(f"{text}\n", status, HEADERS)


def _json(rows: Rows) -> Show:
    return lambda _request, report, _sites: JSONResponse(
        exports.as_json(report, rows(report)), headers=HEADERS
    )


def _csv(name: str, rows: Rows, columns: tuple[str, ...]) -> Show:
    def show(_request: Request, report: Report, _sites: Sequence[Site]) -> Response:
        site, period = report.choice.site, report.choice.period
        file = f"{site.name}-{name}-{period.first}-{period.last}.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{file}"'}
        text = exports.as_csv(rows(report), columns, site.currency)
        return Response(text.encode(), headers=headers, media_type="text/csv; charset=utf-8")

    return show
