"""Page requests that contradict themselves, over a catalog in which all rules meet → fills or reasons.

`test_hostile_input` looks at bodies of any form; here they are read, and what they say is odd.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from adserver.catalog.model import Catalog
from adserver.clock import to_ms
from adserver.decision.tally import TallyKey
from tests.decision.asking import busy
from tests.newsroom import catalog_of, line_item, rows, server
from tests.strategies import NOW

SLOTS = ("top", "side", "foot", "nope", "")
TEXTS = st.text(max_size=20) | st.sampled_from(["", "*", "world", "\x00", "a" * 5000, "ü", "../..", "\ud83d"])
NUMBERS = st.sampled_from([0, -1, 1, 319, 728, 2**31, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)
SIZES = st.sampled_from(["728x90", "300x250", "0x0", "-1x5", "x", "", "999999999x1", "1e9x1", "٧x٩"])
ASKS = st.fixed_dictionaries(
    {"slot": st.sampled_from(SLOTS) | TEXTS.filter(lambda text: len(text) <= 200)},
    optional={"sizes": st.none() | st.lists(SIZES, max_size=6), "width": st.none() | NUMBERS},
)
PRICES = st.sampled_from(
    ["NaN", "nan", "-1", "1e400", "inf", "9" * 5000, "", "0", "2.10", "1000000", "0.000001"]
)
BIDS = st.fixed_dictionaries(
    {"slot": st.sampled_from(SLOTS) | TEXTS, "bid": TEXTS, "cpm": PRICES | TEXTS, "size": SIZES | TEXTS}
)
PAGES = st.fixed_dictionaries(
    {},
    optional={
        "url": TEXTS | st.sampled_from(["https://[::1", "http://%", "//", "https://news.example:99999/x"]),
        "section": st.none() | TEXTS,
        "topics": st.lists(TEXTS | st.just("crime"), max_size=60),
        "values": st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=60),
    },
)
MANY = settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))


def catalog() -> Catalog:
    """`busy`, and line items that look at all that a page can say."""
    aimed = catalog_of(
        *(
            line_item(f"aimed-{number}", "house", "728x90", target=target)
            for number, target in enumerate(
                [
                    {"url": ["*/x*", "news.example/*"], "not": {"url": ["*y"]}},
                    {"section": ["w*d", "*"], "topic": ["crime"], "values": {"b": ["x"], "a": ["ü"]}},
                    {"any": [{"not": {"values": {"a": ["x"]}}}, {"all": [{"section": ["*a*"]}]}]},
                    {"country": ["NP"], "device": ["mobile"], "hours": ["mon-sun 00:00-24:00"]},
                ]
            )
        )
    )
    (owner,) = aimed.advertiser
    other = owner.model_copy(update={"name": "aims"})
    return busy().model_copy(update={"advertiser": (*busy().advertiser, other)})


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, Path]]:
    path = tmp_path_factory.mktemp("hostile") / "a.db"
    with server(path, catalog(), clock=lambda: NOW + timedelta(hours=1)) as client:
        yield client, path


def fills_of(client: TestClient, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The answer to a body that can be read: every slot is filled, or says why, and never "error"."""
    content = json.dumps(body).encode()
    answer = client.post("/v1/fill", content=content)
    if len(content) > 65_536:
        assert answer.status_code == 413
        return []
    if "\\ud83d" in json.dumps(body) and answer.status_code == 400:
        return []  # half of a pair of UTF-16 is no text
    assert answer.status_code == 200, (answer.text, body)
    fills: list[dict[str, Any]] = answer.json()["fills"]
    assert len(fills) == len(body["slots"])
    for ask, fill in zip(body["slots"], fills, strict=True):
        assert fill["slot"] == ask["slot"]
        assert ("fill" in fill) + ("bid" in fill) + ("reason" in fill) == 1
        assert fill.get("reason") != "error", body
    return fills


@MANY
@given(
    asks=st.lists(ASKS, max_size=25), facts=PAGES, bids=st.lists(BIDS, max_size=30), theme=st.none() | TEXTS
)
def test_odd_pages_are_filled_or_say_why_not(
    page: tuple[TestClient, Path],
    asks: list[dict[str, Any]],
    facts: dict[str, Any],
    bids: list[dict[str, Any]],
    theme: str | None,
) -> None:
    body = {"site": "daily", "slots": asks, "page": facts, "bids": bids, "theme": theme, "tally": ""}
    for fill in fills_of(page[0], body):
        if "bid" in fill:
            assert fill["cpm"] in {"2.10", "1000000.00", *(bid["cpm"] for bid in bids)}
            assert float(fill["cpm"]) >= 0.3, "the floor of every slot"
            assert fill["size"] in ("728x90", "300x250")


@pytest.mark.parametrize("cpm", ["NaN", "-5", "inf", "1e9", "1000000.000001", "0x10"])
def test_a_price_that_is_none_wins_nothing(page: tuple[TestClient, Path], cpm: str) -> None:
    body = {
        "site": "daily",
        "slots": [{"slot": "side"}],
        "bids": [{"slot": "side", "bid": "hb", "cpm": cpm, "size": "300x250"}],
    }
    assert not any("bid" in fill for fill in fills_of(page[0], body))


def test_a_tally_of_another_key_or_damaged_or_endless_is_that_of_a_first_visit(
    page: tuple[TestClient, Path],
) -> None:
    client, _ = page
    now_s = to_ms(NOW) // 1000
    body = {"site": "daily", "slots": [{"slot": "side"}], "page": {"section": "sport"}, "tally": ""}
    own = client.post("/v1/fill", json=body).json()["tally"]
    foreign, caps = (
        TallyKey(b"another key, as long", max_chars=1500),
        dict.fromkeys(range(99), ((1, 86_400),)),
    )
    shown = foreign.read("", now_s)
    shown.add(range(99), now_s)
    texts = [
        foreign.write(shown, caps, now_s).decode(),
        own[:-1],
        own + "A",
        own * 100,
        "A" * 60_000,
        "ü" * 900,
    ]
    for text in [*texts, "\x00", "=", "-" * 1500]:
        answer = client.post("/v1/fill", json={**body, "tally": text})
        assert answer.status_code == 200
        (fill,) = answer.json()["fills"]
        assert fill.get("reason") not in ("error", "capped")


def test_nothing_of_this_is_an_error_of_ours(page: tuple[TestClient, Path]) -> None:
    client, path = page
    assert "adserver_errors_total 0.0" in client.get("/metrics").text
    assert rows(path, "SELECT count(*) FROM event") == [(0,)]
