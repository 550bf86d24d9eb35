"""A slot in an iframe of `/v1/frame/…`: seen, counted, dark, and without script, on a page without tag."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adserver.app import App
from adserver.measurement.event import Kind
from adserver.settings import Settings
from tests.browser.article import Host
from tests.browser.conftest import Visit
from tests.browser.servers import RealAds, apply_catalog, serve
from tests.newsroom import catalog_of, image, rows

pytestmark = pytest.mark.browser

HTML = """<p id="found">nothing</p><script>
  try { document.getElementById("found").textContent = parent.document.title; } catch { }
  try { top.location = "/advertiser"; } catch { }
  if (matchMedia("(prefers-color-scheme: dark)").matches) document.body.className = "dark";</script>"""


@pytest.fixture
def ads(tmp_path: Path, page_host: Host) -> Iterator[RealAds]:
    cdn = page_host[0]
    urls = {"image": f"{cdn}/image/728x90.svg", "image_dark": f"{cdn}/image/728x90/dark.svg"}
    drawn = image("top", "728x90", click=f"{cdn}/advertiser", **urls)
    html = {"name": "side", "kind": "html", "size": "300x250", "html": HTML}
    items: list[dict[str, object]] = [
        {"name": name, "tier": "price", "price": {"cpm": "2.00"}, "creative": [creative]}
        for name, creative in (("top", drawn), ("side", html))
    ]
    apply_catalog(tmp_path / "ads.db", catalog_of(*items))
    with serve(App(Settings(db=tmp_path / "ads.db"))) as url:
        yield RealAds(url, tmp_path / "ads.db")


def page_with_frames(host: Host, ads: RealAds) -> str:
    url, pages = host
    frames = [
        f'<iframe id="{slot}" src="{ads.url}/v1/frame/daily/{slot}" width={width} height={height}></iframe>'
        for slot, width, height in (("top", 728, 90), ("side", 300, 250))
    ]
    pages.pages["/frames"] = (f"<!doctype html><title>Secret</title><body>{''.join(frames)}", {})
    return f"{url}/frames"


def test_what_stands_in_a_frame_is_drawn_seen_and_clicked(
    visit: Visit, page_host: Host, ads: RealAds
) -> None:
    visit.open(page_with_frames(page_host, ads))
    visit.until(lambda: ads.logged(Kind.VIEWABLE) == 2, "both are seen")
    assert rows(ads.db, "SELECT kind, count(*) FROM event GROUP BY kind") == [(1, 2), (2, 2), (3, 2)]
    top, side = visit.page.frame_locator("#top"), visit.page.frame_locator("#side")
    shown = top.locator("a img")
    assert shown.evaluate("(img) => [img.naturalWidth, img.currentSrc.slice(-10)]") == [728, "728x90.svg"]
    assert top.get_by_text("Advertisement").is_visible()
    inside = side.frame_locator("iframe")
    assert inside.locator("#found").inner_text() == "nothing"
    assert visit.page.url.endswith("/frames")
    with visit.page.expect_popup() as popup:
        shown.click()
    popup.value.wait_for_url(f"{page_host[0]}/advertiser")
    visit.until(lambda: ads.logged(Kind.CLICK) == 1, "the click counts")
    # What the creative tried with the page it was kept from, the browser says; nothing else went wrong.
    assert [text for text in visit.console_errors if "Unsafe attempt" not in text] == []


def test_a_frame_is_dark_where_the_reader_is_and_counts_without_script(
    visit_of: Callable[..., Visit], page_host: Host, ads: RealAds
) -> None:
    url = page_with_frames(page_host, ads)
    visit = visit_of(color_scheme="dark", java_script_enabled=False).open(url)
    visit.until(lambda: ads.logged(Kind.IMPRESSION) == 2, "both are counted")
    assert any(request.url.endswith("/dark.svg") for request in visit.requests)
    assert not any(request.url.endswith("728x90.svg") for request in visit.requests)
    assert rows(ads.db, "SELECT DISTINCT kind, validity FROM event") == [(1, 0)]
