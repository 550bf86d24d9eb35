"""A bid request → what the real server answers, and the parts of it that a test looks at."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from tests.newsroom import BROWSER

Json = dict[str, Any]
HERE = Path(__file__).parent


def recorded(name: str) -> list[Json]:
    """Requests that prebid/prebid-server is tested with (Apache-2.0), each with the file that it is in."""
    lines = gzip.decompress((HERE / f"{name}.ndjson.gz").read_bytes()).decode().splitlines()
    return [json.loads(line) for line in lines]


def auction(*slots: str, **keys: Any) -> Json:
    """A request for slots of the site at news.example, from a reader's browser; keys replace its parts."""
    body: Json = {
        "id": "auction-1",
        "imp": [impression(slot) for slot in slots or ("top",)],
        "site": {"domain": "news.example", "page": "https://news.example/2026/11/x"},
        "device": {"ua": BROWSER, "ip": "203.0.113.7"},
    }
    return {**body, **keys}


def impression(slot: str, **keys: Any) -> Json:
    """An impression of a slot that would take any of our sizes."""
    sizes = [{"w": w, "h": h} for w, h in ((970, 250), (728, 90), (300, 250))]
    return {"id": f"imp-{slot}", "tagid": slot, "banner": {"format": sizes}, **keys}


def bids(client: TestClient, body: Json, **headers: str) -> list[Json]:
    """The bids of an answer, of all seats; none for 204."""
    answer = client.post("/openrtb2/auction", content=json.dumps(body), headers=headers)
    assert answer.status_code in (200, 204), answer.text
    if answer.status_code == 204:
        assert answer.content == b""
        return []
    return [bid for seat in answer.json()["seatbid"] for bid in seat["bid"]]


def path_of(url: str) -> str:
    """The part of a URL of the server that follows its host."""
    return "/" + url.split("/", 3)[3]
