"""Screens when the database cannot be reached, and numbers that are none of ours."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from tests.console.office import office, text_of

ADMIN = "admin@news.example"


def test_what_cannot_be_read_is_a_page_that_says_so(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db") as place:
        browser = place.signed_in(ADMIN)
        assert browser.get("/console/history").status_code == 200
        damage(place.db)
        answer = browser.get("/console/")
        assert answer.status_code == 503
        assert "The database cannot be reached" in text_of(answer.text)
        assert answer.headers["retry-after"] == "1"
        with sqlite3.connect(place.db) as database:
            database.execute("ALTER TABLE proof RENAME TO gone_too")
        assert place.visitor().get("/console/proof/x").status_code == 503


def damage(db: Path) -> None:
    """Take away the table of requests, on which home stands; the door still knows who asks."""
    with sqlite3.connect(db) as database:
        database.execute("ALTER TABLE request_rollup RENAME TO gone")


def test_a_number_that_is_too_long_finds_no_page(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db") as place:
        browser = place.signed_in(ADMIN)
        for digits in (16, 400, 5_000):
            for address in ("history/{}", "history/{}/undo", "history/{}/catalog.toml", "users/{}"):
                answer = browser.get(f"/console/{address.format('9' * digits)}")
                assert answer.status_code == 404, (address, digits)


def test_pages_are_sent_compressed(tmp_path: Path) -> None:
    with office(tmp_path / "ads.db") as place:
        answer = place.signed_in(ADMIN).get("/console/catalog/line_item/savings-top")
        assert answer.headers["content-encoding"] == "gzip"
        assert "savings-top" in answer.text
