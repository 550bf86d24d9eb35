"""Orders at the pages' door: from an advertiser's server, and by the pixel on its thank-you page."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from starlette.testclient import TestClient

from adserver.catalog.model import Catalog, Lookback
from adserver.measurement.event import Validity
from tests.newsroom import BROWSER, NOW, apply_catalog, catalog_of, image, rows, server
from tests.serving.test_endpoints import fill, report
from tests.serving.test_invalid_traffic import BOT, rebuilt

LANDING = "https://bank.example/savings?lang=ne&ad={fill}#open"
DAY = timedelta(days=1)


def paid_by_order(lookback: dict[str, str] | None = None, **keys: Any) -> Catalog:
    """A catalog whose one line item pays 12.50 for each order."""
    creative = image("savings", "300x250", click=LANDING)
    item = {"name": "orders", "tier": "network", "price": {"cpa": "12.50"}, "creative": [creative], **keys}
    catalog = catalog_of(item)
    if lookback:
        (advertiser,) = catalog.advertiser
        campaign = advertiser.campaign[0].model_copy(update={"lookback": Lookback.model_validate(lookback)})
        advertiser = advertiser.model_copy(update={"campaign": (campaign,)})
        catalog = catalog.model_copy(update={"advertiser": (advertiser,)})
    return catalog


class Reader:
    """Someone on a page at some time, whose clock the server goes by."""

    def __init__(self, at: datetime = NOW) -> None:
        self.now = at

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def sees_and_clicks(self, client: TestClient) -> str:
        """The token that the click brings to the advertiser's page."""
        token = self.sees(client)
        self.now += timedelta(seconds=10)
        answer = client.get(f"/v1/click/{token}")
        assert answer.status_code == 302
        landing = urlsplit(answer.headers["location"])
        assert (landing.netloc, landing.path, landing.fragment) == ("bank.example", "/savings", "open")
        query = parse_qs(landing.query)
        assert query == {"lang": ["ne"], "ad": [token]}
        return query["ad"][0]

    @staticmethod
    def sees(client: TestClient) -> str:
        """The token of an ad that was drawn."""
        (entry,) = fill(client, {"site": "daily", "slots": [{"slot": "side"}]})
        assert report(client, (entry["fill"], "impression")) == 204
        return str(entry["fill"])


def post(client: TestClient, token: str, order: str, **more: Any) -> int:
    """Report an order as an advertiser's server does; the status of the answer."""
    body = json.dumps({"fill": token, "order": order, **more})
    return client.post("/v1/conversion", content=body, headers={"user-agent": "Shop/1.0"}).status_code


def judged(path: Path) -> list[Any]:
    """What became of the orders, in order of their fills."""
    earned = "revenue_micros * (validity = 0)"
    query = f"SELECT validity, repeat_count, {earned} FROM event WHERE kind = 5 ORDER BY fill"  # noqa: S608
    return rows(path, query)


def test_an_order_of_a_click_is_paid_for_once_however_it_is_reported(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader) as client:
        token = reader.sees_and_clicks(client)
        assert post(client, token, "A-1", value="49.90") == 204
        assert rows(path, "SELECT count(*) FROM event WHERE kind = 5") == [(1,)], "on disk when answered"
        answer = client.get("/v1/conversion.gif", params={"fill": token, "order": "A-1"})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        assert answer.headers["cache-control"] == "no-store"
        assert "adserver_conversions_total 2.0" in client.get("/metrics").text
    with server(path, None, clock=reader) as client:
        assert post(client, reader.sees_and_clicks(client), "A-1") == 204
    assert judged(path) == [(Validity.VALID, 1, 12_500_000), (Validity.ORDER_COUNTED, 0, 0)]
    assert rows(path, "SELECT order_id, value_micros FROM conversion WHERE counted") == [("A-1", 49_900_000)]
    totals = "SELECT sum(click_count), sum(conversion_count), sum(revenue_micros) FROM rollup"
    assert rows(path, totals) == [(2, 1, 12_500_000)]
    assert rebuilt(path)


