"""A template's name and what it shows → an HTML response; Jinja2 escapes everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from adserver.accounts.model import Principal, Role
from adserver.editing.editor import Forbidden
from adserver.errors import Fault, InvalidInput, NotThere
from adserver.web.assets import OWN, Assets
from adserver.web.door import principal_of
from adserver.web.headers import HEADERS

_HERE = Path(__file__).parent
Answer = Callable[[Request], Awaitable[Response]]
ASSETS = Assets([OWN, _HERE / "static", _HERE / "vendor"])
TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(asset=lambda name: f"/console/{ASSETS.path(name)}")


@dataclass(frozen=True, slots=True)
class Place:
    """An entry of the navigation."""

    href: str
    text: str
    current: bool


#: Address and text of what is in the navigation, and who finds it there.
_PLACES: tuple[tuple[str, str, frozenset[Role]], ...] = (
    ("/console/", "Home", frozenset(Role)),
    ("/console/catalog/", "Catalog", frozenset(Role)),
    ("/console/line_items", "Line items", frozenset((Role.ADMIN, Role.AD_OPS, Role.ADVERTISER))),
    ("/console/why", "Why?", frozenset((Role.ADMIN, Role.AD_OPS, Role.PUBLISHER))),
    ("/reports/", "Reports", frozenset(Role)),
    ("/console/history", "History", frozenset((Role.ADMIN, Role.AD_OPS))),
    ("/console/users", "Users", frozenset((Role.ADMIN,))),
)


def places_of(principal: Principal, path: str) -> list[Place]:
    """The navigation for somebody on a page."""
    return [
        Place(href, text, path == href if href == "/console/" else path.startswith(href))
        for href, text, roles in _PLACES
        if principal.role in roles
    ]


def page(request: HTTPConnection, template: str, title: str, status: int = 200, **shown: Any) -> Response:
    """A page behind the door, with the navigation."""
    principal = principal_of(request)
    places = places_of(principal, request.url.path)
    return lone(template, title, status, principal=principal, places=places, **shown)


def lone(template: str, title: str, status: int = 200, **shown: Any) -> Response:
    """A page without navigation."""
    text = TEMPLATES.get_template(template).render(title=title, **shown)
    return HTMLResponse(text, status, HEADERS)


def fragment(template: str, **shown: Any) -> Response:
    """A part of a page, for htmx to put in its place."""
    return HTMLResponse(TEMPLATES.get_template(template).render(**shown), headers=HEADERS)


def message(title: str, sentence: str, status: int) -> Response:
    """A page that says one thing."""
    return lone("message.html", title, status, sentence=sentence)


def not_there() -> Response:
    """What is said of all that is not there, and of what somebody else's is."""
    return message("There is no such page", "It is not there, or not yours to see.", 404)


def only(
    answer: Answer, may: Callable[[Principal], bool], sentence: str, title: str = "This is not open to you"
) -> Answer:
    """The same for those who may; the others are told by a sentence."""

    async def guarded(request: Request) -> Response:
        if may(principal_of(request)):
            return await answer(request)
        return message(title, sentence, 403)

    return guarded


def refusal_of(error: InvalidInput | Forbidden | None) -> int:
    """The status of a page that says why something was not done; None: it says no such thing."""
    if error is None:
        return 200
    if isinstance(error, Forbidden):
        return 403
    return 404 if isinstance(error, NotThere) else 400


def go_to(path: str) -> Response:
    """Show a page after a form was taken: reloading does not send it again (RFC 9110, 15.4.4)."""
    return RedirectResponse(path, 303, HEADERS)


def by_key(faults: Iterable[Fault]) -> Mapping[str, list[str]]:
    """Faults as a form shows them: key → what is wrong with it."""
    found: dict[str, list[str]] = {}
    for fault in faults:
        found.setdefault(fault.key, []).append(f"{fault.problem[:1].upper()}{fault.problem[1:]}.")
    return found
