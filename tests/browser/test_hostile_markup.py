"""Names and addresses that try to break out of what an auction's winner is drawn by, in a real browser."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog
from pydantic import ValidationError

from adserver.catalog.creative import Creative
from adserver.decision.context import Choice, Fill
from adserver.serving.disclosure import Said
from adserver.serving.openrtb.markup import markup_of
from tests.dashboards.payloads import payloads
from tests.newsroom import catalog_of, image, line_item

pytestmark = pytest.mark.browser

_ITEM = next(item for _, _, item in catalog_of(line_item("one", "house", "300x250")).line_items())
#: What every one of them is made of, and nothing else.
EACH = Counter(div=3, a=2, picture=1, source=1, img=2, details=1, summary=1, b=1, script=1)
_CHUNK = 250
#: All that a document consists of: names of elements and attributes, where links lead, title and address.
_LOOK = """() => {
  const all = [...document.body.querySelectorAll("*")];
  const protocols = all.filter((one) => one.href).map((one) => one.protocol);
  const attributes = all.flatMap((one) => one.getAttributeNames());
  return [all.map((one) => one.localName), attributes, protocols, document.title, location.href];
}"""


def creatives() -> Iterator[tuple[str, Creative]]:
    """A creative with each payload as its text, and in its addresses where the catalog takes it."""
    for payload in payloads():
        text = payload[:200]
        if not text.strip():
            continue
        for address in (f"https://x.example/?q={payload}", payload, "/plain"):
            urls = {"image": address, "image_dark": address, "click": address}
            try:
                yield text, Creative.model_validate(image("one", "300x250", **urls) | {"alt": text})
            except ValidationError:
                continue
            break


def drawn(text: str, creative: Creative) -> str:
    choice = Choice(_ITEM, creative, 1, 1, None, 0, 0)
    said = Said(text, (("On behalf of", text), ("Notice", text, f"https://x.example/{text}")))
    return markup_of(Fill("top", 1, text, choice), said, "https://ads.example", "A" * 80)


def test_no_name_and_no_address_becomes_markup(browser: Browser) -> None:
    page = browser.new_page()
    alarms: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        alarms.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.route("**/*", lambda route: route.abort())
    made = [drawn(*one) for one in creatives()]
    assert len(made) > 10
    for start in range(0, len(made), _CHUNK):
        chunk = made[start : start + _CHUNK]
        page.set_content(
            f"<!doctype html><title>t</title><body>{''.join(chunk)}</body>", wait_until="domcontentloaded"
        )
        found = page.evaluate(_LOOK)
        names, attributes, protocols, title, address = found
        assert Counter(names) == Counter({name: count * len(chunk) for name, count in EACH.items()})
        assert not [name for name in attributes if name.startswith("on")]
        assert set(protocols) <= {"https:", "http:"}
        assert (title, address) == ("t", "about:blank")
    assert alarms == []
    page.close()
