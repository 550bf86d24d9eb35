"""Every screen in Chromium, with texts that try to break out: axe-core and content policy find nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from itertools import cycle
from typing import Literal

import pytest
from playwright.sync_api import Browser

from adserver.console.pages import ASSETS
from tests.console.office import Office, office, sign_in
from tests.dashboards.payloads import payloads
from tests.dashboards.test_browser import Visit, chromium, opened
from tests.newsroom import BROWSER
from tests.test_parity import screens

__all__ = ["chromium"]
pytestmark = pytest.mark.browser

ADMIN = "admin@news.example"
AXE = files("axe_playwright_python").joinpath("axe.min.js")
MARK = f"/console/{ASSETS.path('mark.svg')}"
ITEM, CREATIVE = "savings-top", "savings-970"
SCREENS = (
    "",
    "catalog/",
    "catalog/site/daily",
    "catalog/slot/daily/article-top",
    "catalog/advertiser/himal-bank",
    "catalog/campaign/himal-bank/savings",
    f"catalog/line_item/{ITEM}",
    f"catalog/creative/{CREATIVE}",
    "catalog/new/site",
    f"catalog/new/creative?in={ITEM}",
    f"catalog/new/line_item?in=himal-bank/savings&copy={ITEM}",
    "line_items",
    "line_items/table",
    "line_items/import",
    "why",
    f"why/{ITEM}",
    "history",
    "history/2",
    "history/2/undo",
    "users",
    "users/new",
    "users/2",
    "account",
    "account?totp=1",
    "forgotten",
)
#: What others see of the same screens.
OF_OTHERS = {
    "ops@news.example": ("", "catalog/"),
    "boss@news.example": ("", "catalog/site/daily", "why"),
    "bank@bank.example": ("", f"catalog/line_item/{ITEM}", f"catalog/creative/{CREATIVE}"),
}
#: Screens that other tests here come to by clicks, and what is a part of one.
BY_CLICKS = frozenset(("/why/page", "/proof/{token}/{creative}", "/preview/{name}"))
#: Neither a screen: what is downloaded, and what is put into one.
NO_SCREENS = frozenset(
    (
        "/line_items.csv",
        "/history/{version:number}/catalog.toml",
        "/slots/seen/{site}/{slot}",
        "/static/{file}",
    )
)


@pytest.fixture(scope="module")
def texts() -> list[str]:
    """Short ones, which fit into every field."""
    short = [
        text for text in payloads() if 5 < len(text) <= 150 and text.isprintable() and text == text.strip()
    ]
    assert len(short) > 5
    return short[:60]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("screens") / "ads.db") as open_office:
        api = open_office.with_token(ADMIN, "read", "write")
        edits = [
            {"kind": "slot", "name": "daily/article-top", "set": {"label": texts[0]}},
            {"kind": "site", "name": "daily", "set": {"exclude_topics": texts}},
            {"kind": "line_item", "name": ITEM, "set": {"labels": texts, "allow_topics": texts}},
            {
                "kind": "creative",
                "name": CREATIVE,
                "set": {"alt": texts[1], "image": MARK, "image_dark": MARK},
            },
        ]
        body = {"edits": [{"action": "change", **edit} for edit in edits], "note": " ".join(texts)[:1000]}
        assert api.post("/api/v1/changes", json=body).status_code == 200
        reader = open_office.visitor()
        reader.headers["user-agent"] = BROWSER
        page = {"section": texts[2], "topics": texts[:5], "url": texts[3]}
        ask = {"site": "daily", "page": page, "slots": [{"slot": "article-top"}], "tally": ""}
        assert reader.post("/v1/fill", json=ask).status_code == 200
        yield open_office


@pytest.fixture(scope="module")
def base_url(place: Office) -> str:
    return place.url


@pytest.fixture
def visit(chromium: Browser, place: Office) -> Iterator[Visit]:
    """Signed in, by hand."""
    with opened(chromium, "light-1280", f"{place.url}/console/") as visit:
        visit.page.on("dialog", lambda dialog: visit.complaints.append(f"dialog: {dialog.message}"))
        inspect(visit, "sign-in")
        sign_in(visit.page, ADMIN)
        yield visit


#: Beside wide and light, of which all is asked: in turn, so that a third of all screens has each.
LOOKS: Iterator[tuple[int, Literal["light", "dark"]]] = cycle(((390, "dark"), (1280, "dark"), (390, "light")))


def inspect(visit: Visit, screen: str) -> None:
    """Nothing is found on a screen: of all wide and light, of contrast and sizes in one more look."""
    page = visit.page
    visit.check()
    page.evaluate(AXE.read_text())
    assert violations(visit, "{resultTypes: ['violations']}") == [], screen
    contrast = "{runOnly: ['color-contrast', 'scrollable-region-focusable', 'target-size']}"
    page.set_viewport_size({"width": 390, "height": 844})
    assert visit.width() <= 390, screen
    width, scheme = next(LOOKS)
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    assert violations(visit, contrast) == [], (screen, width, scheme)
    # axe-core asks frames too, also the one of the preview, which has no origin and so does not hear it.
    visit.complaints[:] = [said for said in visit.complaints if "postMessage" not in said]
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 844})


def violations(visit: Visit, options: str) -> list[str]:
    found = visit.page.evaluate(f"axe.run(document, {options})")["violations"]
    return [f"{one['id']}: {json.dumps([node['target'] for node in one['nodes']])}" for one in found]


def test_nothing_is_to_be_found_on_any_screen(visit: Visit, place: Office) -> None:
    for screen in SCREENS:
        visit.page.goto(f"{place.url}/console/{screen}")
        visit.page.wait_for_load_state("networkidle" if "line_item/" in screen else "load")
        inspect(visit, screen)


def test_nothing_is_to_be_found_on_what_others_see(chromium: Browser, place: Office) -> None:
    for email, seen in OF_OTHERS.items():
        with opened(chromium, "light-1280", f"{place.url}/console/") as visit:
            sign_in(visit.page, email)
            for screen in seen:
                visit.page.goto(f"{place.url}/console/{screen}")
                visit.page.wait_for_load_state("networkidle")
                inspect(visit, f"{email}: {screen}")


def test_every_screen_is_looked_at() -> None:
    looked_at = [f"/{screen.partition('?')[0]}" for screen in SCREENS]
    missing = [
        pattern
        for pattern in screens("GET")
        if pattern not in BY_CLICKS | NO_SCREENS
        and not any(re.fullmatch(re.sub(r"\{[^}]+\}", ".+", pattern), path) for path in looked_at)
    ]
    assert missing == []


def test_what_was_typed_is_what_is_shown_and_what_many_changes_would_do_is_a_screen_too(
    visit: Visit, place: Office, texts: list[str]
) -> None:
    page = visit.page
    page.goto(f"{place.url}/console/catalog/line_item/{ITEM}")
    assert page.input_value("#labels").splitlines() == texts
    page.goto(f"{place.url}/console/why")
    page.click(".lines a")
    assert texts[2] in page.locator(".facts").inner_text()
    inspect(visit, "why/page")
    page.goto(f"{place.url}/console/line_items/table")
    page.fill("[name=price-0]", "5.00 cpm")
    page.click("text=See what would change")
    inspect(visit, "line_items, what would change")
    page.click("text=Apply all of it")
    assert '"5.00"' in page.inner_text("main")
    visit.check()


def test_an_advertiser_sees_nothing_wrong_with_a_proof(visit: Visit, place: Office) -> None:
    page = visit.page
    page.goto(f"{place.url}/console/catalog/line_item/{ITEM}")
    page.click("text=Make a link")
    inspect(visit, "a proof link")
    link = page.inner_text("#link").partition("/console/")[2]
    page.goto(f"{place.url}/console/{link}")
    page.fill("#name-1", "Maya")
    page.fill("#comment-1", "<b>Bluer</b>")
    page.click("text=Ask for changes")
    page.wait_for_selector("text=Thank you")
    assert page.inner_text(".comment") == "<b>Bluer</b>"
    inspect(visit, "proof")


def test_a_targeting_is_estimated_and_a_creative_drawn_while_they_are_typed(
    visit: Visit, place: Office
) -> None:
    page = visit.page
    page.goto(f"{place.url}/console/catalog/line_item/{ITEM}")
    page.wait_for_selector(".estimate strong")
    page.fill("#target-country", "Nepal")
    page.wait_for_selector("text=No estimate")
    page.goto(f"{place.url}/console/catalog/creative/{CREATIVE}")
    assert page.is_visible("#image") and not page.is_visible("#html")
    page.fill("#size", "320x50")
    page.frame_locator("iframe.preview").locator("text=320 × 50").first.wait_for()
    assert page.url.endswith(CREATIVE) and page.input_value("#size") == "320x50"
    page.go_back()
    page.wait_for_url(f"{place.url}/console/catalog/line_item/{ITEM}")
    page.go_forward()
    page.select_option("#kind", "html")
    assert page.is_visible("#html") and not page.is_visible("#image")
    page.fill("#html", "<p>Tea</p>")
    page.click("text=Save")
    page.wait_for_selector("text=Saved.")
    assert page.input_value("#image") == "" and page.input_value("#html") == "<p>Tea</p>"
