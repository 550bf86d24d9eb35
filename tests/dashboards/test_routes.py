"""Every form of a report over HTTP: the same numbers in all of them, and a sentence for what cannot be."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.engines.catalog_store import Stored
from adserver.measurement.report import Totals
from adserver.money import parse_micros
from dashboards import words
from tests.dashboards.world import NOW, fill, new_database, serving, site, slow_total, steady_traffic, stored

ZONE = stored([site("daily", "Asia/Kathmandu")]).catalog.site[0].zone
TODAY = NOW.astimezone(ZONE).date()
COUNTS = (
    "request_count",
    "fill_count",
    "impression_count",
    "measurable_count",
    "viewable_count",
    "click_count",
    "conversion_count",
)


@pytest.fixture(scope="module")
def client(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{base_url}/reports/") as opened:
        yield opened


def rows_of(client: httpx.Client, name: str, query: dict[str, str]) -> list[dict[str, str]]:
    """The lines of a CSV."""
    answer = client.get(f"{name}.csv", params=query)
    assert answer.status_code == 200
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def added(rows: list[dict[str, Any]]) -> Totals:
    """The sum of rows of a JSON or CSV."""
    total = Totals()
    for row in rows:
        counts = {name: int(row[name]) for name in COUNTS}
        total += Totals(**counts, revenue_micros=parse_micros(row["revenue"]))
    return total


def cells_of(page: str, table: str, part: str) -> list[list[str]]:
    """Texts of the cells of a table's body or foot."""
    inner = page.split(f'id="{table}"')[1].split(f"<{part}>")[1].split(f"</{part}>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", inner, re.DOTALL)
    return [
        [
            unescape(re.sub(r"<[^>]*>", "", cell)).strip()
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in rows
    ]


def printed(name: str, totals: Totals) -> list[str]:
    """How the page prints a line of the table of slots, but for change and trend."""
    return [
        name,
        words.money(totals.revenue_micros, "USD"),
        words.count(totals.request_count),
        words.percent(totals.fill_rate),
        words.count(totals.impression_count),
        words.percent(totals.viewability),
        words.percent(totals.ctr, 2),
        *([words.count(totals.conversion_count)] if totals.conversion_count else []),
        words.money(totals.ecpm_micros, "USD"),
        words.money(totals.rpm_micros, "USD"),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(back=st.integers(0, 16), length=st.integers(1, 16))
def test_page_json_and_csv_show_the_same_totals(
    client: httpx.Client, catalog: Stored, back: int, length: int
) -> None:
    last = TODAY - timedelta(days=back)
    first = last - timedelta(days=length - 1)
    query = {"site": "daily", "from": first.isoformat(), "to": last.isoformat()}
    slots = [number for path, number in catalog.ids.items() if path[1] == "daily"]
    expected = slow_total(steady_traffic(catalog, "daily"), ZONE, first, last, slots)

    for name in ("revenue", "slots"):
        body = client.get(f"{name}.json", params=query).json()
        assert (
            added(body["rows"]) == added([body["total"]]) == added(rows_of(client, name, query)) == expected
        )
        assert body["total"]["revenue_micros"] == expected.revenue_micros
        empty = expected.request_count - expected.fill_count
        assert sum(one["request_count"] for one in body["unfilled"]) == empty
    assert len(body["rows"]) == 3
    page = client.get("", params=query).text
    if expected == Totals():
        assert "Nothing was counted in this period" in page
    else:
        (foot,) = cells_of(page, "slots", "tfoot")
        beside = len(foot) - len(printed("All slots", expected))
        assert [*foot[:2], *foot[2 + beside :]] == printed("All slots", expected)
        assert sorted(row[0] for row in cells_of(page, "slots", "tbody")) == [
            "article-top",
            "comments",
            "sidebar",
        ]


def test_the_page_says_range_zone_completeness_and_freshness(client: httpx.Client) -> None:
    page = client.get("").text
    for said in ("18–24 Nov 2026", "Asia/Kathmandu", "today is partial", "last event today, 15:30"):
        assert said in page
    assert "today is partial" not in client.get("", params={"period": "yesterday"}).text
    for name in ("delivery", "reasons", "hours", "sections", "reach", "creatives"):
        page = client.get(name).text
        assert "Asia/Kathmandu" in page and "last event today, 15:30" in page, name


def test_every_period_and_site_is_one_link_away_and_keeps_the_other(client: httpx.Client) -> None:
    page = client.get("", params={"site": "quiet", "period": "28d"}).text
    links = {unescape(link) for link in re.findall(r'href="(\?[^"]*)"', page)}
    assert {"?site=quiet&period=last-month", "?site=daily&period=28d"} <= links
    for link in links:
        assert client.get(link).status_code == 200


def test_a_quiet_site_is_taught_how_to_begin(client: httpx.Client) -> None:
    page = unescape(client.get("", params={"site": "quiet"}).text)
    assert "Waiting for the first page" in page
    assert (
        f'<script async src="{str(client.base_url).removesuffix("reports/")}tag.js" data-site="quiet">'
        in page
    )
    assert '<div data-ad-slot="article-top"></div>' in page


def test_a_catalog_without_sites_is_taught_too(tmp_path: Path) -> None:
    path = tmp_path / "adserver.db"
    new_database(path)
    with serving(path, stored([])) as url:
        page = httpx.get(f"{url}/reports/")
        assert page.status_code == 200
        assert "adserver apply catalog.toml" in page.text
        assert httpx.get(f"{url}/reports/slots.json").status_code == 404
        assert httpx.get(f"{url}/reports/slots.csv").text == "The catalog has no site yet.\n"


BAD = [
    ({"site": "nowhere"}, "site: 'nowhere' is not a site of the catalog (daily, quiet)."),
    (
        {"period": "fortnight"},
        "period: 'fortnight' is none of today, yesterday, 7d, 28d, this-month, last-month.",
    ),
    ({"from": "2026-13-01", "to": "2026-11-02"}, "from: '2026-13-01' is not a date such as 2026-11-24."),
    ({"from": "2026-11-02", "to": "2026-11-01"}, "to: 2026-11-01 is before 2026-11-02, the first day."),
    ({"to": "<b>"}, "to: '<b>' is not a date such as 2026-11-24."),
]


@pytest.mark.parametrize(("query", "said"), BAD)
def test_a_query_that_cannot_be_answered_gets_a_sentence_in_its_own_form(
    client: httpx.Client, query: dict[str, str], said: str
) -> None:
    page = client.get("", params=query)
    assert page.status_code == 400
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert said in unescape(page.text)
    assert "<b>" not in page.text
    as_json = client.get("revenue.json", params=query)
    assert as_json.status_code == 400
    assert said in as_json.json()["error"]
    as_text = client.get("slots.csv", params=query)
    assert as_text.status_code == 400
    assert as_text.headers["content-type"] == "text/plain; charset=utf-8"
    assert said in as_text.text


odd = st.text(max_size=30) | st.sampled_from(["daily", "7d", "2026-11-01", "9999-12-31", "0001-01-01", "-1"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.dictionaries(st.sampled_from(["site", "period", "from", "to", "x"]), odd),
    form=st.sampled_from(["", "revenue.json", "slots.csv"]),
)
def test_no_query_whatever_makes_the_server_fail(
    client: httpx.Client, query: dict[str, str], form: str
) -> None:
    answer = client.get(form, params=query)
    assert answer.status_code in (200, 400)


def test_pages_forbid_everything_that_is_not_ours(client: httpx.Client) -> None:
    for form in ("", "revenue.json", "slots.csv", "?period=x"):
        headers = client.get(form).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_the_page_has_nothing_inline(client: httpx.Client) -> None:
    page = client.get("").text
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
    scripts = re.findall(r"<script([^>]*)>", page)
    assert [script for script in scripts if "src=" not in script] == [
        ' type="application/json" id="revenue-figure"'
    ]


def test_a_download_is_named_after_what_it_holds(client: httpx.Client) -> None:
    headers = client.get("slots.csv", params={"from": "2026-11-01", "to": "2026-11-02"}).headers
    assert headers["content-type"] == "text/csv; charset=utf-8"
    assert headers["content-disposition"] == 'attachment; filename="daily-slots-2026-11-01-2026-11-02.csv"'


def test_a_missing_database_is_said_and_not_a_crash(tmp_path: Path, catalog: Stored) -> None:
    path = tmp_path / "gone.db"
    new_database(path)
    with serving(path, catalog) as url:
        path.unlink()
        answer = httpx.get(f"{url}/reports/revenue.json")
        assert answer.status_code == 503
        assert answer.json() == {"error": "The database cannot be read just now; try again in a moment."}


def test_reports_read_while_the_log_is_written(tmp_path: Path, catalog: Stored) -> None:
    path = tmp_path / "busy.db"
    new_database(path)
    with serving(path, catalog) as url:
        before = httpx.get(f"{url}/reports/slots.json").json()["total"]["request_count"]
        fill(path, steady_traffic(catalog, "daily", days=1))
        after = httpx.get(f"{url}/reports/slots.json").json()["total"]["request_count"]
    assert (before, after > 0) == (0, True)


def test_days_before_the_first_traffic_are_there_with_zeros(client: httpx.Client) -> None:
    rows = client.get("revenue.json", params={"from": "2026-11-08", "to": "2026-11-12"}).json()["rows"]
    assert [row["day"][-2:] for row in rows] == ["08", "09", "10", "11", "12"]
    assert rows[0]["revenue_micros"] == 0
    assert rows[-1]["revenue_micros"] > 0
