"""Pages, rows and sentences → responses: the headers that all have, refusals in each form, named files."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from adserver.errors import InvalidInput
from adserver.measurement.report import Choice
from dashboards import exports
from dashboards.pages import message_page

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

#: A sentence and a status → a refusal in the form that was asked for.
Refuse = Callable[[str, int], Response]


def sentence(error: InvalidInput) -> str:
    """All that is wrong with a query, as one sentence."""
    return "; ".join(f"{fault.key}: {fault.problem}" for fault in error.faults) + "."


def refuse_page(text: str, status: int) -> Response:
    """A refusal as a page."""
    if text == NO_SITE:
        # Nothing went wrong: this is the first look of someone who has just installed the server.
        advice = "Describe your site and its slots in a file, then apply it:"
        return HTMLResponse(message_page("Reports", [text, advice], FIRST_CATALOG), headers=HEADERS)
    return HTMLResponse(message_page("This report cannot be shown", [text]), status, HEADERS)


def refuse_json(text: str, status: int) -> Response:
    """As JSON."""
    return JSONResponse({"error": text}, status, HEADERS)


def refuse_text(text: str, status: int) -> Response:
    """As one line of text."""
    return PlainTextResponse(f"{text}\n", status, HEADERS)


def csv_file(
    choice: Choice,
    name: str,
    rows: list[exports.Row],
    columns: tuple[str, ...],
    headers: Mapping[str, str] = HEADERS,
) -> Response:
    """Rows → a CSV to be saved under a name that says what it holds."""
    site, period = choice.site, choice.period
    file = f"{site.name}-{name}-{period.first}-{period.last}.csv"
    named = {**headers, "Content-Disposition": f'attachment; filename="{file}"'}
    text = exports.as_csv(rows, columns, site.currency)
    return Response(text.encode(), headers=named, media_type="text/csv; charset=utf-8")
