"""A publisher's article with the tag of the real server → what its browser asks and reports."""

from __future__ import annotations

from tests.browser.conftest import Visit
from tests.browser.servers import Json, PageHost, RealAds

Host = tuple[str, PageHost]

TOP = '<div data-ad-slot="top" data-sizes="970x250"></div>'
END = '<div data-ad-slot="end"></div>'
FRAME = '<div data-ad-slot="frame"></div>'
FAR_BELOW = '<div style="height: 3000px"></div>'
#: So much of the creative, from its top, is in view for some time, and then none of it any more. Timed in the
#: page itself, so that nothing between it and the test makes it longer.
GLANCE = """
([share, ms]) => new Promise((done) => {
  const box = document.querySelector("[data-ad-slot] img").getBoundingClientRect();
  scrollTo(0, scrollY + box.top + box.height * share - innerHeight);
  setTimeout(() => { scrollTo(0, 0); done(); }, ms);
})
"""


def put(
    host: Host,
    ads: RealAds,
    body: str,
    *,
    tag: str = "",
    head: str = "",
    headers: dict[str, str] | None = None,
) -> str:
    """Puts a page with this body on the host → its URL. `tag`: more attributes of the script element."""
    url, pages = host
    script = f'<script async src="{ads.url}/tag.js" data-site="daily" {tag}></script>'
    html = f"""<!doctype html><html lang="en" data-theme="light">
    <head><meta charset="utf-8"><title>Article</title>{head}{script}</head><body>{body}</body></html>"""
    pages.pages["/article"] = (html, headers or {})
    return f"{url}/article"


def the_fill_request(visit: Visit) -> Json:
    """The body of the one fill request of a page."""
    visit.until(lambda: len(visit.sent_to("/v1/fill")) == 1, "the page asks")
    body: Json = visit.sent_to("/v1/fill")[0]
    return body


def await_impressions(visit: Visit, count: int) -> list[str]:
    """Waits until so many impressions were sent → their fill tokens."""
    visit.until(lambda: len(visit.events("impression")) == count, f"{count} impressions")
    return visit.events("impression")


def settle(visit: Visit) -> None:
    """Long enough for anything wrongly sent to have been sent (events wait for 100 ms)."""
    visit.page.wait_for_timeout(300)
