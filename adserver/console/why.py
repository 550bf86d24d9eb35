"""A line item, or a page request → why the one does not serve, and what became of everybody on the other."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.accounts.model import Principal, Role
from adserver.catalog.plan import Path
from adserver.clock import Clock
from adserver.console.objects import address_of
from adserver.console.pages import by_key, go_to, message, page
from adserver.console.words import ago
from adserver.decision.reasons import Hindrance
from adserver.decision.rule_names import rule_name
from adserver.decision.rule_words import amount
from adserver.decision.week import Sample
from adserver.editing.objects import Objects
from adserver.errors import InvalidInput
from adserver.forecast.past import Busy, DayReplayed, ExplainPage, NotTheirs, PastPages, question_of
from adserver.money import format_micros
from adserver.web.door import principal_of

_WHY = "/console/why"
_RECENT = 12
#: Candidates of each slot that are listed, and those that are in view at once.
_LISTED, _IN_VIEW = 40, 8
_FORM = ("page", "at", "country", "device")


@dataclass(frozen=True, slots=True)
class PageShown:
    """A page request as a line of text, and where it is explained."""

    href: str
    text: str
    when: str


class Why:
    """Behind the door, for those who read the reports of a site."""

    def __init__(self, past: PastPages, explain: ExplainPage, objects: Objects, clock: Clock) -> None:
        self._past = past
        self._explain = explain
        self._objects = objects
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        return [
            Route("/why", self._begin),
            Route("/why/page", self._page),
            Route("/why/{name}", self._item),
        ]

    async def _begin(self, request: Request) -> Response:
        principal = principal_of(request)
        if principal.role is Role.ADVERTISER:
            return _not_open()
        name, faults = request.query_params.get("line_item", "").strip(), {}
        if name:
            if ("line_item", name) in (await self._objects.seen_by(principal)).entries:
                return go_to(_address(name))
            faults = {"line_item": [f"There is no line item {name[:100]}."]}
        return self._show(request, principal, faults, name=name)

    def _show(
        self, request: Request, principal: Principal, faults: Mapping[str, list[str]], **typed: str
    ) -> Response:
        recent = [self._shown(sample) for sample in self._past.recent(principal, _RECENT)]
        given = dict.fromkeys(("name", *_FORM), "") | typed
        status = 400 if faults else 200
        return page(request, "why.html", "Why?", status, recent=recent, faults=faults, given=given)

    async def _item(self, request: Request) -> Response:
        principal, name = principal_of(request), request.path_params["name"]
        if principal.role is Role.ADVERTISER:
            return _not_open()
        seen = await self._objects.seen_by(principal)
        found = None
        if ("line_item", name) in seen.entries:
            found = await self._past.reasons(principal, name)
        if found is None:
            return message("No such line item", "It is not there, or not yours to see.", 404)
        names = ("Today", "Yesterday")
        return page(
            request,
            "why_item.html",
            f"Why {name} does not serve",
            name=name,
            href=address_of(("line_item", name)),
            zone=found.zone.key,
            never=found.never,
            days=[self._day(word, day) for word, day in zip(names, found.days, strict=False)],
        )

    def _day(self, word: str, day: DayReplayed) -> dict[str, Any]:
        replayed = day.replayed
        return {
            "word": word,
            "date": day.day.isoformat(),
            "page_count": replayed.page_count,
            "served": replayed.served_count / replayed.page_count if replayed.page_count else 0.0,
            "reasons": [self._reason(one, replayed.page_count) for one in replayed.hindrances],
        }

    def _reason(self, one: Hindrance, page_count: int) -> dict[str, Any]:
        return {
            "name": rule_name(one.rule),
            "rule": one.rule,
            "share": one.page_count / page_count,
            "slot": one.slot,
            "sentence": one.sentence,
            "example": self._shown(one.sample),
        }

    async def _page(self, request: Request) -> Response:
        principal = principal_of(request)
        if principal.role is Role.ADVERTISER:
            return _not_open()
        given = {key: request.query_params.get(key, "") for key in (*_FORM, "slot", "item")}
        asked = {key: value.strip() for key, value in given.items() if value.strip()}
        typed = {key: given[key] for key in _FORM}
        try:
            explained = await self._explain(principal, {"limit": str(_LISTED), **asked})
        except InvalidInput as error:
            head = [type(one)("", one.key.partition(".")[0], str(one)) for one in error.faults]
            return self._show(request, principal, by_key(head), **typed)
        except NotTheirs as error:
            return message("Not yours", str(error), 403)
        except Busy as error:
            return message("Busy", str(error), 503)
        zone = explained.site.zone if explained.site else ZoneInfo("UTC")
        seen = await self._objects.seen_by(principal)
        return page(
            request,
            "why_page.html",
            "Why this page",
            context=explained.context,
            at=f"{explained.at.astimezone(zone):%a %Y-%m-%d %H:%M} ({zone.key})",
            currency=explained.site.currency if explained.site else "",
            slots=[_slot(slot, seen.entries) for slot in explained.slots],
            first=_IN_VIEW,
        )

    def _shown(self, sample: Sample) -> PageShown:
        context = sample.context
        facts = (context.section, ", ".join(context.topics), context.device, context.country, context.url)
        text = " · ".join(fact for fact in (context.site, *facts) if fact)
        return PageShown(f"{_WHY}/page?{urlencode(question_of(sample))}", text, ago(sample.at, self._clock()))


def _address(name: str) -> str:
    return f"{_WHY}/{name}"


def _not_open() -> Response:
    return message("This is not open to you", "It is for those who read the reports of a site.", 403)


def _slot(slot: Any, seen: Container[Path]) -> dict[str, Any]:
    """A slot that was explained, with its line items as rows; of `seen` they have a page."""
    rows = [
        {
            "href": address_of(path) if (path := ("line_item", one.line_item)) in seen else "",
            "name": one.line_item,
            "tier": str(one.tier),
            "price": one.price or "",
            "score": _score(one.score),
            "rule": rule_name(one.rule),
            "won": one.rule == "won",
            "sentence": one.sentence,
        }
        for one in slot.line_items
    ]
    return {
        "slot": slot.slot,
        "sentence": slot.sentence,
        "floor": None if slot.floor_micros is None else format_micros(slot.floor_micros),
        "sizes": ", ".join(slot.sizes),
        "rows": [*_bids(slot.bids), *rows],
        "left_off": slot.left_off,
    }


def _bids(bids: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {
            "href": "",
            "name": bid.bid,
            "tier": "header bid",
            "price": f"{format_micros(bid.cpm_micros)} cpm",
            "score": format_micros(bid.cpm_micros),
            "rule": rule_name(bid.rule),
            "won": bid.rule == "won",
            "sentence": bid.sentence,
        }
        for bid in bids
    ]


def _score(score: Any) -> str:
    if score is None:
        return ""
    return "house" if score.score < 0 else amount(score.score)
