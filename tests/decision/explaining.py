"""Line items and a page → the page explained, for tests of what is told."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

from adserver.catalog.model import Catalog
from adserver.decision.context import Ask, Context
from adserver.decision.explain import Explanation, SlotExplained, Verdict, explain
from adserver.decision.look import look
from adserver.decision.steering import Steering
from adserver.decision.tally import Tally
from tests.decision.deciding import steering_of
from tests.newsroom import NOW, line_item

TOP, SIDE = Ask("top"), Ask("side")
PAGE = Context("daily")
DAY = timedelta(days=1)
FLIGHT = {"start": NOW - 4 * DAY, "end": NOW + 6 * DAY}


def explained(
    catalog: Catalog,
    *asks: Ask,
    context: Context = PAGE,
    steering: Steering | None = None,
    tally: Tally | None = None,
    stored: bool = True,
    **keys: Any,
) -> Explanation:
    """A page explained as it would be served now; to a first visit, when no tally is given."""
    steering = steering or steering_of(catalog, NOW)
    kept = (tally or Tally()) if stored else None
    looked = look(steering.decider, context, asks or (TOP,), NOW, Random(0), kept)
    return explain(looked, catalog, **{"limit": 100, **keys})


def verdict(of: Explanation | SlotExplained, name: str) -> Verdict:
    """What became of a line item in a slot, the first one of the page."""
    slot = of.slots[0] if isinstance(of, Explanation) else of
    (found,) = [one for one in slot.line_items if one.line_item == name]
    return found


def own(**keys: Any) -> dict[str, object]:
    """A house ad for the slot `top`."""
    return line_item("own", "house", "728x90", **keys)


def paying(name: str, cpm: str, *sizes: str, **keys: Any) -> dict[str, object]:
    """A line item that pays a CPM."""
    return line_item(name, "price", *(sizes or ("728x90",)), price={"cpm": cpm}, **keys)
