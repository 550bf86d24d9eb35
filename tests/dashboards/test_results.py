"""What an advertiser got: equal in each form and to the site's own reports, and told to nobody else."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from random import Random
from typing import Any

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Principal, Role
from adserver.accounts.shares import Locked, Shares
from adserver.engines.account_store import AccountStore
from adserver.engines.sql import sqlite_url
from adserver.errors import InvalidInput
from adserver.money import parse_micros
from adserver.settings import Settings
from dashboards.result_pages import COLUMNS
from tests.console.office import Office, office
from tests.measurement.test_cuts import play, visitors
from tests.newsroom import NOW, server

COUNTS = ("impression_count", "measurable_count", "viewable_count", "click_count", "conversion_count")
WHOLE = "/reports/advertiser"


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Two days of some browsers, and the server that reports on them to this machine."""
    db, rng = tmp_path_factory.mktemp("results") / "a.db", Random(2)
    play(db, visitors(12, rng), rng, pages=120, bots=True)
    with server(db, None, clock=lambda: NOW) as client:
        client.base_url = "http://127.0.0.1"
        yield client


def share(client: Any, query: str = "", days: str = "7") -> str:
    """The path of a new link."""
    answer = client.post(f"{WHOLE}/share?{query}", data={"days": days})
    assert answer.status_code == 200, answer.text
    return unescape(re.search(r"https?://[^/]+(/reports/shared/[\w-]+)", answer.text)[1])  # type: ignore[index]


@pytest.mark.parametrize("query", ["", "campaign=autumn", "campaign=winter&period=yesterday"])
def test_results_say_the_same_in_each_form(reports: TestClient, query: str) -> None:
    body = reports.get(f"{WHOLE}.json?{query}").json()
    lines = list(csv.DictReader(io.StringIO(reports.get(f"{WHOLE}.csv?{query}").text, newline="")))
    page = reports.get(f"{WHOLE}?{query}").text
    for name in COUNTS:
        total = body["total"][name]
        for part in ("rows", "slots", "device", "country"):
            assert sum(row[name] for row in body[part]) == total
        assert sum(int(line[name]) for line in lines) == total
    cost = body["total"]["revenue_micros"]
    assert sum(parse_micros(line["revenue"]) for line in lines) == cost
    assert f'<p class="number">{body["total"]["impression_count"]:,}</p>' in page
    assert set(body["rows"][0]) == set(COLUMNS)


def test_all_campaigns_of_all_advertisers_are_the_site(reports: TestClient) -> None:
    whole = reports.get("/reports/slots.json").json()["total"]
    results = reports.get(f"{WHOLE}.json").json()["total"]
    assert {name: whole[name] for name in results} == results
    parts = [reports.get(f"{WHOLE}.json?campaign={name}").json()["total"] for name in ("autumn", "winter")]
    assert sum(part["revenue_micros"] for part in parts) == whole["revenue_micros"] > 0


def test_a_link_shows_one_thing_whatever_is_asked_of_it(reports: TestClient) -> None:
    path = share(reports, "campaign=autumn&period=7d")
    told = reports.get(f"{path}.json").json()
    assert told == {
        **reports.get(f"{WHOLE}.json?campaign=autumn&period=7d").json(),
        "asked_at": told["asked_at"],
    }
    for query in ("campaign=winter", "advertiser=nobody", "period=today", "site=x", "from=2020-01-01"):
        assert reports.get(f"{path}.json?{query}").json()["total"] == told["total"]
    page = reports.get(path)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["x-robots-tag"] == "noindex, nofollow"
    assert "winter" not in page.text
    assert "last event today" in page.text
    assert not re.search(r'href="(?!/reports/shared/|#main)', page.text)
    assert reports.get(f"{path}.csv").text.startswith("day,campaign,line_item,")
    for asset in set(re.findall(r'(?:href|src)="(/reports/shared/static/[^"]+)"', page.text)):
        assert reports.get(asset).status_code == 200


