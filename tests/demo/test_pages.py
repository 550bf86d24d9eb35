"""The pages of the demo newsroom: whole, safe, dated from the clock, with the slots that the ads need."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from adserver.demo import readers
from adserver.demo.articles import SECTIONS, Article, articles, articles_in
from adserver.demo.catalog import demo_catalog
from adserver.demo.pages import slug
from adserver.demo.routes import MAX_FORM_BYTES, POLICY, STATIC, routes
from tests.demo.markup import Markup

#: Half past one in the night of the 24th in Kathmandu, still the 23rd in UTC: before most articles' times.
NOW = datetime(2026, 11, 23, 19, 45, tzinfo=UTC)
TODAY = date(2026, 11, 24)
SLOTS = {"header", "in-article", "article-end-1", "article-end-2", "comments", "sidebar"}
HOSTILE = "<script>alert(1)</script>\"'&"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
ONE = articles()[0]
PAGES = (
    "/demo/",
    *(f"/demo/{section}" for section in SECTIONS),
    *(article.path for article in articles()),
    "/demo/archive",
    "/demo/archive?date=2026-11-20",
    "/demo/newsletter",
    "/demo/advertiser/himal-savings",
)


@pytest.fixture
def client() -> Iterator[TestClient]:
    """A reader of a newsroom of its own, at NOW."""
    with TestClient(Starlette(routes=routes(lambda: NOW)), follow_redirects=False) as reader:
        yield reader


@pytest.mark.parametrize("path", PAGES)
def test_page_is_whole_and_safe(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    _assert_guarded(answer.headers)
    _assert_nothing_inline(answer.text)


def _assert_guarded(headers: object) -> None:
    found = dict(headers)  # type: ignore[call-overload]
    assert found["content-security-policy"] == POLICY
    assert found["x-content-type-options"] == "nosniff"
    assert found["referrer-policy"] == "same-origin"


def _assert_nothing_inline(html: str) -> None:
    page = Markup(html)
    assert page.inline == []
    assert all("src" in script for script in page.of("script"))
    names = {name for _, attributes in page.elements for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert page.of("style") == []


def test_every_link_and_file_of_the_newsroom_is_there(client: TestClient) -> None:
    seen, waiting = set[str](), ["/demo/"]
    while waiting:
        address = waiting.pop()
        if address in seen or not address.startswith("/demo"):
            continue
        seen.add(address)
        answer = client.get(address)
        assert answer.status_code == 200, address
        if answer.headers["content-type"].startswith("text/html"):
            page = Markup(answer.text)
            found = page.values("href") + page.values("src") + page.values("action")
            waiting += [_reachable(link) for link in found]
    assert {article.path for article in articles()} <= seen
    assert {f"/demo/{section}" for section in SECTIONS} | {"/demo/archive", "/demo/newsletter"} <= seen


def _reachable(link: str) -> str:
    parts = urlsplit(link)
    assert not parts.netloc, f"{link} leaves the newsroom"
    path = parts.path.removesuffix("/comments")  # the form's address only takes posts
    return f"{path}?{parts.query}" if parts.query else path


@pytest.mark.parametrize("article", articles(), ids=lambda article: article.slug)
def test_article_has_each_slot_once_and_one_tag(client: TestClient, article: Article) -> None:
    page = Markup(client.get(article.path).text)
    assert sorted(page.values("data-ad-slot")) == sorted(SLOTS)
    [tag] = [script for script in page.of("script") if "data-site" in script]
    assert tag == {
        "async": "",
        "src": "/tag.js?site=ledger",
        "data-site": "ledger",
        "data-section": article.section,
        "data-topics": ",".join(article.topics),
        "data-author": slug(article.author),
        "data-theme-attribute": "data-theme",
    }
    assert {"name", "comment"} <= page.text_fields()


def test_front_and_sections_have_header_and_sidebar_and_other_pages_no_ads(client: TestClient) -> None:
    for path in ("/demo/", *(f"/demo/{section}" for section in SECTIONS)):
        page = Markup(client.get(path).text)
        assert sorted(page.values("data-ad-slot")) == ["header", "sidebar"]
        assert page.values("src").count("/tag.js?site=ledger") == 1
    for path in ("/demo/archive", "/demo/newsletter", "/demo/advertiser/himal-savings"):
        page = Markup(client.get(path).text)
        assert page.values("data-ad-slot") == []
        assert "/tag.js?site=ledger" not in page.values("src")


def test_site_and_slots_are_those_of_the_catalog() -> None:
    [site] = demo_catalog(NOW).site
    assert site.name == "ledger"
    assert {slot.name for slot in site.slot} == SLOTS


def test_there_are_articles_enough_in_all_sections_over_several_dates() -> None:
    assert len(articles()) >= 12
    assert list(SECTIONS) == ["nation", "world", "business", "culture"]
    assert all(len(articles_in(section)) >= 3 for section in SECTIONS)
    ages = {article.days_ago for article in articles()}
    assert 0 in ages
    assert len(ages) >= 5
    assert max(ages) <= 12
    assert len({article.slug for article in articles()}) == len(articles())
    assert any("conflict" in article.topics for article in articles())
    for article in articles():
        assert 5 <= len(article.paragraphs) <= 8, article.slug
        assert (STATIC / article.picture.removeprefix("/demo/static/")).is_file(), article.slug


def test_nothing_is_dated_later_than_the_clock() -> None:
    assert all(article.published_at(NOW) <= NOW for article in articles())


@pytest.mark.parametrize("days_ago", range(14))
def test_archive_lists_exactly_that_days_articles(client: TestClient, days_ago: int) -> None:
    day = TODAY - timedelta(days=days_ago)
    page = Markup(client.get(f"/demo/archive?date={day}").text)
    listed = {link for link in page.values("href") if link in {article.path for article in articles()}}
    assert listed == {article.path for article in articles() if article.days_ago == days_ago}
    [picker] = [field for field in page.of("input") if field["type"] == "date"]
    assert (picker["value"], picker["max"]) == (str(day), str(TODAY))


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-01", "2026-02-30", "20261124", "2026-W48-2", "٢٠٢٦-11-24", HOSTILE]
)
def test_archive_refuses_what_is_no_day(client: TestClient, text: str) -> None:
    answer = client.get("/demo/archive", params={"date": text})
    assert answer.status_code == 400
    assert "Please give the day as year, month and day" in answer.text
    assert HOSTILE not in answer.text
    _assert_nothing_inline(answer.text)


def test_archive_of_a_day_without_articles_says_so(client: TestClient) -> None:
    for day in ("0001-01-01", "9999-12-31"):
        answer = client.get(f"/demo/archive?date={day}")
        assert answer.status_code == 200
        assert "Nothing appeared on this day" in answer.text


def test_date_line_is_of_the_papers_zone(client: TestClient) -> None:
    assert "Tuesday, 24 November 2026" in client.get("/demo/").text


def test_comment_comes_back_escaped_and_only_under_its_article(client: TestClient) -> None:
    fields = {"name": HOSTILE, "comment": f"{HOSTILE}\nनमस्ते"}
    answer = client.post(f"{ONE.path}/comments", data=fields)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{ONE.path}#comments"
    page = client.get(ONE.path).text
    assert page.count(ESCAPED) == 2
    assert "नमस्ते" in page
    assert HOSTILE not in page
    assert "24 November 2026, 01:30" in page
    _assert_nothing_inline(page)
    assert ESCAPED not in client.get(articles()[1].path).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "give a name and write"),
        ({"name": "  ", "comment": "x"}, "give a name and write"),
        ({"name": "x" * 61, "comment": "x"}, "60 characters"),
        ({"name": HOSTILE, "comment": HOSTILE + "y" * 1000}, "1000 characters"),
    ],
)
def test_comment_that_is_not_taken_comes_back_to_its_writer(
    client: TestClient, fields: dict[str, str], sentence: str
) -> None:
    answer = client.post(f"{ONE.path}/comments", data=fields)
    assert answer.status_code == 400
    assert sentence in answer.text
    _assert_nothing_inline(answer.text)
    assert "No comments yet" in client.get(ONE.path).text


def test_comments_are_bounded_and_the_newest_stay(client: TestClient) -> None:
    for number in range(readers.MAX_COMMENTS_PER_ARTICLE + 3):
        client.post(f"{ONE.path}/comments", data={"name": "Reader", "comment": f"number {number} of many"})
    page = client.get(ONE.path).text
    assert page.count(" of many") == readers.MAX_COMMENTS_PER_ARTICLE
    assert "number 2 of many" not in page
    assert page.index("number 52 of many") < page.index("number 3 of many")


def test_forms_larger_than_any_of_ours_are_refused(client: TestClient) -> None:
    for path in (f"{ONE.path}/comments", "/demo/newsletter"):
        answer = client.post(path, content=b"x" * (MAX_FORM_BYTES + 1))
        assert answer.status_code == 413
        _assert_guarded(answer.headers)
        assert client.post(path, content=b"a=1&" * 20).status_code == 413
        assert client.post(path, content=b"\xff\xfe%ff=%zz").status_code == 400


def test_newsletter_thanks_and_keeps_only_a_count(client: TestClient) -> None:
    for count in (1, 2):
        answer = client.post("/demo/newsletter", data={"email": "reader@mail.example"})
        assert answer.status_code == 200
        assert "Thank you" in answer.text
        assert f"Sign-ups since this server started: {count}." in answer.text
        assert "reader@mail.example" not in answer.text


def test_newsletter_count_is_bounded() -> None:
    memory = readers.Readers()
    memory.sign_ups = readers.MAX_SIGN_UPS_COUNTED
    assert memory.sign_up("reader@mail.example") is None
    assert memory.sign_ups == readers.MAX_SIGN_UPS_COUNTED


@pytest.mark.parametrize("email", ["", "reader", "@x", "a b@c", HOSTILE, "x" * 250 + "@mail.example"])
def test_newsletter_refuses_what_is_no_address(client: TestClient, email: str) -> None:
    answer = client.post("/demo/newsletter", data={"email": email})
    assert answer.status_code == 400
    assert HOSTILE not in answer.text
    _assert_nothing_inline(answer.text)


@pytest.mark.parametrize(
    "path",
    [
        "/demo/sport",
        "/demo/nation/nothing",
        f"/demo/world/{articles_in('nation')[0].slug}",
        "/demo/nation/nothing/at/all",
        "/demo/advertiser/Himal",
        "/demo/advertiser/%3Cscript%3E",
        f"/demo/advertiser/{'x' * 64}",
        "/demo/static/nothing.css",
        "/demo/static/../pages.py",
    ],
)
def test_what_is_not_there_is_said_in_style(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "not in the paper" in answer.text
    assert "The Terai Ledger" in answer.text
    _assert_guarded(answer.headers)
    _assert_nothing_inline(answer.text)


def test_comment_on_no_article_and_wrong_methods_are_refused(client: TestClient) -> None:
    fields = {"name": "a", "comment": "b"}
    assert client.post("/demo/nation/nothing/comments", data=fields).status_code == 404
    answer = client.delete("/demo/newsletter")
    assert answer.status_code == 405
    _assert_guarded(answer.headers)


def test_landing_page_names_its_advertiser(client: TestClient) -> None:
    assert "You have reached Himal Savings" in client.get("/demo/advertiser/himal-savings").text


def test_root_leads_to_the_newsroom(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.status_code == 302
    assert answer.headers["location"] == "/demo/"


def test_what_is_ordered_on_a_landing_page_is_reported_with_the_fill_that_led_there(
    client: TestClient,
) -> None:
    path = "/demo/advertiser/third-ridge-tea"
    assert "Order" not in client.get(path).text
    assert "Order" not in client.get(path, params={"ad": "<b>"}).text
    assert f'href="{path}/order?ad=abc-_1"' in client.get(path, params={"ad": "abc-_1"}).text
    thanks = client.get(f"{path}/order", params={"ad": "abc-_1"}).text
    assert re.search(r'src="/v1/conversion.gif\?fill=abc-_1&amp;order=demo-[0-9]+&amp;value=36.00"', thanks)
    assert "conversion.gif" not in client.get(f"{path}/order").text
