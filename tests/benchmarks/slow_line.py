"""Pages of reports in a real Chromium on a slow line and processor → when they are seen, and their charts.

The line is what Lighthouse calls slow 4G (150 ms there and back, 1.6 Mbit/s), the processor four times slower
than this one, and nothing is cached. Until then the server answers as it would in service.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from playwright.sync_api import Browser, sync_playwright

from adserver.app import App
from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.servers import serve

#: What the issue "The dashboards" asks for.
MOST_PAINT_MS, MOST_DRAWN_MS = 1_000.0, 5_000.0
_SLOWDOWN = 4
_LINE = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 1.6e6 / 8,
    "uploadThroughput": 0.75e6 / 8,
}
#: When the last chart had its axes and marks.
_WITNESS = """
window.__drawn = null;
const look = () => {
  const charts = [...document.querySelectorAll('[data-figure]')];
  if (window.__drawn === null && document.readyState !== 'loading'
      && charts.every((chart) => chart.querySelector('.cartesianlayer path, .cartesianlayer image')))
    window.__drawn = performance.now();
};
new MutationObserver(look).observe(document, { subtree: true, childList: true });
document.addEventListener('DOMContentLoaded', look);
"""
_PAINTED = "performance.getEntriesByName('first-contentful-paint')[0]"


@dataclass(frozen=True)
class Shown:
    """A page's path, and milliseconds from asking for it: the first paint of content, and its last chart."""

    path: str
    paint_ms: float
    drawn_ms: float


def look_at_pages(app: App, paths: Sequence[str], *, load_count: int = 3) -> list[Shown] | None:
    """Load each page so many times and take the medians; None without a Chromium."""
    path = chromium_path()
    if path is None:
        return None
    with serve(app) as url, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        found = []
        for page in paths:
            paints, drawn = zip(*(_load(chromium, f"{url}{page}") for _ in range(load_count)), strict=True)
            found.append(Shown(page, median(paints), median(drawn)))
        chromium.close()
    return found


def _load(chromium: Browser, url: str) -> tuple[float, float]:
    context = chromium.new_context(viewport={"width": 390, "height": 844})
    context.add_init_script(_WITNESS)
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", _LINE)
    session.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWDOWN})
    page.goto(url)
    # The page's policy forbids what the browser's driver would wait with.
    while page.evaluate(f"window.__drawn === null || !{_PAINTED}"):
        page.wait_for_timeout(100)
    paint, drawn = page.evaluate(f"[{_PAINTED}.startTime, window.__drawn]")
    context.close()
    return paint, drawn
