"""Pages as PDF and PNG: what is drawn, for whom, within which bounds, and that nothing else is reached."""

from __future__ import annotations

import asyncio
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2 as httpx
import pytest
from pydantic import SecretStr

from adserver.engines.catalog_store import Stored
from adserver.settings import Settings
from dashboards.frame import VIEWS
from dashboards.printing import NotPrinted, Printer, printer_of
from tests.dashboards.world import serving

pytestmark = pytest.mark.browser
PAGES = sorted({path.strip("./") or "revenue" for path, _ in VIEWS} - {"advertiser"})
PNG = b"\x89PNG\r\n\x1a\n"


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height (PNG, 11.2.1)."""
    assert png.startswith(PNG)
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_printed_with_links_that_lead_to_the_server(base_url: str, name: str) -> None:
    answer = httpx.get(f"{base_url}/reports/{name}.pdf?site=daily&period=7d", timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == f'inline; filename="{name}-daily-7d.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"%PDF-") and len(answer.content) > 10_000
    assert re.search(rb"/Type ?/Page\b", answer.content)
    links = set(re.findall(rb"/URI \((http[^)]*)\)", answer.content))
    assert all(link.startswith(b"http://127.0.0.1:8000/") for link in links), links


def test_a_chart_is_a_picture_and_so_is_a_page_without_one(base_url: str) -> None:
    chart, page = (
        httpx.get(f"{base_url}/reports/{name}.png?site=daily&period=7d", timeout=60)
        for name in ("revenue", "delivery")
    )
    for answer in (chart, page):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "image/png"
    width, height = size_of(chart.content)
    assert 1_600 < width <= 1_800 and 800 < height < 1_600
    assert len(chart.content) > 50_000, "bars, steps and words take more than an empty frame"
    assert size_of(page.content)[0] == 1_800


def test_pages_name_their_prints(base_url: str) -> None:
    page = httpx.get(f"{base_url}/reports/?site=daily&period=7d&sort=ctr").text
    assert 'href="revenue.pdf?site=daily&amp;period=7d&amp;sort=ctr"' in page
    assert 'href="revenue.png?site=daily&amp;period=7d&amp;sort=ctr"' in page


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("revenue.pdf?site=nowhere", 400),
        ("hours.pdf?period=x", 400),
        ("slots.json.pdf", 404),
        ("none.pdf", 404),
        ("static/base.pdf", 404),
        ("advertiser.pdf?advertiser=nobody", 400),
    ],
)
def test_what_is_no_page_is_refused_as_its_page_is(base_url: str, path: str, status: int) -> None:
    assert httpx.get(f"{base_url}/reports/{path}", timeout=60).status_code == status


def test_prints_are_for_those_who_may_read_the_page(database: Path, catalog: Stored) -> None:
    with serving(database, catalog, Settings(db=database, reports_password=SecretStr("päss"))) as url:
        assert httpx.get(f"{url}/reports/revenue.pdf").status_code == 401
        assert httpx.get(f"{url}/reports/shared/{'x' * 32}.pdf").status_code == 404


def test_without_a_browser_it_is_said_how_to_have_one(database: Path, catalog: Stored) -> None:
    with serving(database, catalog, Settings(db=database, chromium=Path("/nowhere"))) as url:
        answer = httpx.get(f"{url}/reports/revenue.pdf")
        assert (answer.status_code, "adserver[export]" in answer.text) == (501, True)
        assert ".pdf" not in httpx.get(f"{url}/reports/").text


def test_what_cannot_be_printed_just_now_can_be_asked_for_again(
    tmp_path: Path, database: Path, catalog: Stored
) -> None:
    broken = tmp_path / "chromium"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    with serving(database, catalog, Settings(db=database, chromium=broken)) as url:
        answer = httpx.get(f"{url}/reports/revenue.pdf", timeout=60)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert str(broken) not in answer.text


@contextmanager
def stranger() -> Iterator[tuple[str, list[str]]]:
    """Somebody else's server: its address, and what it was asked for."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


def printer(tmp_path: Path, seconds: float = 30.0, most_waiting: int = 8) -> Printer:
    settings = Settings(db=tmp_path / "a.db", print_seconds=seconds, max_prints_waiting=most_waiting)
    found = printer_of(settings)
    assert found, "no Chromium"
    return found


def test_no_address_in_a_page_is_followed(tmp_path: Path) -> None:
    with stranger() as (url, asked):
        page = (
            f'<link rel="stylesheet" href="{url}/a.css"><script src="{url}/b.js"></script>'
            f'<iframe src="{url}/c"></iframe><main><img src="{url}/d.png"><object data="{url}/e"></object>'
            f'<meta http-equiv="refresh" content="0;url={url}/f"><p>Read on</p></main>'
        )
        png = asyncio.run(printer(tmp_path).picture(page, "/reports/"))
    assert png.startswith(PNG)
    assert asked == []


def test_a_page_that_is_never_drawn_ends_in_time(tmp_path: Path) -> None:
    slow = printer(tmp_path, seconds=3.0)
    with pytest.raises(NotPrinted, match="within 3 seconds"):
        asyncio.run(slow.pdf("<main><div data-figure='none'></div></main>", "/reports/"))


def test_only_so_many_wait(tmp_path: Path) -> None:
    async def all_at_once() -> list[bytes | BaseException]:
        one = printer(tmp_path, most_waiting=1)
        asks = [one.pdf("<main>One</main>", "/reports/") for _ in range(4)]
        return await asyncio.gather(*asks, return_exceptions=True)

    found = asyncio.run(all_at_once())
    assert [isinstance(one, bytes) for one in found] == [True, True, False, False]
    assert all(isinstance(one, NotPrinted) for one in found[2:])
