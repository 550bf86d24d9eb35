"""Every screen × every role × what is another tenant's: refused, not there, or without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from starlette.routing import Mount, Route

from adserver.clock import system_clock
from adserver.console.routes import Office as Parts
from adserver.console.routes import routes
from adserver.settings import Settings
from tests.api.test_rights import NAMES, ROLES, catalog
from tests.console.office import Office, office
from tests.newsroom import BROWSER

ADMIN = "admin@news.example"
KINDS = {name.removesuffix("s"): full for name, full in NAMES.items()}
#: One's own, or open to everybody with a secret: there is no foreign id to try.
OWN = (
    "/account",
    "/sign-",
    "/forgotten",
    "/password/",
    "/proof/",
    "/static/",
    "/preview",
    "/catalog/estimate",
)
FILLED = {
    "{version:number}": "2",
    "{user:number}": "1",
    "{proof:number}": "1",
    "{site}": "other",
    "{slot}": "top",
}
FORMS: dict[str, list[dict[str, str]]] = {
    "/line_items/apply": [{"sheet": "line_item,paused\nforeign-item,no\n"}],
    "/line_items/import": [{"text": "line_item,paused\nforeign-item,no\n"}],
    "/line_items/table": [{"line_item": "foreign-item", "paused-0": "no", "in": "0"}],
    "/proofs": [
        {"kind": "line_item", "of": "foreign-item", "days": "7"},
        {"kind": "campaign", "of": "foreign/c"},
    ],
    "/users/new": [{"email": "x@y.example", "role": "admin"}],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("rights") / "ads.db", catalog=catalog()) as open_office:
        api = open_office.with_token(ADMIN, "write")
        assert api.patch("/api/v1/line_items/foreign-item", json={"paused": True}).json()["version"] == 2
        made = api.post("/api/v1/proofs", json={"kind": "line_item", "name": "foreign-item"})
        assert made.json()["id"] == 1
        reader = open_office.visitor()
        reader.headers["user-agent"] = BROWSER
        reader.post("/v1/fill", json={"site": "other", "slots": [{"slot": "top"}], "tally": ""})
        yield open_office


def patterns() -> list[tuple[str, str]]:
    """Method and pattern of everything below /console."""
    nothing = cast(Any, None)
    parts = Parts(*[nothing] * len(Parts.__dataclass_fields__))
    return list(_flat(routes(parts, system_clock, Settings())))


def screens() -> list[tuple[str, str]]:
    """The same with what is another tenant's in its place."""
    cells = []
    for method, path in patterns():
        if path.startswith(OWN):
            continue
        for name, value in FILLED.items():
            path = path.replace(name, value)
        if "{kind}" in path:
            both = [path.replace("{kind}", kind).replace("{name:path}", full) for kind, full in KINDS.items()]
            cells += [(method, one) for one in both]
        else:
            cells.append((method, path.replace("{name}", "foreign-item")))
    return cells


def _flat(found: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    for route in found:
        if isinstance(route, Mount):
            below = "" if route.path == "/console" else route.path
            yield from _flat(route.routes, prefix + below)
        elif isinstance(route, Route):
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield method, prefix + route.path


def forms_for(path: str) -> list[dict[str, str]]:
    """What a POST sends, to reach for the other tenant."""
    if path.startswith("/catalog/new/"):
        above = {"slot": "other", "campaign": "foreign", "line_item": "foreign/c", "creative": "foreign-item"}
        return [{"name": "x", "in": above.get(path.rpartition("/")[2], ""), "tier": "house"}]
    if path.startswith("/catalog/"):
        return [{"paused": "", "tier": "house"}, {"archive": "yes"}]
    return FORMS.get(path, [{}])


@pytest.mark.parametrize("email", ROLES)
def test_no_screen_shows_or_changes_what_is_another_tenants(place: Office, email: str) -> None:
    before = place.with_token(ADMIN, "read").get("/api/v1/catalog").text
    browser, tried = place.signed_in(email), 0
    for method, path in screens():
        for form in forms_for(path) if method == "POST" else [{}]:
            answer = browser.request(method, f"/console{path}", data=form or None)
            tried += 1
            cell = (method, path, answer.status_code)
            if method == "POST":
                assert answer.status_code in (403, 404), (*cell, form)
            else:
                assert answer.status_code in (200, 400, 403, 404), cell
                assert "foreign-item" not in answer.text and "other.example" not in answer.text, cell
            # A catalog of the past is theirs to have, without what is not theirs in it.
            named = any(part in path for part in ("foreign", "other", "/users", "/history/2"))
            if named and method == "GET" and not path.endswith(".toml"):
                assert answer.status_code in (403, 404), cell
    assert tried > 50
    assert place.with_token(ADMIN, "read").get("/api/v1/catalog").text == before
    (link,) = (
        place.with_token(ADMIN, "read").get("/api/v1/proofs?kind=line_item&name=foreign-item").json()["links"]
    )
    assert link["id"] == 1
