"""Pages of a server → pictures in light and dark, wide and narrow, in var/screens/, for people to look at.

`python -m tests.browser.screens` starts the demo for this; with an address, and paths if wanted, such as
`python -m tests.browser.screens http://127.0.0.1:8000 /reports/`, it takes them from a server that runs.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal
from urllib.error import URLError

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import FLAGS, chromium_path
from tests.browser.front import first_article

FOLDER = Path("var/screens")
WIDTHS = (1280, 390)
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
#: Filling the demo's past takes most of it.
START_SECONDS = 300


def shoot(browser: Browser, url: str, theme: Theme, width: int) -> Path:
    """One picture of the whole page → its file, named for path, theme and width."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=theme)
    page = context.new_page()
    page.goto(url)
    for y in range(0, page.evaluate("document.documentElement.scrollHeight"), 450):
        page.evaluate("(y) => scrollTo(0, y)", y)  # pictures further down are loaded when they come near
        page.wait_for_timeout(50)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_load_state("networkidle")
    # Frames out of view are not painted, so the whole page comes into view.
    page.set_viewport_size({"width": width, "height": page.evaluate("document.documentElement.scrollHeight")})
    page.wait_for_timeout(500)
    name = re.sub(r"\W+", "-", url.split("://", 1)[1].partition("/")[2]).strip("-") or "home"
    file = FOLDER / f"{name}-{theme}-{width}.png"
    page.screenshot(path=file, full_page=True)
    context.close()
    return file


@contextmanager
def demo() -> Iterator[str]:
    """The demo newsroom with some past, on a free port → its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "adserver", "demo", "--db", str(FOLDER / "demo.db"), "--port", port]
    with subprocess.Popen([*command, "--pages-per-day", "200"]) as server:
        try:
            url = f"http://127.0.0.1:{port}"
            _await_ready(url, server)
            yield url
        finally:
            server.terminate()


def _await_ready(url: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=5).close()
        except URLError:
            assert server.poll() is None, "the demo stopped before it was ready"
            assert time.monotonic() < end, "the demo did not become ready"
            time.sleep(0.2)
        else:
            return


def shoot_all(base_url: str, *paths: str) -> None:
    """Takes all pictures and prints their files."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        wanted = paths or ("/demo/", first_article(base_url), "/demo/archive", "/reports/", "/reports/reach")
        for path, theme, width in product(wanted, THEMES, WIDTHS):
            print(shoot(browser, base_url.rstrip("/") + path, theme, width))
        browser.close()


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    if sys.argv[1:]:
        shoot_all(*sys.argv[1:])
    else:
        with demo() as demo_url:
            shoot_all(demo_url)
