"""Every endpoint × every role × what is not theirs: refused or not there; and no way in without a rule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tomli_w

from adserver.catalog.model import Catalog
from tests.console.office import PEOPLE, Office, office

#: The tenant that nobody here but the administrator has anything to do with.
FOREIGN = {
    "site": {
        "name": "other",
        "domain": "other.example",
        "timezone": "Asia/Kathmandu",
        "currency": "USD",
        "slot": [{"name": "top", "sizes": ["300x250"]}],
    },
    "advertiser": {
        "name": "foreign",
        "sites": ["other"],
        "campaign": [
            {
                "name": "c",
                "line_item": [
                    {
                        "name": "foreign-item",
                        "tier": "house",
                        "target": {"site": ["other"]},
                        "creative": [
                            {
                                "name": "foreign-creative",
                                "kind": "image",
                                "size": "300x250",
                                "image": "https://cdn.example/x.png",
                                "alt": "x",
                                "click": "https://x.example/",
                            }
                        ],
                    }
                ],
            }
        ],
    },
}
OWN = {
    "name": "daily",
    "domain": "news.example",
    "timezone": "Asia/Kathmandu",
    "currency": "USD",
    "slot": [{"name": "article-top", "sizes": ["300x250"]}],
}
NAMES = {
    "sites": "other",
    "slots": "other/top",
    "advertisers": "foreign",
    "campaigns": "foreign/c",
    "line_items": "foreign-item",
    "creatives": "foreign-creative",
}
ROLES = [email for email in PEOPLE if email != "admin@news.example"]


def catalog() -> Catalog:
    """The sample of one tenant, and another tenant."""
    advertisers = [{"name": "himal-bank", "sites": ["daily"]}, FOREIGN["advertiser"]]
    return Catalog.model_validate({"site": [OWN, FOREIGN["site"]], "advertiser": advertisers})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("rights") / "ads.db", catalog=catalog()) as open_office:
        change = open_office.with_token("admin@news.example", "write")
        assert change.patch("/api/v1/line_items/foreign-item", json={"paused": True}).json()["version"] == 2
        yield open_office


def endpoints(place: Office) -> list[tuple[str, str]]:
    """Method and path of everything that the API describes."""
    document = place.with_token("admin@news.example", "read").get("/api/v1/openapi.json").json()
    return [(method, path) for path, methods in document["paths"].items() for method in methods]


def bodies(method: str, path: str) -> list[dict[str, Any] | None]:
    """Bodies that reach for the foreign tenant."""
    collection = path.split("/")[1]
    if method == "patch" and "{name}" in path:
        return [{}, {"name": NAMES[collection].rpartition("/")[2]}, {"paused": True}]
    if (method, path) == ("post", "/changes"):
        kind = {"action": "archive", "kind": "advertiser", "name": "foreign"}
        add = {"action": "add", "kind": "campaign", "name": "foreign/more"}
        return [{"edits": [kind]}, {"edits": [add]}]
    if (method, path) == ("post", "/proofs"):
        return [{"kind": "line_item", "name": "foreign-item"}, {"kind": "campaign", "name": "foreign/c"}]
    if (method, path) == ("post", "/copy"):
        return [{"kind": "advertiser", "name": "foreign", "to": "mine"}]
    parents = {"slots": "site", "campaigns": "advertiser", "line_items": "campaign", "creatives": "line_item"}
    if method == "post" and collection in parents:
        above = {
            "slots": "other",
            "campaigns": "foreign",
            "line_items": "foreign/c",
            "creatives": "foreign-item",
        }
        return [{"name": "x", parents[collection]: above[collection], "tier": "house"}]
    if method == "post" and collection in NAMES:
        return [{"name": "x"}]
    if (method, path) == ("post", "/users"):
        return [{"email": "x@y.example", "role": "admin"}]
    if (method, path) == ("patch", "/users/{user_id}"):
        return [{"disabled": True}]
    if method == "put":
        taken = {"name": "foreign", "sites": ["daily"]}
        return [{"site": [OWN], "advertiser": [{"name": "himal-bank", "sites": ["daily"]}, taken]}]
    return [{}] if method == "post" else [None]


@pytest.mark.parametrize("email", ROLES)
def test_no_endpoint_shows_or_changes_what_is_another_tenants(place: Office, email: str) -> None:
    before = place.with_token("admin@news.example", "read").get("/api/v1/catalog").text
    client = place.with_token(email, "read", "write")
    tried = 0
    for method, path in endpoints(place):
        collection = path.split("/")[1]
        filled = path.replace("{name}", NAMES.get(collection, "x")).replace("{user_id}", "1")
        filled = filled.replace("{token_id}", "1").replace("{version}", "2").replace("{proof_id}", "1")
        for body in bodies(method, path):
            file = tomli_w.dumps(body) if method == "put" and body else None
            if path == "/line_items.csv" and method == "post":
                file = "line_item,paused\nforeign-item,no\n"
            answer = client.request(method, f"/api/v1{filled}", json=None if file else body, content=file)
            tried += 1
            if "{name}" in path or path.startswith("/users"):
                assert answer.status_code in (403, 404), (method, filled, answer.status_code)
            elif method == "get":
                assert "foreign-item" not in answer.text and "other.example" not in answer.text, (
                    method,
                    filled,
                )
            elif method in ("post", "put", "patch", "delete") and path != "/tokens":
                assert answer.status_code in (403, 404), (method, filled, answer.status_code)
    assert tried > 30
    assert place.with_token("admin@news.example", "read").get("/api/v1/catalog").text == before


@pytest.mark.parametrize("email", ROLES)
def test_reports_and_explanations_of_another_site_are_not_theirs(place: Office, email: str) -> None:
    client = place.with_token(email, "read", "reports")
    forms = (
        "",
        "revenue.json",
        "slots.csv",
        "breakdown.json",
        "breakdown.csv",
        "reach",
        "reach.json",
        "reach.csv",
        "campaigns.json",
        "delivery.json",
        "hours.csv",
        "reasons",
        "reasons.json",
        "advertiser",
        "advertiser.json",
        "advertiser.csv",
    )
    for form in forms:
        assert client.get(f"/reports/{form}", params={"site": "other"}).status_code in (303, 400, 403)
    page = '{"site": "other", "slots": [{"slot": "top"}]}'
    assert client.get("/api/v1/explain", params={"page": page}).status_code == 403


def test_without_a_token_every_endpoint_is_closed(place: Office) -> None:
    visitor = place.visitor()
    for method, path in endpoints(place):
        assert visitor.request(method, f"/api/v1{path}").status_code == 401, path
    assert visitor.get("/api/v1/openapi.json").status_code == 401


def test_a_token_to_read_changes_nothing(place: Office) -> None:
    reader = place.with_token("admin@news.example", "read")
    changing = [(method, path) for method, path in endpoints(place) if method != "get"]
    assert len(changing) > 15
    for method, path in changing:
        assert reader.request(method, f"/api/v1{path}", json={}).status_code == 403, (method, path)
