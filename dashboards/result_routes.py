"""Addresses → what advertisers got: their own reports behind the door, shared ones by a link before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from adserver.accounts.model import Principal, Role
from adserver.accounts.ownership import report_scope
from adserver.accounts.shares import Locked, Shares
from adserver.errors import InvalidInput, StorageFailed
from adserver.measurement.report import Choice, Reports
from adserver.measurement.results import Results
from adserver.web.compressed import COMPRESSED
from adserver.web.door import principal_of
from dashboards.answers import (
    HEADERS,
    UNREADABLE,
    Refuse,
    csv_file,
    refuse_json,
    refuse_page,
    refuse_text,
    sentence,
)
from dashboards.frame import ASSETS, query_of
from dashboards.result_pages import (
    COLUMNS,
    Desk,
    gone_page,
    made_page,
    result_rows,
    results_json,
    results_page,
    shared_page,
)
from dashboards.sources import Sources

NOBODY = "There is no advertiser yet whose results could be shown."
GONE = "This link is unknown, over or revoked."
TOKENS_DO_NOT_SHARE = "Links are made and revoked by people who are signed in, not by API tokens."
#: What is shared is for whoever has the link, not for search engines, and no page learns where it was.
SHARED_HEADERS = {**HEADERS, "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}

Handler = Callable[[Request], Awaitable[Response]]
#: What somebody asked for and got → one form of it.
Tell = Callable[[Request, "_Asked"], Awaitable[Response]]


class _Asked:
    """Whose results somebody asked for, within what is theirs. Raises InvalidInput."""

    def __init__(self, sources: Sources, principal: Principal, query: dict[str, str]) -> None:
        scope = report_scope(principal)
        self.principal, self.sources = principal, sources
        results = sources.results
        here = {one: _within(results.sites(one), scope.sites) for one in results.advertisers()}
        # Who runs on other sites only is not told either.
        self.advertisers = [one for one, sites in here.items() if sites and scope.holds_advertiser(one)]
        wanted = query.get("advertiser", "")
        if wanted and wanted not in self.advertisers:
            # Whether somebody else's advertiser is there is not told.
            raise InvalidInput.one("", "advertiser", f"{wanted[:200]!r} is none whose results you may read")
        self.advertiser = wanted or next(iter(self.advertisers), "")
        self.campaign = query.get("campaign") or None
        self.own: Reports = sources.reports.within(here.get(self.advertiser, frozenset()))
        self.choice: Choice | None = self.own.choose(
            site=query.get("site", ""),
            period=query.get("period", ""),
            first=query.get("from", ""),
            last=query.get("to", ""),
        )

    async def read(self) -> Results:
        """What the advertiser got."""
        assert self.choice, "what cannot be chosen is not read"
        choice = await self.own.dated(self.choice)
        return await self.sources.results.read(choice, self.advertiser, self.campaign)


def _within(sites: frozenset[str], only: frozenset[str] | None) -> frozenset[str]:
    return sites if only is None else sites & only


def behind_door(sources: Sources, shares: Shares) -> list[BaseRoute]:
    """Below /reports, for whoever the door let in."""

    async def page(_request: Request, asked: _Asked) -> Response:
        found, principal = await asked.read(), asked.principal
        signed_in = principal.scopes is None
        own = await shares.of(principal, asked.advertiser) if signed_in else None
        desk = Desk(asked.advertisers, own, shares.most_days)
        alone = principal.role is Role.ADVERTISER
        return HTMLResponse(results_page(found, asked.own.sites(), desk, alone=alone), headers=HEADERS)

    async def body(_request: Request, asked: _Asked) -> Response:
        return JSONResponse(results_json(await asked.read()), headers=HEADERS)

    async def lines(_request: Request, asked: _Asked) -> Response:
        found = await asked.read()
        return csv_file(found.choice, "results", result_rows(found), COLUMNS)

    async def share(request: Request, asked: _Asked) -> Response:
        if asked.principal.scopes is not None:
            return refuse_page(TOKENS_DO_NOT_SHARE, 403)
        assert asked.choice, "what cannot be chosen is not shared"
        period = asked.choice.period
        preset = asked.choice.preset or ""
        span = ("", "") if preset else (period.first.isoformat(), period.last.isoformat())
        locked = Locked(asked.choice.site.name, asked.advertiser, asked.campaign or "", preset, *span)
        token = await shares.make(asked.principal, locked, (await _form(request)).get("days", ""))
        back = query_of(asked.choice, advertiser=asked.advertiser, campaign=asked.campaign)
        page = made_page(f"{request.base_url}reports/shared/{token}", f"/reports/advertiser?{back}")
        return HTMLResponse(page, headers=SHARED_HEADERS)

    async def revoke(request: Request) -> Response:
        principal, form = principal_of(request), await _form(request)
        if principal.scopes is not None:
            return refuse_page(TOKENS_DO_NOT_SHARE, 403)
        number = form.get("share", "")
        if not (number.isascii() and number.isdigit() and len(number) < 19):
            return refuse_page(GONE, 404)
        if not await shares.revoke(principal, int(number)):
            return refuse_page(GONE, 404)
        back = urlencode({"advertiser": form.get("advertiser", "")})
        return RedirectResponse(f"/reports/advertiser?{back}#shares", 303, HEADERS)

    return [
        Route("/advertiser", _answer(sources, page, refuse_page)),
        Route("/advertiser.json", _answer(sources, body, refuse_json)),
        Route("/advertiser.csv", _answer(sources, lines, refuse_text)),
        Route("/advertiser/share", _answer(sources, share, refuse_page), methods=["POST"]),
        Route("/advertiser/revoke", revoke, methods=["POST"]),
    ]


def before_door(sources: Sources, shares: Shares, printed: Middleware) -> Mount:
    """Below /reports/shared, for whoever has a link. It shows one thing, whatever the query says."""

    def answer(tell: Callable[[Results, str], Response], refuse: Refuse) -> Handler:
        async def shown(request: Request) -> Response:
            token = request.path_params["token"]
            try:
                opened = await shares.open(token)
                if opened is None:
                    return refuse(GONE, 404)
                asked = _Asked(sources, opened[1], _query_of(opened[0]))
                return tell(await asked.read(), token)
            except InvalidInput:
                # The site or the advertiser is no longer there.
                return refuse(GONE, 404)
            except StorageFailed:
                return refuse(UNREADABLE, 503)

        return shown

    def page(found: Results, token: str) -> Response:
        return HTMLResponse(shared_page(found, token), headers=SHARED_HEADERS)

    def body(found: Results, _token: str) -> Response:
        return JSONResponse(results_json(found), headers=SHARED_HEADERS)

    def lines(found: Results, _token: str) -> Response:
        return csv_file(found.choice, "results", result_rows(found), COLUMNS, SHARED_HEADERS)

    def gone(text: str, status: int) -> Response:
        return (
            HTMLResponse(gone_page(), status, SHARED_HEADERS) if status == 404 else refuse_text(text, status)
        )

    told = [
        Route("/{token}.json", answer(body, refuse_json)),
        Route("/{token}.csv", answer(lines, refuse_text)),
        Route("/{token}", answer(page, gone)),
    ]
    inner = Mount("/", routes=told, middleware=[COMPRESSED])
    return Mount("/reports/shared", routes=[ASSETS.route(), inner], middleware=[printed])


def _query_of(locked: Locked) -> dict[str, str]:
    return {
        "site": locked.site,
        "advertiser": locked.advertiser,
        "campaign": locked.campaign,
        "period": locked.period,
        "from": locked.first,
        "to": locked.last,
    }


def _answer(sources: Sources, tell: Tell, refuse: Refuse) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            asked = _Asked(sources, principal_of(request), dict(request.query_params))
            if not asked.advertiser or asked.choice is None:
                return refuse(NOBODY, 404)
            return await tell(request, asked)
        except InvalidInput as error:
            return refuse(sentence(error), 400)
        except StorageFailed:
            return refuse(UNREADABLE, 503)

    return answer


async def _form(request: Request) -> dict[str, str]:
    """The fields of a small form."""
    async with request.form(max_files=0, max_fields=10, max_part_size=1000) as form:
        return {key: value for key, value in form.items() if isinstance(value, str)}
