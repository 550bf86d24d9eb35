"""Two invented weeks of readers → page requests, impressions and clicks, through the real server.

Nothing is written to the log directly: each reader asks the application for fills and reports what was seen,
as a browser does. Only the clock is virtual.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate, groupby
from random import Random
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message

from adserver.demo.catalog import ZONE

SITE = "ledger"

_AT_ONCE = 64
_TICK_SECONDS = 1800
#: Sections and the topics of their articles, by how many readers they have.
_PAGES = (
    (9, "nation", ("rivers", "roads")),
    (6, "nation", ("economy",)),
    (6, "world", ("diplomacy",)),
    (3, "world", ("conflict",)),
    (5, "business", ("economy", "tea")),
    (3, "business", ("technology",)),
    (4, "culture", ("football",)),
    (3, "culture", ("music", "food")),
)
#: Part of the drawn creatives that came into view, and clicks per impression, by slot.
_VIEWED = {"header": 0.58, "in-article": 0.71, "article-end-1": 0.46, "article-end-2": 0.43, "comments": 0.34}
_CLICKED = {"header": 0.0011, "in-article": 0.0042, "article-end-1": 0.0026, "article-end-2": 0.0021}
_OTHER_VIEWED, _OTHER_CLICKED = 0.62, 0.0014
_NOT_DRAWN = 0.04
#: Part of the readers who clicked on something to order, and do.
_ORDERED = {"third-ridge-gift": 0.2}
_LOOKED_AT = timedelta(seconds=2)
#: Traffic by hour of the day in the site's zone: a morning and an evening peak.
_HOURS = (2, 1, 1, 1, 2, 5, 9, 12, 13, 11, 9, 8, 9, 9, 8, 8, 9, 11, 13, 14, 13, 10, 7, 4)
_WEEKEND = 0.8


@dataclass(frozen=True, slots=True)
class Device:
    """A class of readers: how many, their user agent, and which sizes each slot has room for."""

    weight: int
    agent: str
    sizes: dict[str, tuple[str, ...]]


_BOX = ("300x250", "320x100")
_DESKTOP = {
    "header": ("970x250", "728x90", "320x100", "320x50"),
    "in-article": ("300x250", "468x60", "320x100"),
    "article-end-1": _BOX,
    "article-end-2": _BOX,
    "comments": _BOX,
    "sidebar": ("300x600", "300x250"),
}
_PHONE = {**_DESKTOP, "header": ("320x100", "320x50"), "in-article": _BOX}
_DEVICES = (
    Device(
        55,
        "Mozilla/5.0 (Linux; Android 15; Pixel 8) AppleWebKit/537.36 Chrome/150.0 Mobile Safari/537.36",
        _PHONE,
    ),
    Device(
        12,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) Version/19.1 Mobile/15E148 Safari/604.1",
        _PHONE,
    ),
    Device(
        33,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/150.0 Safari/537.36",
        _DESKTOP,
    ),
)
_COUNTRIES = (("NP", 68), ("IN", 12), ("US", 8), ("AE", 5), ("GB", 4), ("QA", 3))
#: Page views of one browser in a day, in the mean of all: few browsers have many of them.
_PAGES_PER_BROWSER = 1.8
#: Part of the browsers that keep nothing.
_KEEP_NOTHING = 0.12


@dataclass(slots=True)
class Browser:
    """One reader's browser: what its requests tell, and what it keeps. `tally` None: it keeps nothing."""

    device: Device
    country: str
    dark: bool
    tally: str | None


class Click(NamedTuple):
    """An ad that a reader clicks on, and whether that ends with an order."""

    headers: list[tuple[bytes, bytes]]
    path: str
    fill: str
    orders: bool


class VirtualClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time that it was set to."""
        return self.now


async def play(
    app: ASGIApp,
    clock: VirtualClock,
    *,
    tick: Callable[[], Awaitable[None]],
    until: datetime,
    days: int,
    pages_per_day: int,
    seed: int,
    progress: Callable[[int, int], None],
) -> None:
    """Let the readers of the last `days` days before `until` visit an application that runs on `clock`.

    `tick` is called whenever half an hour of them has passed: pacing learns as it would have learned then.
    """
    rng = Random(seed)
    visits = sorted(_visits(until, days, pages_per_day, rng))
    browsers = [_browser(rng) for _ in range(max(1, round(days * pages_per_day / (7 * _PAGES_PER_BROWSER))))]
    loyalty = list(accumulate(rng.paretovariate(1.3) for _ in browsers))
    done = 0
    for _, half_hour in groupby(visits, key=lambda at: at.timestamp() // _TICK_SECONDS):
        group = list(half_hour)
        clock.now = group[0]
        await tick()
        for start in range(0, len(group), _AT_ONCE):
            clock.now = group[start]
            some = rng.choices(browsers, cum_weights=loyalty, k=len(group[start : start + _AT_ONCE]))
            pages = (_read_page(app, browser, Random(rng.random())) for browser in some)
            clicked = [click for clicks in await asyncio.gather(*pages) for click in clicks]
            # So much later, that nobody takes it for the click of a machine.
            clock.now += _LOOKED_AT
            await asyncio.gather(*(_follow(app, click) for click in clicked))
        done += len(group)
        progress(done, len(visits))
    clock.now = until
    await tick()


def _visits(until: datetime, days: int, pages_per_day: int, rng: Random) -> Iterator[datetime]:
    """Times of page views: by hour, weekday, and a slow growth with some luck from day to day."""
    mean = sum(_HOURS) / 24
    for day in range(days):
        begin = until - timedelta(days=days - day)
        mood = (1 + 0.012 * day) * math.exp(rng.gauss(0, 0.08))
        for hour in range(24):
            local = (begin + timedelta(hours=hour)).astimezone(ZONE)
            weekend = _WEEKEND if local.weekday() >= 5 else 1.0
            count = pages_per_day / 24 * mood * weekend * _HOURS[local.hour] / mean
            for _ in range(int(count) + (rng.random() < count % 1)):
                yield begin + timedelta(hours=hour, seconds=rng.uniform(0, 3600))


def _browser(rng: Random) -> Browser:
    """A browser that was not here before."""
    (device,) = rng.choices(_DEVICES, [device.weight for device in _DEVICES])
    ((country, _),) = rng.choices(_COUNTRIES, [weight for _, weight in _COUNTRIES])
    return Browser(device, country, rng.random() < 0.3, None if rng.random() < _KEEP_NOTHING else "")


async def _read_page(app: ASGIApp, browser: Browser, rng: Random) -> list[Click]:
    """One page view: ask for all slots, report what was drawn and seen; what is now and then clicked on."""
    ((_, section, topics),) = rng.choices(_PAGES, [weight for weight, _, _ in _PAGES])
    headers = [(b"user-agent", browser.device.agent.encode()), (b"x-country", browser.country.encode())]
    ask = {
        "site": SITE,
        "page": {"url": f"/demo/{section}/", "section": section, "topics": topics},
        "slots": [{"slot": slot, "sizes": sizes} for slot, sizes in browser.device.sizes.items()],
        "theme": "dark" if browser.dark else "light",
        "tally": browser.tally,
    }
    answer = json.loads(await _request(app, "POST", "/v1/fill", headers, json.dumps(ask).encode()))
    if browser.tally is not None:
        browser.tally = answer["tally"]
    events: list[dict[str, str]] = []
    clicks: list[Click] = []
    for entry in answer["fills"]:
        if "fill" in entry and rng.random() >= _NOT_DRAWN:
            events.extend({"fill": entry["fill"], "type": kind} for kind in _seen(entry["slot"], rng))
            if rng.random() < _CLICKED.get(entry["slot"], _OTHER_CLICKED):
                orders = rng.random() < _ORDERED.get(entry["line_item"], 0.0)
                clicks.append(Click(headers, entry["creative"]["click"], entry["fill"], orders))
    if events:
        await _request(app, "POST", "/v1/events", headers, json.dumps({"events": events}).encode())
    return clicks


async def _follow(app: ASGIApp, click: Click) -> None:
    """Go to the advertiser, who may report an order."""
    await _request(app, "GET", click.path, click.headers, b"")
    if click.orders:
        order = {"fill": click.fill, "order": f"gift-{click.fill[-12:]}", "value": "36.00"}
        await _request(app, "POST", "/v1/conversion", click.headers, json.dumps(order).encode())


def _seen(slot: str, rng: Random) -> list[str]:
    kinds = ["impression", "measurable"]
    return [*kinds, "viewable"] if rng.random() < _VIEWED.get(slot, _OTHER_VIEWED) else kinds


async def _request(
    app: ASGIApp, method: str, path: str, headers: list[tuple[bytes, bytes]], body: bytes
) -> bytes:
    """One request to an ASGI application in this process; its body. A 4xx or 5xx is a mistake of ours."""
    answer: list[bytes] = []
    status = 0

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        status = message.get("status", status)
        answer.append(message.get("body", b""))

    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 8000),
    }
    await app(scope, receive, send)
    assert status < 400, f"{method} {path} was answered {status} while the demo's history was played"
    return b"".join(answer)
