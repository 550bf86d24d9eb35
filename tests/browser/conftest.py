"""A Chromium for the tests of this package, and what a page did in it → `Visit`."""

from __future__ import annotations

import os
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from adserver.app import App
from adserver.catalog.model import Catalog
from adserver.settings import Settings
from tests.browser.servers import PageHost, RealAds, ScriptedAds, apply_catalog, serve
from tests.newsroom import BROWSER

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: Collects, from the first moment on, every layout shift with what moved, and all errors and rejections that
#: no script caught.
_WITNESS = """
window.__shift = 0;
window.__moves = [];
window.__errors = [];
(() => {
  const name = (node) => {
    if (!node) return "a node that is gone";
    const element = node instanceof Element ? node : node.parentElement;
    const text = (node.textContent || "").trim().replace(/\\s+/g, " ").slice(0, 40);
    return `${node.nodeName} in ${element ? element.outerHTML.slice(0, 90) : "nothing"} "${text}"`;
  };
  const box = ({ x, y, width, height }) => `${width}x${height} at ${x},${y}`;
  const move = ({ node, previousRect: from, currentRect: to }) => `${name(node)}: ${box(from)} → ${box(to)}`;
  const record = ({ value, startTime, sources }) => {
    window.__shift += value;
    const moved = sources.map(move).join("; ") || "nothing that has a name";
    window.__moves.push(`${value} at ${Math.round(startTime)} ms: ${moved}`);
  };
  new PerformanceObserver((list) => list.getEntries().forEach(record))
    .observe({ type: "layout-shift", buffered: true });
})();
addEventListener("error", (event) => window.__errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => window.__errors.push(String(event.reason)));
"""


@dataclass
class Visit:
    """A page in the browser, and what it asked for and complained about."""

    page: Page
    requests: list[Request] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)

    def open(self, url: str) -> Visit:
        """Goes there and waits for the load event."""
        self.page.goto(url, wait_until="load")
        return self

    def sent_to(self, path: str) -> list[Any]:
        """JSON bodies of the POSTs to a path of whatever server, in order."""
        return [r.post_data_json for r in self.requests if r.method == "POST" and r.url.endswith(path)]

    def fills(self) -> list[Any]:
        """The entries of the first answer of `/v1/fill`."""
        request = next(r for r in self.requests if r.method == "POST" and r.url.endswith("/v1/fill"))
        response = request.response()
        assert response, "it was answered"
        fills: list[Any] = response.json()["fills"]
        return fills

    def events(self, kind: str) -> list[str]:
        """Fill tokens of the events of one type that the page sent."""
        return [e["fill"] for body in self.sent_to("/v1/events") for e in body["events"] if e["type"] == kind]

    def until(self, holds: Callable[[], bool], what: str, timeout_ms: int = 5000) -> None:
        """Waits until something holds, while the browser goes on."""
        end = time.monotonic() + timeout_ms / 1000
        while not holds():
            assert time.monotonic() < end, f"waited {timeout_ms} ms in vain: {what}"
            self.page.wait_for_timeout(20)

    @property
    def shift(self) -> float:
        """Cumulative layout shift so far, shifts after input included."""
        return float(self.page.evaluate("window.__shift"))

    @property
    def moves(self) -> str:
        """A line for each layout shift: its value, when it happened and what moved from where to where."""
        moves: list[str] = self.page.evaluate("window.__moves")
        return "\n".join(moves)

    @property
    def script_errors(self) -> list[str]:
        """Uncaught errors and rejections in the page."""
        errors: list[str] = self.page.evaluate("window.__errors")
        return errors


def chromium_path() -> str | None:
    """The machine's own Chromium; None where there is none (Playwright then looks for its own)."""
    return os.environ.get("ADSERVER_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """One Chromium for the package, not for the session: while it lives, no other test can run a loop."""
    path = chromium_path()
    if not path and os.environ.get("ADSERVER_REQUIRE_BROWSER") != "1":
        pytest.skip("no Chromium found (set ADSERVER_CHROMIUM to its path)")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit_of(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens a fresh browser profile: `visit_of(width=390, color_scheme="dark")`, keys as Playwright's."""
    contexts: list[BrowserContext] = []

    def begin(width: int = 1280, height: int = 800, **options: Any) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, user_agent=BROWSER, **options
        )
        contexts.append(context)
        context.add_init_script(_WITNESS)
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request))
        visit.page.on("console", lambda m: visit.console_errors.append(m.text) if m.type == "error" else None)
        return visit

    yield begin
    for context in contexts:
        context.close()


@pytest.fixture
def visit(visit_of: Callable[..., Visit]) -> Visit:
    """A fresh profile, 1280 × 800, light."""
    return visit_of()


@pytest.fixture
def page_host() -> Iterator[tuple[str, PageHost]]:
    """A publisher's server: its base URL, and where to put pages."""
    host = PageHost()
    with serve(host.app()) as url:
        yield url, host


@pytest.fixture
def scripted_ads() -> Iterator[tuple[str, ScriptedAds]]:
    """An ad server that answers as the test says: its base URL, and what it says and was sent."""
    ads = ScriptedAds()
    with serve(ads.app()) as url:
        yield url, ads


@pytest.fixture
def real_ads(tmp_path: Path, page_host: tuple[str, PageHost]) -> Iterator[RealAds]:
    """The real server with `catalog.toml`, whose images and advertiser are at the page host."""
    settings = Settings(db=tmp_path / "ads.db")
    text = (Path(__file__).parent / "catalog.toml").read_text(encoding="utf-8")
    tables = tomllib.loads(text.replace("{cdn}", page_host[0]))
    apply_catalog(settings.db, Catalog.model_validate(tables))
    with serve(App(settings)) as url:
        yield RealAds(url, settings.db)
