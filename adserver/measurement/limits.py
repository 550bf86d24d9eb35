"""A stored catalog → the limits that the log keeps: goals, budgets and daily budgets of all line items.

Line items that were removed keep theirs: what they served before may still be counted, but not beyond what
was bought.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_limits import Limit
from adserver.measurement.event import Kind
from adserver.money import parse_micros

#: Unit of a goal in the catalog → the kind of event that it counts.
GOAL_KINDS = {"impressions": Kind.IMPRESSION, "viewables": Kind.VIEWABLE, "clicks": Kind.CLICK}


def limits_of(stored: Stored) -> list[Limit]:
    """Limits of every line item that has any, by its id; archived ones as they were last."""
    limits = []
    for _, _, item in stored.catalog.line_items():
        goal = item.goal.model_dump(exclude_none=True) if item.goal else {}
        limits.append(_limit(stored.ids["line_item", item.name], goal, item.budget, item.daily_budget))
    for path, body in stored.archived.items():
        if path[0] == "line_item":
            budget, daily = (_micros(body, key) for key in ("budget", "daily_budget"))
            limits.append(_limit(stored.ids[path], body.get("goal", {}), budget, daily))
    return [limit for limit in limits if limit[2:] != (None, None, None)]


def _limit(number: int, goal: Mapping[str, int], budget: int | None, daily: int | None) -> Limit:
    for unit, count in goal.items():
        return Limit(number, GOAL_KINDS[unit], count, budget, daily)
    return Limit(number, 0, None, budget, daily)


def _micros(body: Mapping[str, Any], key: str) -> int | None:
    return parse_micros(body[key]) if key in body else None
