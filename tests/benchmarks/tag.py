"""A page with ten slots in a real Chromium, its processor slowed down → what `tag.js` costs: bytes and time.

The tag is all but alone on the page: beside it one line counts ads seen and how long tasks were.
How long the main thread is blocked is counted as Lighthouse and the Long Tasks API do: what each task takes
beyond 50 ms, because until then a reader notices nothing; of the same page without the tag too. What scripts
took of the thread in all, layout that they ask for included, is told beside it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Request, sync_playwright

from adserver.app import App
from adserver.settings import Settings
from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.servers import PageHost, apply_catalog, serve
from tests.newsroom import BROWSER, catalog_of, image

SLOT_COUNT = 10
SLOWDOWN = 4
#: What the issue "On the page" allows: bytes with brotli, and milliseconds in all.
MOST_BYTES, MOST_MS = 5 * 1024, 10.0
_SIZE = "300x250"
#: Long Tasks API (W3C): a task is long beyond this, and blocks for as long as it goes on.
_LONG_TASK_MS = 50
_LONGEST_WAIT_S, _BARE_WAIT_S = 30.0, 2.0


@dataclass(frozen=True)
class TagCost:
    """`script_ms`: what scripts took of the main thread in all; `slow_ms`: the same, slowed down.

    `blocked_ms`: how long the main thread was blocked, slowed down; `bare_ms`: without the tag. All of them
    medians of the loads.
    """

    brotli_bytes: int
    script_ms: float
    slow_ms: float
    blocked_ms: float
    bare_ms: float
    load_count: int


def sentence_of(cost: TagCost) -> str:
    """The figures as `make bench` prints them, with what they should be."""
    weight = f"{cost.brotli_bytes:,} bytes with brotli (at most {MOST_BYTES:,})"
    blocked = (
        f"on a page with {SLOT_COUNT} slots, the processor {SLOWDOWN} times slower, the main thread is "
        f"blocked for {cost.blocked_ms:.0f} ms (aim: at most {MOST_MS:.0f}; "
        f"{cost.bare_ms:.0f} without the tag)"
    )
    scripts = f"scripts run for {cost.slow_ms:.0f} ms in all ({cost.script_ms:.0f} at full speed)"
    return f"tag.js: {weight}; {blocked}; {scripts}"


def look_at_tag(folder: Path, *, load_count: int = 5) -> TagCost | None:
    """Load the page so many times, each in a profile of its own; None without a Chromium."""
    path = chromium_path()
    if path is None:
        return None
    host = PageHost()
    with serve(host.app()) as pages, serve(App(_settings(folder, pages))) as ads:
        host.pages.update({"/ten": (_page(ads), {}), "/bare": (_page(None), {})})
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
            plain, slow, bare = (
                [_load(chromium, f"{pages}{page}", slowdown) for _ in range(load_count)]
                for page, slowdown in (("/ten", 1), ("/ten", SLOWDOWN), ("/bare", SLOWDOWN))
            )
            chromium.close()
    return TagCost(
        brotli_bytes=max(load.tag_bytes for load in plain),
        script_ms=median(load.script_ms for load in plain),
        slow_ms=median(load.script_ms for load in slow),
        blocked_ms=median(load.blocked_ms for load in slow),
        bare_ms=median(load.blocked_ms for load in bare),
        load_count=load_count,
    )


def _settings(folder: Path, pages: str) -> Settings:
    settings = Settings(db=folder / "tag.db")
    slots = [{"name": f"slot-{number}", "sizes": [_SIZE]} for number in range(SLOT_COUNT)]
    drawn = image(
        "ad", _SIZE, image=f"{pages}/image/{_SIZE}.svg", image_dark=f"{pages}/image/{_SIZE}/dark.svg"
    )
    item = {"name": "ad", "tier": "house", "repeat": True, "creative": [drawn]}
    apply_catalog(settings.db, catalog_of(item, slot=slots))
    return settings


def _page(ads: str | None) -> str:
    """Ten slots among text, in view at once; `ads`: whose tag asks for them."""
    blocks = "".join(f'<p>Text.</p><div data-ad-slot="slot-{number}"></div>' for number in range(SLOT_COUNT))
    tag = f'<script async src="{ads}/tag.js" data-site="daily"></script>' if ads else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ten</title>'
        "<script>window.__seen = 0; addEventListener('adserver:viewable', () => window.__seen++);"
        "window.__blocked = 0; const add = (tasks) => { for (const { duration } of tasks.getEntries())"
        f" __blocked += duration - {_LONG_TASK_MS} }};"
        "new PerformanceObserver(add).observe({ type: 'longtask', buffered: true })</script>"
        f"{tag}</head><body>{blocks}</body></html>"
    )


@dataclass(frozen=True)
class _Load:
    tag_bytes: int
    script_ms: float
    blocked_ms: float


def _load(chromium: Browser, url: str, slowdown: int) -> _Load:
    """One load in a profile of its own, until every ad was seen and reported; as long without the tag."""
    context = chromium.new_context(viewport={"width": 1280, "height": 4000}, user_agent=BROWSER)
    page = context.new_page()
    session = context.new_cdp_session(page)
    # Time that the thread itself had the processor: whatever else runs on the machine is not in it.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    tags: list[Request] = []
    reported: list[str] = []
    page.on("request", lambda request: tags.append(request) if request.url.endswith("/tag.js") else None)
    page.on("requestfinished", lambda request: reported.append(request.post_data or ""))
    page.goto(url, wait_until="load")
    # Told by the requests, not by asking the page, whose main thread that would take.
    until = time.monotonic() + (_LONGEST_WAIT_S if tags else _BARE_WAIT_S)
    while sum(body.count('"viewable"') for body in reported) < SLOT_COUNT and time.monotonic() < until:
        page.wait_for_timeout(50)
    metrics = session.send("Performance.getMetrics")["metrics"]
    spent = next(one["value"] for one in metrics if one["name"] == "ScriptDuration")
    seen, blocked = page.evaluate("() => [window.__seen, window.__blocked]")
    assert seen == (SLOT_COUNT if tags else 0)
    weight = sum(tag.sizes()["responseBodySize"] for tag in tags)
    context.close()
    return _Load(weight, 1000 * spent, blocked)
