"""Texts that try to break out, in every field that takes text: nothing runs, and all reads back unchanged.

One list holds all of them, half in each round, and others some; fields of one text get another one in each.
Every object's form is then saved in the browser as it was shown, which must change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser

from adserver.console.pages import ASSETS
from tests.console.office import Office, office, sign_in
from tests.dashboards.payloads import payloads
from tests.dashboards.test_browser import Visit, chromium, opened
from tests.newsroom import BROWSER

__all__ = ["chromium"]
pytestmark = pytest.mark.browser

ADMIN = "admin@news.example"
ROUNDS = 2
MARK = f"/console/{ASSETS.path('mark.svg')}"
FORMS = (
    "site/daily",
    "slot/daily/article-top",
    "advertiser/himal-bank",
    "campaign/himal-bank/savings",
    "line_item/savings-top",
    "creative/savings-970",
)
SCREENS = ("", "catalog/", "line_items", "line_items/table", "why", "why/savings-top", "history", "users")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("payloads") / "ads.db") as open_office:
        # Here, because a token cannot be made while a browser runs.
        open_office.with_token(ADMIN, "read", "write", "users")
        yield open_office


@pytest.fixture(scope="module")
def base_url(place: Office) -> str:
    return place.url


@pytest.fixture
def visit(chromium: Browser, place: Office) -> Iterator[Visit]:
    with opened(chromium, "light-1280", f"{place.url}/console/") as visit:
        visit.page.on("dialog", lambda dialog: visit.complaints.append(f"dialog: {dialog.message}"))
        sign_in(visit.page, ADMIN)
        yield visit


def texts() -> list[str]:
    """Each once, as long as a field of one text takes them."""
    found = list(dict.fromkeys(text for text in payloads() if 1 <= len(text) <= 200))
    assert len(found) > 10
    return found


def edits_with(some: list[str], many: list[str]) -> list[dict[str, Any]]:
    """Every key that takes any text, set to one of these, or to many."""
    disclosure, few = {"sponsor": some[0], "payer": some[1]}, many[:: len(many) // 100 or 1]
    sets: dict[tuple[str, str], dict[str, Any]] = {
        ("site", "daily"): {"exclude_topics": few, "disclosure_words": {"sponsor": some[2]}},
        ("slot", "daily/article-top"): {"label": some[3]},
        ("advertiser", "himal-bank"): {"disclosure": disclosure},
        ("campaign", "himal-bank/savings"): {"disclosure": disclosure},
        ("line_item", "savings-top"): {
            "labels": many,
            "allow_topics": few,
            "disclosure": disclosure,
            "target": {"topic": few, "not": None, "any": None, "values": {"author": few}},
        },
        ("creative", "savings-970"): {"alt": some[4], "image": MARK, "image_dark": MARK},
    }
    return [
        {"action": "change", "kind": kind, "name": name, "set": keys} for (kind, name), keys in sets.items()
    ]


def test_nothing_runs_and_all_reads_back(visit: Visit, place: Office) -> None:
    api, page, everything = place.clients[0], visit.page, texts()
    step = max(1, len(everything) // (ROUNDS * 6))
    for number in range(ROUNDS):
        some = [everything[(number * 6 + field) * step % len(everything)] for field in range(6)]
        edits = edits_with(some, everything[number::ROUNDS])
        body = {"edits": edits, "note": some[5]}
        answer = api.post("/api/v1/changes", json=body)
        assert answer.status_code == 200, answer.text[:2000]
        for edit in edits:
            told = api.get(f"/api/v1/{edit['kind']}s/{edit['name']}").json()
            for key, value in edit["set"].items():
                inside = isinstance(value, dict)
                got = {inner: told[key].get(inner) for inner in value} if inside else told[key]
                assert got == value, key
        assert api.get("/api/v1/history").json()[0]["note"] == some[5]
        made = api.post(
            "/api/v1/users", json={"email": f"x{number}@y.example", "name": some[0], "role": "admin"}
        )
        assert made.json()["name"] == some[0].strip()
        for form in FORMS:
            page.goto(f"{place.url}/console/catalog/{form}")
            before = api.get("/api/v1/catalog").text
            page.click("main form.wide button.main")
            page.wait_for_url("**saved=1")
            assert api.get("/api/v1/catalog").text == before, form
        visit.check()
    ask_with(place, everything)
    for screen in (*SCREENS, f"history/{api.get('/api/v1/history').json()[0]['version']}"):
        page.goto(f"{place.url}/console/{screen}")
        page.wait_for_load_state("networkidle")
        visit.check()
    page.goto(f"{place.url}/console/why")
    page.click(".lines a")
    visit.check()


def ask_with(place: Office, everything: list[str]) -> None:
    """A page of which everything is such a text."""
    reader = place.visitor()
    reader.headers["user-agent"] = BROWSER
    for text in everything[:40]:
        facts = {"section": text, "topics": [text], "url": text, "values": {"author": text}}
        ask = {"site": "daily", "page": facts, "slots": [{"slot": "article-top"}], "tally": ""}
        reader.post("/v1/fill", json=ask)
