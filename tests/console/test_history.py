"""The history in the console, over a real server: what is shown of whom, and what undoing does."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from pathlib import Path as File

import pytest

from adserver.accounts.model import Principal, Role
from adserver.catalog.file import parse
from adserver.catalog.plan import Path, flatten
from adserver.clock import system_clock
from adserver.console.words import ago
from adserver.editing.editor import Editor
from adserver.editing.edits import Edit
from adserver.engines.sql import sqlite_url
from tests.console.office import SAMPLE, Office, office, text_of
from tests.dashboards.payloads import payloads

ADMIN, OPS = "admin@news.example", "ops@news.example"
AUTHOR = Principal(1, ADMIN, "Admin", Role.ADMIN)
ITEM: Path = ("line_item", "savings-top")
OWN_MARKS = set(
    "main div section nav h1 h2 p a ul li ol form input label button code del ins span time strong".split()
)


@pytest.fixture
def place(tmp_path: File) -> Iterator[Office]:
    with office(tmp_path / "ads.db") as open_office:
        yield open_office


def edit(place: Office, *edits: Edit, note: str = "") -> int:
    editor = Editor(sqlite_url(place.db), system_clock)
    return asyncio.run(editor.edit(AUTHOR, edits, note=note)).version


def shown(text: str) -> str:
    """Text as Jinja2 writes it into a page."""
    return escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def words(html: str) -> str:
    return unescape(text_of(html))


def test_the_list_says_who_when_why_and_what(place: Office) -> None:
    edit(place, Edit("change", ITEM, {"price": {"cpm": "5.25"}, "paused": True}), note="autumn prices")
    page = place.signed_in(ADMIN).get("/console/history").text
    said = words(page)
    assert re.search(r"Version 2 admin@news\.example · \d{4}-\d\d-\d\d \d\d:\d\d UTC · just now", said)
    assert "autumn prices" in said
    assert "line_item savings-top" in said
    assert 'price.cpm : "4.50" → "5.25"' in said
    assert "paused : not set → true" in said
    assert page.index("Version 2") < page.index("Version 1")


def test_older_versions_are_on_further_pages(place: Office) -> None:
    for number in range(30):
        edit(place, Edit("change", ITEM, {"paused": number % 2 == 0}))
    browser = place.signed_in(ADMIN)
    seen: list[int] = []
    address = "/console/history"
    while address:
        page = browser.get(address).text
        seen += [int(number) for number in re.findall(r'id="version-(\d+)"', page)]
        found = re.search(r'rel="next" href="([^"]+)"', page)
        address = unescape(found[1]) if found else ""
    assert seen == list(range(31, 0, -1))


def test_undo_shows_what_it_would_change_and_then_does_it(place: Office) -> None:
    edit(place, Edit("change", ITEM, {"price": {"cpm": "5.25"}}))
    edit(place, Edit("change", ("site", "daily"), {"exclude_topics": []}))
    browser = place.signed_in(OPS)
    asked = browser.get("/console/history/2/undo")
    assert asked.status_code == 200
    assert 'price.cpm : "5.25" → "4.50"' in words(asked.text)
    assert browser.get("/console/history/4").status_code == 404  # a look changes nothing
    done = browser.post("/console/history/2/undo")
    assert (done.status_code, done.headers["location"]) == (303, "/console/history/4?undone=1")
    shown = words(browser.get(done.headers["location"]).text)
    assert OPS in shown
    assert "undo of version 2" in shown
    kept = flatten(parse(browser.get("/console/history/4/catalog.toml").text, "answer"))
    assert kept[ITEM] == flatten(SAMPLE)[ITEM]
    assert (
        "exclude_topics" not in kept["site", "daily"].body or not kept["site", "daily"].body["exclude_topics"]
    )


def test_what_changed_again_since_is_a_conflict_that_says_where(place: Office) -> None:
    edit(place, Edit("change", ITEM, {"paused": True}))
    edit(place, Edit("change", ITEM, {"labels": ["bank", "loan"]}))
    browser = place.signed_in(ADMIN)
    for answer in (browser.get("/console/history/2/undo"), browser.post("/console/history/2/undo")):
        assert answer.status_code == 409
        said = words(answer.text)
        assert "cannot be undone as it is: what it changed has changed again since" in said
        assert "line_item savings-top : last changed by version 3" in said
    assert browser.get("/console/history/4").status_code == 404


def test_the_catalog_of_a_version_and_of_a_moment(place: Office) -> None:
    edit(place, Edit("archive", ("advertiser", "himal-bank")))
    browser = place.signed_in(ADMIN)
    old = browser.get("/console/history/1/catalog.toml")
    assert old.headers["content-disposition"] == 'attachment; filename="catalog-1.toml"'
    assert parse(old.text, "answer") == SAMPLE
    assert "advertiser" not in tomllib.loads(browser.get("/console/history/2/catalog.toml").text)
    assert browser.get("/console/history/3/catalog.toml").status_code == 404
    now = datetime.now(UTC)
    past, coming = (now + timedelta(hours=hours) for hours in (-100_000, 1))
    there = browser.get(f"/console/history?until={coming:%Y-%m-%dT%H:%M}").text
    assert "/console/history/2/catalog.toml" in there
    assert "There is nothing here" in browser.get(f"/console/history?until={past:%Y-%m-%dT%H:%M}").text
    assert "is not a date and time" in browser.get("/console/history?until=yesterday").text


def test_everybody_sees_their_own_changes_only(place: Office) -> None:
    edit(place, Edit("add", ("advertiser", "telecom"), {}))
    ops = place.signed_in(OPS)
    assert "telecom" not in ops.get("/console/history").text
    for path in ("/console/history/2", "/console/history/2/undo"):
        assert ops.get(path).status_code == 404
    assert ops.post("/console/history/2/undo").status_code == 404
    assert "telecom" not in ops.get("/console/history/2/catalog.toml").text
    for email in ("boss@news.example", "bank@bank.example"):
        browser = place.signed_in(email)
        assert browser.get("/console/history").status_code == 403
        assert browser.post("/console/history/1/undo").status_code == 404
        assert 'href="/console/history"' not in browser.get("/console/").text
    assert place.signed_in(ADMIN).get("/console/history/2/undo").status_code == 200


def test_the_history_of_one_object(place: Office) -> None:
    edit(place, Edit("change", ("site", "daily"), {"exclude_topics": []}))
    edit(place, Edit("change", ITEM, {"paused": True}))
    page = place.signed_in(ADMIN).get("/console/history?of=line_item/savings-top").text
    assert re.findall(r'id="version-(\d+)"', page) == ["3", "1"]
    assert "History of line_item savings-top" in page


def test_nothing_that_was_typed_is_more_than_text(place: Office) -> None:
    texts = payloads()
    values = {f"k{number}": [text] for number, text in enumerate(texts[:40])}
    version = edit(place, Edit("change", ITEM, {"target": {"values": values}}), note="\n".join(texts))
    browser = place.signed_in(ADMIN)
    for path in ("/console/history", f"/console/history/{version}", f"/console/history/{version}/undo"):
        page = browser.get(path).text
        inner = page.partition("<main")[2]
        # Every mark in it is one of the template's own.
        assert set(re.findall(r"<(\w+)", inner)) <= OWN_MARKS, path
        assert all(shown(text) in page for text in texts), path
    kept = parse(browser.get(f"/console/history/{version}/catalog.toml").text, "answer")
    assert flatten(kept)[ITEM].body["target"]["values"] == {"author": ["x"], **values}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (5, "just now"),
        (60, "1 minute ago"),
        (7300, "2 hours ago"),
        (86_400 * 3, "3 days ago"),
        (86_400 * 70, ""),
    ],
)
def test_how_long_ago_is_told_in_one_unit(seconds: int, said: str) -> None:
    now = datetime(2026, 11, 25, 9, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == said
