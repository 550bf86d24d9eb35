"""`GET /api/v1/explain` over the real application: what it says is what `/v1/fill` then does."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from pydantic import SecretStr
from starlette.testclient import TestClient

from adserver.app import App
from adserver.clock import system_clock
from adserver.settings import Settings
from tests.newsroom import NOW, PAID, apply_catalog, catalog_of, line_item, server

URL = "/api/v1/explain"
ASK: dict[str, Any] = {"site": "daily", "slots": [{"slot": "top"}, {"slot": "side"}], "tally": ""}
LOCAL = {"host": "127.0.0.1"}
CROWD = catalog_of(
    line_item("half", "sponsorship", "728x90", "300x250", share=0.5),
    line_item("a", "price", "728x90", "300x250", price={"cpm": "2.00"}, labels=["bank"]),
    line_item("b", "price", "728x90", "300x250", price={"cpm": "2.00"}, labels=["bank"]),
    line_item("capped", "price", "728x90", price={"cpm": "3.00"}, caps=[{"impressions": 2, "per": "1d"}]),
    line_item("few", "price", "300x250", price={"cpm": "4.00"}, budget="0.016"),
    line_item("nepal", "price", "300x250", price={"cpm": "5.00"}, target={"country": ["NP"]}),
    line_item("own", "house", "728x90", "300x250"),
    line_item("bare", "house"),
)


def ask(client: TestClient, page: dict[str, Any] | str = ASK, **given: str) -> Any:
    """The answer to a question from this machine."""
    text = page if isinstance(page, str) else json.dumps(page)
    return client.get(URL, params={"page": text, **given}, headers=LOCAL)


def test_what_is_explained_is_what_is_filled_next(tmp_path: Path) -> None:
    bid = {"slot": "side", "bid": "hb-1", "cpm": "3.50", "size": "300x250"}
    names = sorted(item.name for _, _, item in CROWD.line_items())
    with server(tmp_path / "a.db", CROWD) as client:
        tally, winners = "", set()
        for n in range(40):
            page = {**ASK, "tally": tally, "bids": [bid] * (n % 3 == 0)}
            told = ask(client, page).json()["slots"]
            filled = client.post("/v1/fill", json=page).json()
            tally = filled["tally"] if n % 5 else ""
            for explained, fill in zip(told, filled["fills"], strict=True):
                winner = explained["winner"] or {}
                assert winner.get("line_item") == fill.get("line_item")
                assert winner.get("bid") == fill.get("bid")
                assert explained["reason"] == fill.get("reason")
                assert sorted(one["line_item"] for one in explained["line_items"]) == names
                winners.add(fill.get("line_item") or fill.get("bid"))
    assert winners >= {"half", "a", "b", "capped", "few", "hb-1"}


def test_an_answer_has_everything_that_the_console_shows(tmp_path: Path) -> None:
    page = {**ASK, "page": {"section": "world", "topics": ["tea"]}, "theme": "dark"}
    with server(tmp_path / "a.db", clock=lambda: NOW) as client:
        answer = ask(client, page, country="US", device="mobile", slot="top")
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
    (slot,) = body.pop("slots")
    facts: dict[str, Any] = {
        "url": None,
        "section": "world",
        "topics": ["tea"],
        "values": {},
        "country": "US",
    }
    assert body == {
        "catalog": 1,
        "at": "2026-11-24T06:00:00Z",
        "site": "daily",
        "currency": "USD",
        "timezone": "Asia/Kathmandu",
        "page": {**facts, "device": "mobile", "theme": "dark", "tally_kept": True, "network_allowed": True},
    }
    won, other = slot.pop("line_items")
    assert slot == {
        "slot": "top",
        "winner": {"line_item": "paid", "creative": "paid-728x90"},
        "reason": None,
        "sentence": "Goes to paid.",
        "floor": "0.00",
        "sizes": ["970x250", "728x90"],
        "counts": {"won": 1, "size": 1},
        "bids": [],
        "left_off": 0,
    }
    assert won == {
        "line_item": "paid",
        "campaign": "autumn",
        "advertiser": "bank",
        "tier": "price",
        "price": "4.50 cpm",
        "rule": "won",
        "sentence": "Scored 4.50 from its price of 4.50 cpm; nothing that may serve here scored more.",
        "score": {"score": 4.5, "bid": None, "ecpm": 4.5, "rate": None, "multiplier": 1.0},
    }
    assert (other["line_item"], other["rule"], other["score"]) == ("per-click", "size", None)


def test_a_question_changes_nothing(tmp_path: Path) -> None:
    full = catalog_of(line_item("one", "price", "728x90", price={"cpm": "1"}, budget="0.001"))
    with server(tmp_path / "a.db", full) as client:
        for at in ("", "2031-01-01T00:00", "2020-01-01T00:00"):
            for _ in range(3):
                assert ask(client, at=at).json()["slots"][0]["winner"]["line_item"] == "one"
        assert 'outcome="filled"' not in client.get("/metrics").text
        fills = client.post("/v1/fill", json=ASK).json()["fills"]
        assert fills[0]["line_item"] == "one"
        assert ask(client).json()["slots"][0]["reason"] == "used_up"


def test_another_time_is_that_of_the_site_unless_it_has_an_offset(tmp_path: Path) -> None:
    ended = catalog_of(line_item("ended", "house", "728x90", end=NOW))
    with server(tmp_path / "a.db", ended) as client:
        for at, instant, rule in (
            ("2026-11-24T11:44", "2026-11-24T05:59:00Z", "won"),
            ("2026-11-24T11:45", "2026-11-24T06:00:00Z", "ended"),
            ("2026-11-24T05:59:59Z", "2026-11-24T05:59:59Z", "won"),
            ("2026-11-24T11:45:00 05:45", "2026-11-24T06:00:00Z", "ended"),  # "+" that nobody encoded
        ):
            body = ask(client, at=at).json()
            assert (body["at"], body["slots"][0]["line_items"][0]["rule"]) == (instant, rule)


def test_answers_are_bounded(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CROWD, explained_items=3, max_explained_items=5) as client:
        top, side = ask(client).json()["slots"]
        for slot in (top, side):
            assert len(slot["line_items"]) == 3
            assert slot["left_off"] == 5
            assert sum(slot["counts"].values()) == 8
        assert len(ask(client, limit="5").json()["slots"][0]["line_items"]) == 5
        (one,) = ask(client, limit="1", item="bare", slot="side").json()["slots"]
        assert [found["rule"] for found in one["line_items"]] == ["not_approved"]
        assert ask(client, limit="6").status_code == 400


def test_slots_beyond_the_bound_and_names_that_nobody_knows_are_told(tmp_path: Path) -> None:
    page = {**ASK, "slots": [{"slot": "nope"}, {"slot": "top"}, {"slot": "side"}]}
    with server(tmp_path / "a.db", max_slots_per_page=2) as client:
        nope, top, side = ask(client, page).json()["slots"]
        assert nope["reason"] == "unknown_slot"
        assert nope["sentence"] == "Stays empty: site daily has no slot nope."
        assert top["winner"]
        assert side["reason"] == "too_many_slots"
        (top, _) = ask(client, {**ASK, "site": "nowhere"}).json()["slots"]
        assert top["reason"] == "unknown_site"


def test_everything_wrong_with_a_question_is_said_at_once(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        given = {"at": "soon", "item": "payd", "country": "XX", "device": "tv", "limit": "no", "sl": ""}
        answer = ask(client, '{"site": 3}', **given)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["cache-control"] == "no-store"
        body = answer.json()
        assert (body["type"], body["title"], body["status"]) == ("about:blank", "Bad Request", 400)
        assert {fault["key"]: fault["problem"] for fault in body["faults"]} == {
            "sl": "is not known; did you mean 'slot'?",
            "page.site": "Expected `str`, got `int`",
            "item": "'payd' is not a line item of the catalog; did you mean 'paid'?",
            "country": "'XX' is not an ISO 3166-1 alpha-2 code such as \"NP\"",
            "device": "'tv' is not one of desktop, mobile, tablet",
            "at": "'soon' is not a time such as \"2026-11-24T09:00:00+05:45\"",
            "limit": "'no' is not a number from 1 to 5000",
        }


@pytest.mark.parametrize(
    ("page", "given", "key"),
    [
        ("", {}, "page"),
        ("{", {}, "page"),
        ('{"site": "daily", "slots": [{"slot": "top"}, {"slot": 3}]}', {}, "page.slots[1].slot"),
        (json.dumps(ASK), {"slot": "sidd"}, "slot"),
        (json.dumps({**ASK, "site": "x"}), {"at": "2026-11-24T09:00"}, "at"),
        (json.dumps(ASK), {"at": "0001-01-01T00:00"}, "at"),
        (json.dumps({**ASK, "more": "x" * 1000}), {}, "page"),
    ],
)
def test_a_fault_names_its_key(tmp_path: Path, page: str, given: dict[str, str], key: str) -> None:
    with server(tmp_path / "a.db", max_body_bytes=1000) as client:
        answer = ask(client, page, **given)
        assert (answer.status_code, [fault["key"] for fault in answer.json()["faults"]]) == (400, [key])


def test_a_fault_of_ours_is_a_problem_too(tmp_path: Path) -> None:
    with server(tmp_path / "a.db") as client:
        edge: Any = client.app
        edge._edge.parts.steering.decider = None  # the fault: any exception while deciding
        answer = ask(client)
        assert (answer.status_code, answer.json()["title"]) == (500, "Internal Server Error")


def test_only_who_may_see_the_reports_may_ask(tmp_path: Path) -> None:
    apply_catalog(tmp_path / "a.db", PAID)
    with server(tmp_path / "a.db", None) as client:
        refused = client.get(URL, params={"page": json.dumps(ASK)}, headers={"host": "ads.example"})
        assert refused.status_code == 403
        assert refused.headers["content-type"] == "application/problem+json"
        assert "adserver user add" in refused.json()["detail"]
    with server(tmp_path / "a.db", None, reports_password=SecretStr("secret")) as client:
        refused = ask(client)
        assert (refused.status_code, refused.json()["status"]) == (401, 401)
        assert refused.headers["www-authenticate"].startswith("Basic ")
        pair = base64.b64encode(b"ops:secret").decode()
        headers = {"host": "ads.example", "authorization": f"Basic {pair}"}
        assert client.get(URL, params={"page": json.dumps(ASK)}, headers=headers).status_code == 200


def test_more_questions_than_may_wait_are_refused(tmp_path: Path) -> None:
    apply_catalog(tmp_path / "a.db", PAID)
    now = system_clock()
    # While the clock stands, the door looks only once whether there are users, and all ten arrive together.
    app = App(Settings(db=tmp_path / "a.db", max_explanations_waiting=3), clock=lambda: now)

    async def ask_at_once(count: int) -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)
        async with (
            app.running(),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            await client.get(URL)
            asked = (client.get(URL, params={"page": json.dumps(ASK)}) for _ in range(count))
            return await asyncio.gather(*asked)

    answers = asyncio.run(ask_at_once(10))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 7
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert (refused.headers["retry-after"], refused.json()["title"]) == ("1", "Service Unavailable")


def test_a_new_catalog_is_explained_as_soon_as_it_serves(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, catalog_poll_seconds=0.05) as client:
        apply_catalog(path, catalog_of(line_item("new", "house", "728x90")))
        for _ in range(1000):
            body = ask(client).json()
            if body["catalog"] == 2:
                break
        assert [one["line_item"] for one in body["slots"][0]["line_items"]] == ["new"]
