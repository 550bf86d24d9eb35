"""Every page of reports in Chromium: axe-core and the content policy find nothing, nothing overflows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest
from playwright.sync_api import Browser

from adserver.catalog.model import Catalog
from tests.dashboards.test_browser import Visit, chromium, opened
from tests.dashboards.test_reasons import keep
from tests.dashboards.world import NOW, serving
from tests.measurement.test_cuts import CATALOG, play, visitors
from tests.newsroom import NOW as PLAYED_UNTIL
from tests.newsroom import apply_catalog, line_item
from tests.npm import npm_file

__all__ = ["chromium"]

pytestmark = pytest.mark.browser

#: Each page, in the looks that differ: light and dark side by side with wide and narrow.
PAGES = (
    "",
    "?slot=top&sort=ctr&compare=none&by=device",
    "delivery",
    "reasons",
    "hours",
    "sections",
    "reach",
    "creatives",
    "advertiser",
    "live",
)
LOOKS = ("light-1280", "dark-390")


def with_goal() -> Catalog:
    """The catalog of breakdowns, and a line item that will miss its goal."""
    flight = {"start": PLAYED_UNTIL - timedelta(days=3), "end": PLAYED_UNTIL + timedelta(days=9)}
    goal = {"goal": {"impressions": 90_000}, "price": {"cpm": "4"}}
    item = line_item("big", "guaranteed", "728x90", **flight, **goal)
    one = CATALOG.advertiser[0]
    campaign = (
        Catalog.model_validate(
            {"advertiser": [{"name": "bank", "campaign": [{"name": "autumn", "line_item": [item]}]}]}
        )
        .advertiser[0]
        .campaign[0]
    )
    autumn = one.campaign[0].model_copy(
        update={"line_item": (*one.campaign[0].line_item, *campaign.line_item)}
    )
    bank = one.model_copy(update={"campaign": (autumn, *one.campaign[1:])})
    return CATALOG.model_copy(update={"advertiser": (bank,)})


@pytest.fixture(scope="module")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of reports of two days of some browsers."""
    db, rng = tmp_path_factory.mktemp("screens") / "a.db", Random(1)
    play(db, visitors(12, rng), rng, pages=60)
    stored = apply_catalog(db, with_goal())
    keep(db, stored, "big", *(item.name for _, _, item in CATALOG.line_items()))
    with serving(db, stored) as url:
        yield url


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_is_to_be_found_on_any_page(chromium: Browser, base_url: str, look: str) -> None:
    axe = npm_file("axe-core/axe.min.js").read_text()
    assert NOW > PLAYED_UNTIL
    for page in PAGES:
        with opened(chromium, look, f"{base_url}/reports/{page}") as visit:
            assert visit.width() == visit.viewport, page
            visit.check()
            assert violations(visit, axe) == [], page


def violations(visit: Visit, axe: str) -> list[str]:
    """What axe-core finds, each with where."""
    visit.page.evaluate(axe)
    found = visit.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {json.dumps([node['target'] for node in one['nodes']])}" for one in found["violations"]
    ]