def test_reports_show_orders_and_what_they_earned(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader) as client:
        tokens = [reader.sees_and_clicks(client) for _ in range(3)]
        for token, order in zip(tokens, ("A-1", "A-2", "A-1"), strict=True):
            assert post(client, token, order) == 204
        assert post(client, reader.sees(client), "A-3") == 204
    with server(path, None, clock=reader) as client:
        local = {"host": "127.0.0.1"}
        for name in ("slots", "revenue"):
            answer = client.get(f"/reports/{name}.json", headers=local).json()
            total = answer["total"]
            assert (total["conversion_count"], total["gross_conversion_count"]) == (2, 4)
            assert total["revenue"] == "25.00"
            for column in ("conversion_count", "revenue_micros"):
                assert sum(row[column] for row in answer["rows"]) == total[column]
        taken = [(line["rule"], line["conversion_count"]) for line in answer["marked"]]
        assert taken == [("no_click", 1), ("order_counted", 1)]
        page = client.get("/reports/", headers=local).text
    assert page.count('<th scope="col">Conversions</th>') == 4
    assert "An order that was counted before" in page


def test_an_order_counts_in_the_bucket_of_its_fill(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader) as client:
        token = reader.sees_and_clicks(client)
        reader.now += 20 * DAY
        post(client, token, "A-1")
    assert rows(path, "SELECT impression_count, click_count, conversion_count FROM rollup") == [(1, 1, 1)]


@pytest.mark.parametrize(
    ("lookback", "after", "validity"),
    [
        (None, 30 * DAY - timedelta(seconds=1), Validity.VALID),
        (None, 30 * DAY, Validity.LATE),
        ({"click": "7d"}, 7 * DAY - timedelta(seconds=1), Validity.VALID),
        ({"click": "7d"}, 7 * DAY, Validity.LATE),
        ({"click": "90d"}, 89 * DAY, Validity.VALID),
    ],
)
def test_an_order_counts_within_the_look_back_of_its_campaign(
    tmp_path: Path, lookback: dict[str, str] | None, after: timedelta, validity: Validity
) -> None:
    """From the click on, and also when the campaign was removed in between."""
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(lookback), clock=reader) as client:
        token = reader.sees_and_clicks(client)
    apply_catalog(path, catalog_of())
    reader.now += after
    with server(path, None, clock=reader) as client:
        assert post(client, token, "A-1") == 204
    assert judged(path) == [(validity, 0, 0 if validity else 12_500_000)]
    assert rebuilt(path)


@pytest.mark.parametrize(
    ("settings", "lookback", "validity"),
    [
        ({}, None, Validity.NO_CLICK),
        ({}, {"view": "1d"}, Validity.VALID),
        ({}, {"view": "1h"}, Validity.LATE),
        ({"view_lookback_seconds": 86_400}, None, Validity.VALID),
        ({"view_lookback_seconds": 86_400}, {"view": "1h"}, Validity.LATE),
    ],
)
def test_an_order_without_a_click_counts_where_views_do(
    tmp_path: Path, settings: dict[str, Any], lookback: dict[str, str] | None, validity: Validity
) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(lookback), clock=reader, **settings) as client:
        token = reader.sees(client)
        reader.now += timedelta(hours=3)
        assert post(client, token, "A-1") == 204
    assert judged(path) == [(validity, 0, 0 if validity else 12_500_000)]


def test_the_pixel_is_asked_for_by_browsers_and_judged_as_such(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader) as client:
        token = reader.sees_and_clicks(client)
        address = f"/v1/conversion.gif?fill={token}&order=A-1&value=1.299,00"
        assert client.get(address, headers=BOT).status_code == 200
        assert judged(path) == [(Validity.BOT, 0, 0)]
        assert client.head(address).status_code == 200
        assert judged(path) == [(Validity.BOT, 1, 0)]
        assert client.get(address, headers={"user-agent": BROWSER}).status_code == 200
    assert judged(path) == [(Validity.VALID, 2, 12_500_000)]
    # A value that nobody can read does not cost the order.
    assert rows(path, "SELECT order_id, value_micros FROM conversion") == [("A-1", None)]
    assert rebuilt(path)


