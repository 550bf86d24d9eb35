"""Bodies that no page of ours sends → never a 5xx, never an exception, nothing counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests.newsroom import BROWSER, rows, server

AUCTIONS = "/openrtb2/auction"
PATHS = ("/v1/fill", "/v1/events", AUCTIONS)
BOUND = 65_536
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50) | st.just("\ud800")
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=10), inner, max_size=5),
    max_leaves=20,
)
FILL: dict[str, Any] = {
    "site": "daily",
    "page": {"url": "https://news.example/x", "section": "world", "topics": ["a"], "values": {"author": "x"}},
    "slots": [{"slot": "top", "sizes": ["970x250"], "width": 900}],
    "tally": "",
    "theme": "dark",
    "consent": {"gpc": True},
    "bids": [],
}
AUCTION: dict[str, Any] = {
    "id": "1",
    "imp": [
        {
            "id": "1",
            "tagid": "top",
            "banner": {"format": [{"w": 728, "h": 90}], "w": 970, "h": 250, "battr": [1]},
            "bidfloor": 0.5,
            "ext": {"gpid": "/1/top", "prebid": {"bidder": {"adserver": {"slot": "top", "site": "daily"}}}},
            "pmp": {"private_auction": 0},
        }
    ],
    "site": {
        "domain": "news.example",
        "page": "https://news.example/x",
        "keywords": "a,b",
        "publisher": {"id": "daily", "domain": "news.example"},
        "ext": {"data": {"section": "world", "topics": ["a"], "author": "x"}},
    },
    "device": {"ua": BROWSER, "ip": "203.0.113.7", "devicetype": 2, "geo": {"country": "NPL"}},
    "source": {"ext": {"schain": {"complete": 1, "ver": "1.0", "nodes": [{"asi": "a.example", "sid": "1"}]}}},
    "badv": ["x.example"],
    "bcat": ["IAB1"],
    "cur": ["USD"],
}
EVENTS: dict[str, Any] = {"events": [{"fill": "A" * 64, "type": "impression"}]}
MANY = settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    path = tmp_path_factory.mktemp("hostile") / "a.db"
    with server(path, max_auction_bytes=BOUND) as client:
        yield client, path


def _refused_or_answered(client: TestClient, path: str, body: bytes) -> int:
    answer = client.post(path, content=body)
    allowed = {"/v1/events": (204, 400, 413), "/v1/fill": (200, 400, 413)}.get(path, (200, 204, 400, 413))
    assert answer.status_code in allowed, (answer.status_code, body[:200])
    if answer.status_code == 200 and path == AUCTIONS:
        assert all(bid["price"] > 0 for seat in answer.json()["seatbid"] for bid in seat["bid"])
    elif answer.status_code == 200:
        assert all("fill" in entry or "reason" in entry for entry in answer.json()["fills"])
        assert not any(entry.get("reason") == "error" for entry in answer.json()["fills"])
    elif answer.status_code != 204:
        assert answer.text.endswith(".")
        assert "\n" not in answer.text.strip()
    return answer.status_code


@st.composite
def mutations(draw: st.DrawFn, whole: dict[str, Any]) -> bytes:
    """A valid body with one place, at any depth, replaced by any JSON or removed."""
    body = json.loads(json.dumps(whole))
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else range(len(place))
        if not keys:
            break
        key = draw(st.sampled_from(list(keys)))
        deeper = place[key]
        if isinstance(deeper, dict | list) and deeper and draw(st.booleans()):
            place = deeper
            continue
        if draw(st.booleans()):
            place[key] = draw(ANY_JSON)
        else:
            del place[key]
        break
    return json.dumps(body).encode()


@MANY
@given(body=mutations(FILL))
def test_page_requests_with_a_wrong_place(page: tuple[TestClient, Path], body: bytes) -> None:
    _refused_or_answered(page[0], "/v1/fill", body)


@MANY
@given(body=mutations(EVENTS))
def test_beacons_with_a_wrong_place(page: tuple[TestClient, Path], body: bytes) -> None:
    _refused_or_answered(page[0], "/v1/events", body)


@MANY
@given(body=mutations(AUCTION))
def test_bid_requests_with_a_wrong_place(page: tuple[TestClient, Path], body: bytes) -> None:
    _refused_or_answered(page[0], AUCTIONS, body)


@MANY
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=300))
def test_arbitrary_bytes(page: tuple[TestClient, Path], path: str, body: bytes) -> None:
    assert _refused_or_answered(page[0], path, body) == 400


@settings(MANY, max_examples=300)
@given(path=st.sampled_from(PATHS), value=ANY_JSON)
def test_arbitrary_json(page: tuple[TestClient, Path], path: str, value: Any) -> None:
    _refused_or_answered(page[0], path, json.dumps(value).encode())


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"site":"daily","slots":[],"x":' + b"[" * 100])
@pytest.mark.parametrize("depth", [100, 5_000, 20_000])
def test_deep_bodies(page: tuple[TestClient, Path], path: str, opening: bytes, depth: int) -> None:
    body = (opening * depth)[: BOUND - 10]
    assert _refused_or_answered(page[0], path, body) == 400
    closed = b'{"site":"daily","slots":[],"events":[],"x":' + b"[" * depth + b"]" * depth + b"}"
    _refused_or_answered(page[0], path, closed)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("size", [BOUND + 1, 10 * BOUND, 20_000_000])
def test_huge_bodies(page: tuple[TestClient, Path], path: str, size: int) -> None:
    assert _refused_or_answered(page[0], path, b" " * size) == 413


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "latin-1", "utf-8-sig"])
def test_other_encodings(page: tuple[TestClient, Path], path: str, encoding: str) -> None:
    whole = {"site": "däily", "slots": [], "events": [{"fill": "ä", "type": "impression"}]}
    body = json.dumps(whole, ensure_ascii=False).encode(encoding)
    assert _refused_or_answered(page[0], path, body) == 400


def test_nothing_of_this_was_counted(page: tuple[TestClient, Path]) -> None:
    client, path = page
    client.post("/v1/events", json=EVENTS)
    assert rows(path, "SELECT count(*) FROM event") == [(0,)]
    assert "adserver_errors_total 0.0" in client.get("/metrics").text
