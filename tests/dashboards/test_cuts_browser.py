"""Breakdowns and reach in a real browser: in each theme and width nothing complains, nothing overflows."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest
from playwright.sync_api import Browser

from tests.dashboards.test_browser import LOOKS, Visit, chromium, opened, opened_as
from tests.dashboards.world import serving
from tests.measurement.test_cuts import play, visitors

__all__ = ["chromium"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of reports of two days of some browsers."""
    db, rng = tmp_path_factory.mktemp("cuts") / "a.db", Random(1)
    stored = play(db, visitors(12, rng), rng, pages=120)
    with serving(db, stored) as url:
        yield url


@pytest.fixture
def visit(request: pytest.FixtureRequest, chromium: Browser, base_url: str) -> Iterator[Visit]:
    """The report as it opens in a look."""
    with opened(chromium, request.param, f"{base_url}/reports/") as visit:
        yield visit


@opened_as(*LOOKS)
def test_a_breakdown_is_chosen_by_a_link(visit: Visit) -> None:
    table = visit.page.locator("#breakdown table")
    assert table.locator("tbody th").first.text_content() in ("Nepal", "India")
    visit.page.get_by_role("link", name="Device", exact=True).click()
    visit.page.wait_for_url("**&by=device#breakdown")
    assert sorted(table.locator("tbody th").all_text_contents()) == ["Desktop", "Phone"]
    assert visit.width() == visit.viewport
    visit.check()


@opened_as(*LOOKS)
def test_reach_leads_to_the_frequency_of_a_line_item(visit: Visit) -> None:
    page = visit.page
    page.get_by_role("link", name="Reach", exact=True).click()
    page.wait_for_url("**/reports/reach?**")
    assert page.locator("#reach tbody tr").count() >= 4
    assert visit.width() == visit.viewport
    page.get_by_role("link", name="box", exact=True).click()
    page.wait_for_url("**line_item=box#breakdown")
    assert page.locator("#breakdown tbody th").first.text_content() == "1st in its browser"
    assert visit.width() == visit.viewport
    visit.check()
