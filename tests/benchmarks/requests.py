"""Pages, tokens → HTTP requests as bytes, as browsers send them, and varied as readers are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from random import Random

from tests.benchmarks.catalogs import COUNTRIES, SECTIONS, SITE, SLOTS, TOPICS

COUNTRY_HEADER = "CF-IPCountry"
#: Pages that come again and again, as the articles of a front page do.
FRONT_PAGE_COUNT = 200
SLOTS_PER_PAGE = 5
_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
_AGENTS = (
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.7 Mobile/15E148 Safari/604.1",
)


def front_pages() -> list[bytes]:
    """Fill requests of a few pages and readers that come again and again."""
    return list(islice(_fills(Random(2)), FRONT_PAGE_COUNT))


def new_pages(count: int) -> list[bytes]:
    """Fill requests of pages and readers that hardly ever have the same facts twice."""
    return list(islice(_fills(Random(3)), count))


def _fills(rng: Random) -> Iterator[bytes]:
    while True:
        number = rng.randrange(10**6)
        page = {
            "url": f"https://news.example/2026/11/article-{number}",
            "section": rng.choice(SECTIONS),
            "topics": rng.sample(TOPICS, 3),
            "values": {"author": f"author-{number % 40}"},
        }
        slots = [{"slot": name, "sizes": SLOTS[name]} for name in rng.sample(list(SLOTS), SLOTS_PER_PAGE)]
        yield _post("/v1/fill", {"site": SITE, "page": page, "slots": slots, "tally": ""}, rng)


def beacons(tokens: Sequence[str], events_per_beacon: int) -> list[bytes]:
    """Requests that report an impression of each fill, so many in each."""
    rng = Random(4)
    groups = zip(*[iter(tokens)] * events_per_beacon, strict=False)
    return [
        _post("/v1/events", {"events": [{"fill": token, "type": "impression"} for token in group]}, rng)
        for group in groups
    ]


def clicks(tokens: Sequence[str]) -> list[bytes]:
    """Requests that follow the ad of each fill."""
    rng = Random(5)
    return [_head("GET", f"/v1/click/{token}", rng) + b"\r\n" for token in tokens]


def _post(path: str, content: object, rng: Random) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    lengths = f"Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return _head("POST", path, rng) + lengths.encode() + body


def _head(method: str, path: str, rng: Random) -> bytes:
    headers = {
        "Host": "ads.example",
        "User-Agent": rng.choice(_AGENTS),
        "Accept": "*/*",
        "Accept-Language": "en-GB,en;q=0.9,ne;q=0.8",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Origin": "https://news.example",
        "Referer": "https://news.example/",
        COUNTRY_HEADER: rng.choice(COUNTRIES),
    }
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode()
