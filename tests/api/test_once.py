"""Requests that are sent again with their key are done once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.console.office import Office, office

ADMIN, OPS = "admin@news.example", "ops@news.example"
HOUSE = {"name": "extra", "campaign": "himal-bank/savings", "tier": "house", "target": {"site": ["daily"]}}


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("once") / "ads.db") as open_office:
        yield open_office


def keyed(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


def test_the_first_answer_is_given_again_and_nothing_is_done_twice(place: Office) -> None:
    api = place.with_token(OPS, "read", "write")
    first = api.post("/api/v1/line_items", json=HOUSE, headers=keyed("a"))
    again = api.post("/api/v1/line_items", json=HOUSE, headers=keyed("a"))
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true" and "idempotency-replayed" not in first.headers
    assert api.post("/api/v1/line_items", json=HOUSE).status_code == 422
    assert api.delete("/api/v1/line_items/extra", headers=keyed("b")).status_code == 204
    assert api.delete("/api/v1/line_items/extra", headers=keyed("b")).status_code == 204
    assert len(api.get("/api/v1/history").json()) == 3


def test_a_refusal_is_given_again_too(place: Office) -> None:
    api = place.with_token(OPS, "read", "write")
    wrong = [api.post("/api/v1/line_items", json={"name": "x"}, headers=keyed("a")) for _ in range(2)]
    assert [answer.status_code for answer in wrong] == [422, 422]
    assert wrong[0].json() == wrong[1].json()
    assert wrong[1].headers["content-type"] == "application/problem+json"


def test_another_request_with_the_key_is_refused_and_keys_are_each_users_own(place: Office) -> None:
    ops, admin = place.with_token(OPS, "write"), place.with_token(ADMIN, "write")
    change = {"paused": True}
    assert ops.patch("/api/v1/line_items/savings-top", json=change, headers=keyed("a")).status_code == 200
    other = ops.patch("/api/v1/line_items/savings-top", json={"paused": False}, headers=keyed("a"))
    assert other.status_code == 422 and "another request" in other.json()["detail"]
    assert (
        admin.patch("/api/v1/line_items/savings-top", json={"paused": False}, headers=keyed("a")).status_code
        == 200
    )
    for key in ("", "x" * 201):
        assert ops.patch("/api/v1/line_items/savings-top", json={}, headers=keyed(key)).status_code == 422


def test_requests_side_by_side_are_done_once(place: Office) -> None:
    api = place.with_token(OPS, "read", "write")
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda _: api.post("/api/v1/line_items", json=HOUSE, headers=keyed("a")), range(8))
        )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert sum("idempotency-replayed" not in a.headers and a.status_code == 201 for a in answers) == 1
    assert len(api.get("/api/v1/history").json()) == 2


def test_what_was_cut_off_is_not_done_again(place: Office) -> None:
    api = place.with_token(OPS, "read", "write")
    api.patch("/api/v1/line_items/savings-top", json={"paused": True}, headers=keyed("a"))
    with sqlite3.connect(place.db) as database:
        database.execute("UPDATE api_answer SET status = NULL")
    again = api.patch("/api/v1/line_items/savings-top", json={"paused": True}, headers=keyed("a"))
    assert again.status_code == 409 and "cut off" in again.json()["detail"]


def test_no_secret_is_kept(place: Office) -> None:
    api = place.with_token(ADMIN, "read", "write")
    asked = {"name": "n", "scopes": ["read"], "days": 1}
    made = api.post("/api/v1/tokens", json=asked, headers=keyed("a"))
    assert made.status_code == 201
    again = api.post("/api/v1/tokens", json=asked, headers=keyed("a"))
    assert again.status_code == 409 and "told once" in again.json()["detail"]
    with sqlite3.connect(place.db) as database:
        rows = str(database.execute("SELECT * FROM api_answer").fetchall())
    assert made.json()["token"] not in rows