@pytest.mark.parametrize("order", ["x" * 100, "ü/'\";--", "=1+1", " A-1 "])
def test_an_order_is_any_text(tmp_path: Path, order: str) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader) as client:
        tokens = [reader.sees_and_clicks(client) for _ in range(2)]
        assert post(client, tokens[0], order) == 204
        assert client.get(f"/v1/conversion.gif?fill={tokens[1]}&order={quote(order)}").status_code == 200
    assert [row[0] for row in judged(path)] == [Validity.VALID, Validity.ORDER_COUNTED]
    assert rows(path, "SELECT order_id FROM conversion WHERE counted") == [(order.strip(),)]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"fill": "x"}, "missing required field `order`"),
        ({"fill": "x", "order": 7}, "Expected `str`, got `int` - at `$.order`"),
        ({"fill": "x", "order": " "}, "An order is 1 to 100 printable characters."),
        ({"fill": "x", "order": "y" * 101}, "An order is 1 to 100 printable characters."),
        ({"fill": "x", "order": "a\nb"}, "An order is 1 to 100 printable characters."),
        ({"fill": "x", "order": "y", "value": 5}, "Expected `str | null`, got `int` - at `$.value`"),
        ({"fill": "x", "order": "y", "value": "-5"}, "The value '-5' is not an amount of zero or more."),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(
    tmp_path: Path, body: dict[str, Any], problem: str
) -> None:
    with server(tmp_path / "a.db", paid_by_order()) as client:
        answer = client.post("/v1/conversion", json=body)
        assert answer.status_code == 400
        assert problem in answer.text
        assert client.get("/v1/conversion.gif?fill=x").status_code == 400
        assert "adserver_unreadable_total 2.0" in client.get("/metrics").text


def test_a_fill_that_nobody_signed_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with server(path, paid_by_order()) as client:
        for token in ("", "x" * 64, "🦊" * 20):
            assert post(client, token, "A-1") == 404
            answer = client.get("/v1/conversion.gif", params={"fill": token, "order": "A-1"})
            assert (answer.status_code, answer.text) == (404, "There is no such fill.")
        assert "adserver_forged_total 6.0" in client.get("/metrics").text
        assert client.get("/v1/conversion").status_code == 405
        assert client.options("/v1/conversion").status_code == 204
    assert judged(path) == []


def test_what_cannot_be_written_now_is_not_acknowledged(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    with server(path, paid_by_order(), clock=reader, max_events_waiting=1) as client:
        token = reader.sees_and_clicks(client)
        edge: Any = client.app
        log = edge._edge.parts.log
        log._max_waiting = 0  # as full as it gets
        assert post(client, token, "A-1") == 503
        assert client.get("/v1/conversion.gif", params={"fill": token, "order": "A-1"}).status_code == 503
        log._max_waiting = 1
        assert post(client, token, "A-1") == 204
        assert "adserver_events_shed_total 2.0" in client.get("/metrics").text
    assert judged(path) == [(Validity.VALID, 0, 12_500_000)]


def test_a_budget_of_orders_is_never_exceeded(tmp_path: Path) -> None:
    path, reader = tmp_path / "a.db", Reader()
    catalog = paid_by_order(tier="price", budget="40.00")
    with server(path, catalog, clock=reader) as client:
        tokens = [reader.sees_and_clicks(client) for _ in range(6)]
        for number, token in enumerate(tokens):
            assert post(client, token, f"A-{number}") == 204
    assert [row[0] for row in judged(path)] == [Validity.VALID] * 3 + [Validity.OVER_GOAL] * 3
    assert rows(path, "SELECT revenue_micros FROM delivered") == [(37_500_000,)]
    assert rebuilt(path)


def test_orders_that_are_reported_raise_what_their_line_item_is_worth(tmp_path: Path) -> None:
    """Ten orders of ten impressions, where one of a thousand was expected."""
    reader, expected = Reader(), 0.001
    page = json.dumps({"site": "daily", "slots": [{"slot": "side"}]})
    found = []
    for orders in (range(10), range(0)):
        with server(
            tmp_path / "a.db", paid_by_order(), clock=reader, expected_conversion_rate=expected
        ) as client:
            answer = client.get("/api/v1/explain", params={"page": page}, headers={"host": "127.0.0.1"})
            (orders_item,) = answer.json()["slots"][0]["line_items"]
            assert orders_item["rule"] == "won"
            assert orders_item["score"]["score"] == pytest.approx(
                12_500 * orders_item["score"]["rate"], rel=1e-3
            )
            found.append(orders_item["score"]["rate"])
            for number in orders:
                assert post(client, reader.sees_and_clicks(client), f"A-{number}") == 204
    assert 0 < found[0] < 10 * expected
    assert found[1] > 20 * found[0]