@pytest.mark.browser
def test_a_link_leads_to_the_same_as_pdf(reports: TestClient) -> None:
    path = share(reports, "campaign=autumn&period=7d")
    assert f'href="{path}.pdf"' in reports.get(path).text
    answer = reports.get(f"{path}.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == 'inline; filename="results.pdf"'
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    token = path.rpartition("/")[2].encode()
    assert token not in answer.content, "whoever is sent the file has not the link"
    assert reports.get(f"{path}x.pdf").status_code == 404


def test_a_link_is_random_stored_as_a_digest_and_can_be_revoked(reports: TestClient) -> None:
    path, other = share(reports), share(reports)
    token = path.rpartition("/")[2]
    assert path != other
    assert len(token) >= 43
    db = reports.app.settings.db  # type: ignore[attr-defined]
    with closing(sqlite3.connect(db)) as connection:
        stored = connection.execute("SELECT * FROM account_share").fetchall()
    assert len(stored) >= 2
    assert all(token not in str(row) for row in stored)
    page = reports.get(WHOLE).text
    number = re.search(r'name="share" value="(\d+)"', page)[1]  # type: ignore[index]
    answer = reports.post(f"{WHOLE}/revoke", data={"share": number, "advertiser": "bank"})
    assert answer.status_code == 303
    assert [reports.get(one).status_code for one in (path, other)] == [200, 404]
    assert "unknown, over or revoked" in reports.get(other).text
    assert reports.post(f"{WHOLE}/revoke", data={"share": number}).status_code == 404
    assert reports.post(f"{WHOLE}/revoke", data={"share": "x"}).status_code == 404


@pytest.mark.parametrize("days", ["", "0", "-1", "367", "1.5", "x", "9" * 30])
def test_a_link_ends_within_bounds(reports: TestClient, days: str) -> None:
    answer = reports.post(f"{WHOLE}/share", data={"days": days})
    assert answer.status_code == 400
    assert "is not a number from 1 to 366" in unescape(answer.text)


def test_a_form_of_another_site_makes_no_link(reports: TestClient) -> None:
    foreign = {"sec-fetch-site": "cross-site"}
    assert reports.post(f"{WHOLE}/share", data={"days": "7"}, headers=foreign).status_code == 403


def test_a_link_ends_with_its_time_and_with_the_rights_of_who_made_it(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 24, tzinfo=UTC)]
    locked = Locked("daily", "bank", "", "7d", "", "")

    async def run() -> None:
        store = await AccountStore.open(sqlite_url(tmp_path / "a.db"))
        settings = Settings(db=tmp_path / "a.db")
        shares = Shares(store, lambda: now[0], settings)
        accounts = Accounts(store, lambda: now[0], settings)
        user, _ = await accounts.add_user("b@bank.example", "B", "advertiser", (), ("bank",))
        maker = Principal(user.id, user.email, "B", Role.ADVERTISER, advertisers=frozenset(["bank"]))
        token = await shares.make(maker, locked, "2")
        opened = await shares.open(token)
        assert opened is not None
        assert opened[0] == locked
        assert await shares.open(token + "x") is None
        somebody = Principal(99, "c@d.example", "C", Role.ADVERTISER, advertisers=frozenset(["bank"]))
        assert await shares.of(somebody, "bank") == []
        (mine,) = await shares.of(maker, "bank")
        assert not await shares.revoke(somebody, mine.id)
        now[0] += timedelta(days=2) - timedelta(seconds=1)
        assert await shares.open(token) is not None
        await accounts.change_role(user.id, "advertiser", (), ("other",))
        assert await shares.open(token) is None
        await accounts.change_role(user.id, "advertiser", (), ("bank",))
        await accounts.disable(user.id)
        assert await shares.open(token) is None
        await accounts.enable(user.id)
        assert await shares.open(token) is not None
        now[0] += timedelta(seconds=1)
        assert await shares.open(token) is None
        with pytest.raises(InvalidInput):
            await shares.make(maker, locked, "0")
        await store.close()

    asyncio.run(run())


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A server with users of each role."""
    with office(tmp_path_factory.mktemp("place") / "a.db") as found:
        yield found


def test_an_advertiser_reads_their_own_results_and_nothing_else(place: Office) -> None:
    bank = place.signed_in("bank@bank.example")
    home = bank.get("/reports/", follow_redirects=False)
    assert (home.status_code, home.headers["location"]) == (303, "/reports/advertiser")
    page = bank.get(WHOLE)
    assert page.status_code == 200
    assert "himal-bank" in page.text
    assert "/reports/delivery" not in page.text
    for path in ("revenue.json", "slots.csv", "hours.json", "delivery.csv", "reach.json", "breakdown.json"):
        assert bank.get(f"/reports/{path}").status_code == 403
    foreign = refusals(bank, "tea-house")
    assert foreign == refusals(bank, "no-such-advertiser")


def refusals(client: httpx.Client, name: str) -> list[tuple[int, str]]:
    """What is said of an advertiser that is not theirs, without its name."""
    answers = [client.get(f"{WHOLE}{form}", params={"advertiser": name}) for form in ("", ".json", ".csv")]
    answers.append(client.post(f"{WHOLE}/share", params={"advertiser": name}, data={"days": "7"}))
    assert {answer.status_code for answer in answers} == {400}
    return [(answer.status_code, answer.text.replace(name, "")) for answer in answers]


def test_a_publisher_reads_results_on_their_own_sites_alone(place: Office) -> None:
    boss = place.signed_in("boss@news.example")
    assert boss.get(f"{WHOLE}.json", params={"site": "daily"}).status_code == 200
    others = [site for site in ("weekly", "sport", "other") if site != "daily"]
    for site in others:
        assert boss.get(f"{WHOLE}.json", params={"site": site}).status_code == 400


def test_a_token_reads_and_does_not_share(place: Office) -> None:
    program = place.with_token("bank@bank.example", "reports")
    assert program.get(f"{WHOLE}.json").status_code == 200
    assert program.post(f"{WHOLE}/share", data={"days": "7"}).status_code == 403
    assert program.post(f"{WHOLE}/revoke", data={"share": "1"}).status_code == 403
    assert "Share these results" not in program.get(WHOLE).text


def test_nobody_reads_results_and_everybody_a_link(place: Office) -> None:
    path = share(place.signed_in("bank@bank.example"))
    assert place.visitor().get(path).status_code == 200
    nobody = place.visitor()
    assert nobody.get(WHOLE).status_code in (303, 401)
    assert nobody.get(f"{WHOLE}.json").status_code == 401
