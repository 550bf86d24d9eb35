"""Pictures and links of newsletters, feeds and pages without script: they belong together and count."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from starlette.testclient import TestClient

from adserver.catalog.model import Catalog
from adserver.decision.facts import BROWSER, BROWSERS, DEVICE, DEVICES, THEME, THEMES, of, size_of
from adserver.measurement.event import Validity
from tests.newsroom import NOW, apply_catalog, catalog_of, image, line_item, rows, server
from tests.serving.test_frame import html_item
from tests.serving.test_invalid_traffic import rebuilt

LETTER = "/v1/newsletter/daily/side/2026-11-24"
EVENTS = "SELECT kind, validity, revenue_micros * (validity = 0) FROM event ORDER BY fill, kind"
REQUESTS = "SELECT outcome, sum(request_count) FROM request_rollup GROUP BY outcome ORDER BY 1"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


def sold(*names: str, **keys: object) -> Catalog:
    """Line items that each pay for impressions in `side`."""
    return catalog_of(*(line_item(name, "price", "300x250", price={"cpm": "2.00"}, **keys) for name in names))


def seen(client: TestClient, place: str = LETTER, **headers: str) -> str:
    """Whose picture an address leads to."""
    answer = client.get(f"{place}.png", headers=headers)
    assert answer.status_code == 302
    assert answer.headers["cache-control"].startswith("no-store")
    return answer.headers["location"].rpartition("/")[2].removesuffix(".png")


def led_to(client: TestClient, place: str = LETTER, **headers: str) -> str:
    """Whose page a link leads to."""
    answer = client.get(f"{place}/click", headers=headers)
    assert (answer.status_code, answer.headers["cache-control"]) == (302, "no-store, max-age=0")
    return answer.headers["location"].rpartition("/")[2]


@pytest.mark.parametrize("prefix", ["newsletter", "rss", "frame"])
def test_picture_and_link_stay_together_whatever_becomes_of_the_catalog(tmp_path: Path, prefix: str) -> None:
    place, db = f"/v1/{prefix}/daily/side/x", tmp_path / "a.db"
    with server(db, sold("one", "two", "three")) as client:
        first = seen(client, place)
        assert {seen(client, place) for _ in range(10)} == {first}
        assert led_to(client, place) == first
    apply_catalog(db, sold("four"))
    with server(db, None) as client:
        assert (seen(client, place), led_to(client, place)) == (first, first)
        assert seen(client, f"{place}-2") == "four-300x250"


def test_a_link_that_is_fetched_first_locks_as_well(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one", "two", "three")) as client:
        first = led_to(client)
        assert {seen(client) for _ in range(5)} == {first}
        issues = [f"/v1/newsletter/daily/side/{number}" for number in range(20)]
        assert len({seen(client, issue) for issue in issues}) == 3, "other issues may have others"
    assert rebuilt(tmp_path / "a.db")


def test_opens_and_clicks_count_and_a_click_needs_no_picture_before_it(tmp_path: Path) -> None:
    item = line_item("one", "price", "300x250", price={"cpc": "0.25"})
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        led_to(client)
        for _ in range(3):
            seen(client)
    assert sorted(rows(tmp_path / "a.db", EVENTS)) == [(1, 0, 0)] * 3 + [(4, 0, 250_000)]
    assert rows(tmp_path / "a.db", REQUESTS) == [("filled", 3)]
    ((size, facts),) = rows(tmp_path / "a.db", "SELECT DISTINCT size, facts & (3 << 10) FROM event")
    assert (size_of(size), THEMES[of(THEME, facts)]) == ("300x250", "outside")
    assert rebuilt(tmp_path / "a.db")


def test_a_page_cannot_have_what_newsletters_are_spared(tmp_path: Path) -> None:
    ask = {"site": "daily", "slots": [{"slot": "side"}], "theme": "outside"}
    with server(tmp_path / "a.db", sold("one")) as client:
        (fill,) = client.post("/v1/fill", json=ask).json()["fills"]
        client.get(fill["creative"]["click"])
    assert rows(tmp_path / "a.db", EVENTS) == [(4, Validity.NO_IMPRESSION, 0)]


@pytest.mark.parametrize(
    ("agent", "browser", "device"),
    [
        (GMAIL, "gmail_proxy", None),
        ("Mozilla/5.0", "apple_mail_proxy", None),
        (
            "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
            "yahoo_mail_proxy",
            None,
        ),
        (
            "Mozilla/5.0 (compatible; YandexImageResizer/2.0; +http://yandex.com/bots)",
            "yandex_mail_proxy",
            None,
        ),
        ("Mozilla/4.0 (compatible; ms-office; MSOffice 16)", "outlook", None),
        ("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.12026; Pro)", "outlook", "desktop"),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
            "apple_mail",
            "desktop",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; rv:115.0) Gecko/20100101 Thunderbird/115.6.0",
            "thunderbird",
            "desktop",
        ),
    ],
)
def test_opens_through_mail_programs_and_their_proxies_are_named_and_counted(
    tmp_path: Path, agent: str, browser: str, device: str | None
) -> None:
    ranges = tmp_path / "ranges.txt"
    ranges.write_text("203.0.113.0/24\n")
    proxy: dict[str, Any] = {
        "address": "203.0.113.9",
        "datacentre_file": ranges,
        "country_header": "x-country",
    }
    found = Validity.VALID if browser.endswith("_proxy") else Validity.DATACENTRE
    with server(tmp_path / "a.db", sold("one"), **proxy) as client:
        seen(client, **{"user-agent": agent, "x-country": "US"})
    ((facts, validity),) = rows(tmp_path / "a.db", "SELECT facts, validity FROM event")
    assert (BROWSERS[of(BROWSER, facts)], DEVICES[of(DEVICE, facts)], validity) == (browser, device, found)


def test_what_is_no_mail_program_is_judged_as_everywhere(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one")) as client:
        seen(client, **{"user-agent": "Googlebot/2.1"})
        assert client.head(f"{LETTER}.png").status_code == 302
    assert rows(tmp_path / "a.db", EVENTS) == [(1, Validity.BOT, 0)]
    assert rows(tmp_path / "a.db", REQUESTS) == [("invalid.bot", 1)]


def moving() -> tuple[Callable[[], datetime], Callable[[timedelta], None]]:
    """A clock and how to move it."""
    at = [NOW]

    def move(by: timedelta) -> None:
        at[0] += by

    return lambda: at[0], move


@pytest.mark.parametrize("after", [timedelta(days=8), timedelta(days=31)])
def test_what_is_opened_after_the_flight_or_a_month_is_shown_and_not_billed(
    tmp_path: Path, after: timedelta
) -> None:
    end = {"end": NOW + timedelta(days=7)} if after.days < 30 else {}
    clock, move = moving()
    with server(tmp_path / "a.db", sold("one", **end), clock=clock) as client:
        seen(client)
        move(after)
        assert (seen(client), led_to(client)) == ("one-300x250", "one-300x250")
    assert rows(tmp_path / "a.db", EVENTS) == [(1, 0, 2000), (1, Validity.LATE, 0), (4, Validity.LATE, 0)]


def test_no_goal_is_exceeded_by_opens(tmp_path: Path) -> None:
    item = line_item("one", "price", "300x250", price={"cpm": "1000.00"}, budget="3.00")
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        assert {seen(client) for _ in range(5)} == {"one-300x250"}
    assert rows(tmp_path / "a.db", EVENTS) == [(1, 0, 1_000_000)] * 3 + [(1, Validity.OVER_GOAL, 0)] * 2


def test_places_of_one_issue_hold_different_ads_and_only_pictures(tmp_path: Path) -> None:
    items = [line_item(name, "price", "300x250", price={"cpm": "2.00"}) for name in ("one", "two")]
    html = catalog_of(*items, html_item())
    with server(tmp_path / "a.db", html) as client:
        assert {seen(client), seen(client, f"{LETTER}/2")} == {"one-300x250", "two-300x250"}
        answer = client.get(f"{LETTER}/3.png")
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert client.get(f"{LETTER}/3/click").headers["location"] == "https://news.example/"
    assert ("no_eligible", 1) in rows(tmp_path / "a.db", REQUESTS)


def test_what_is_empty_is_not_locked(tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    with server(db, catalog_of()) as client:
        assert client.get(f"{LETTER}.png").headers["content-type"] == "image/gif"
    apply_catalog(db, sold("one"))
    with server(db, None) as client:
        assert seen(client) == "one-300x250"


def test_the_dark_variant_is_another_address_of_the_same_creative(tmp_path: Path) -> None:
    drawn = image("one", "300x250", image="/light.png", image_dark="/dark.png")
    item: dict[str, Any] = {"name": "one", "tier": "house", "creative": [drawn]}
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        light, dark = (
            client.get(f"{LETTER}.png{query}").headers["location"] for query in ("", "?theme=dark")
        )
        assert (light, dark) == ("http://testserver/light.png", "http://testserver/dark.png")
        pasted = client.get(f"{LETTER}.html").text
        assert f'src="http://testserver{LETTER}.png"' in pasted
        assert f'href="http://testserver{LETTER}/click"' in pasted
        assert f'srcset="http://testserver{LETTER}.png?theme=dark"' in pasted
        assert ">Advertisement<" in pasted


def test_what_is_pasted_counts_nothing_and_is_locked(tmp_path: Path) -> None:
    entry = "/v1/rss/daily/side/brick-kilns"
    with server(tmp_path / "a.db", sold("one", "two", "three")) as client:
        text = client.get(f"{entry}.xml").text
        item = ElementTree.fromstring(text)  # noqa: S314  (our own)
        (shown,) = re.findall(r'alt="([^"]+)"', item.findtext("description") or "")
        assert item.findtext("title") == f"Advertisement: {shown}"
        assert item.findtext("link") == f"http://testserver{entry}/click"
        assert rows(tmp_path / "a.db", EVENTS) == []
        assert seen(client, entry) == led_to(client, entry) == shown


def test_what_is_pasted_says_who_is_behind_the_ad(tmp_path: Path) -> None:
    told = {"sponsor": "Green List", "political": True, "notice": "https://green.example/notice"}
    with server(tmp_path / "a.db", sold("one", disclosure=told)) as client:
        pasted = client.get(f"{LETTER}.html").text
        entry = ElementTree.fromstring(client.get(f"{LETTER}.xml").text)  # noqa: S314  (our own)
    assert ">Political advertisement · " in pasted and "<b>Green List</b>" in pasted
    assert '<a href="https://green.example/notice"' in pasted
    assert entry.findtext("category") == "Political advertisement"


def test_names_in_what_is_pasted_are_text(tmp_path: Path) -> None:
    hostile = '"><script>alert(1)</script>]]>'
    item: dict[str, Any] = {
        "name": "one",
        "tier": "house",
        "creative": [image("one", "300x250", alt=hostile)],
    }
    with server(tmp_path / "a.db", catalog_of(item)) as client:
        assert "<script" not in client.get(f"{LETTER}.html").text
        entry = ElementTree.fromstring(client.get(f"{LETTER}.xml").text)  # noqa: S314  (our own)
        assert "<script" not in (entry.findtext("description") or "")


@pytest.mark.parametrize(
    "place",
    [
        "nobody/side/1",
        "daily/nowhere/1",
        "daily/side/%20",
        "daily/side/..",
        "daily/side/" + "x" * 200,
        "daily/side/1/0",
        "daily/side/1/100",
        "daily/side/1/" + "9" * 5000,
        "daily/side/%3Cscript%3E",
    ],
)
def test_what_is_no_place_is_not_found(tmp_path: Path, place: str) -> None:
    with server(tmp_path / "a.db", sold("one")) as client:
        for end in (".png", "/click", ".html", ".xml"):
            assert client.get(f"/v1/newsletter/{place}{end}").status_code == 404
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM issue_lock") == [(0,)]


def test_so_many_places_and_no_more_are_locked_by_requests_in_a_day(tmp_path: Path) -> None:
    clock, move = moving()
    with server(tmp_path / "a.db", sold("one"), max_locks_per_day=2, clock=clock) as client:
        answers = [client.get(f"/v1/rss/daily/side/{number}.png").status_code for number in range(4)]
        assert answers == [302, 302, 200, 200]
        assert client.get("/v1/rss/daily/side/1.png").status_code == 302
        move(timedelta(days=1, seconds=1))
        assert client.get("/v1/rss/daily/side/2.png").status_code == 302
    assert ("too_many_slots", 2) in rows(tmp_path / "a.db", REQUESTS)


def test_two_who_lock_at_once_get_the_same(tmp_path: Path) -> None:
    """Two servers on one file, of which each would choose for itself."""
    db = tmp_path / "a.db"
    catalog = sold(*(f"item-{number}" for number in range(9)))
    with server(db, catalog) as one, server(db, None) as other:
        for number in range(6):
            issue = f"/v1/newsletter/daily/side/{number}"
            assert seen(one, issue) == seen(other, issue) == led_to(one, issue)


def test_a_database_that_cannot_be_read_breaks_no_mail(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", sold("one")) as client:
        app: Any = client.app
        app._edge.parts.settings = app.settings.model_copy(update={"db": tmp_path / "gone" / "a.db"})
        assert client.get(f"{LETTER}.png").headers["content-type"] == "image/gif"
        assert client.get(f"{LETTER}/click").headers["location"] == "https://news.example/"
