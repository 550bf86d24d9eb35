"""A page with ten slots in a real Chromium, its processor slowed down → what `tag.js` costs: bytes and time.

The tag is all but alone on the page: beside it there is one line that counts how many ads were seen. So its
time is what the browser says that scripts took of the main thread, layout that they ask for included, from
the first byte until all ten were seen and reported.
"""

from __future__ import annotations

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


@dataclass(frozen=True)
class TagCost:
    """`script_ms`: of the main thread in all, median of the loads; `slow_ms`: the same, slowed down."""

    brotli_bytes: int
    script_ms: float
    slow_ms: float
    load_count: int


def sentence_of(cost: TagCost) -> str:
    """The figures as `make bench` prints them, with what they should be."""
    weight = f"{cost.brotli_bytes:,} bytes with brotli (at most {MOST_BYTES:,})"
    slow = f"{cost.slow_ms:.1f} ms with a processor {SLOWDOWN} times slower (aim: {MOST_MS:.0f} ms)"
    where = f"on a page with {SLOT_COUNT} slots"
    return f"tag.js: {weight}; {where} {cost.script_ms:.1f} ms of the main thread in all, {slow}"


def look_at_tag(folder: Path, *, load_count: int = 5) -> TagCost | None:
    """Load the page so many times, each in a profile of its own; None without a Chromium."""
    path = chromium_path()
    if path is None:
        return None
    host = PageHost()
    with serve(host.app()) as pages, serve(App(_settings(folder, pages))) as ads:
        host.pages["/ten"] = (_page(ads), {})
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
            plain, slow = (
                [_load(chromium, f"{pages}/ten", slowdown) for _ in range(load_count)]
                for slowdown in (1, SLOWDOWN)
            )
            chromium.close()
    weight = max(bytes_ for bytes_, _ in plain)
    return TagCost(weight, median(ms for _, ms in plain), median(ms for _, ms in slow), load_count)


def _settings(folder: Path, pages: str) -> Settings:
    settings = Settings(db=folder / "tag.db")
    slots = [{"name": f"slot-{number}", "sizes": [_SIZE]} for number in range(SLOT_COUNT)]
    drawn = image(
        "ad", _SIZE, image=f"{pages}/image/{_SIZE}.svg", image_dark=f"{pages}/image/{_SIZE}/dark.svg"
    )
    item = {"name": "ad", "tier": "house", "repeat": True, "creative": [drawn]}
    apply_catalog(settings.db, catalog_of(item, slot=slots))
    return settings


def _page(ads: str) -> str:
    """Ten slots among text, in view at once."""
    blocks = "".join(f'<p>Text.</p><div data-ad-slot="slot-{number}"></div>' for number in range(SLOT_COUNT))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Ten</title>'
        "<script>window.__seen = 0; addEventListener('adserver:viewable', () => window.__seen++)</script>"
        f'<script async src="{ads}/tag.js" data-site="daily"></script></head><body>{blocks}</body></html>'
    )


def _load(chromium: Browser, url: str, slowdown: int) -> tuple[int, float]:
    """(bytes of the tag's body as it came, milliseconds of the main thread that scripts took)."""
    context = chromium.new_context(viewport={"width": 1280, "height": 4000}, user_agent=BROWSER)
    page = context.new_page()
    session = context.new_cdp_session(page)
    # Time that the thread itself had the processor: whatever else runs on the machine is not in it.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    session.send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))
    page.goto(url, wait_until="load")
    page.wait_for_function("(count) => window.__seen === count", arg=SLOT_COUNT)
    (tag,) = [request for request in sent if request.url.endswith("/tag.js")]
    metrics = session.send("Performance.getMetrics")["metrics"]
    spent = next(one["value"] for one in metrics if one["name"] == "ScriptDuration")
    weight = tag.sizes()["responseBodySize"]
    context.close()
    return weight, 1000 * spent
