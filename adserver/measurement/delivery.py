"""What steers decisions → how far each line item with a goal is, as this worker knows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from adserver.decision.steering import Steering


class Delivery(NamedTuple):
    """A line item's goal, and what was counted towards it. The flight is half-open."""

    line_item: str
    unit: str
    goal: int
    delivered_count: int
    start: datetime
    end: datetime


Deliveries = Callable[[], Sequence[Delivery]]


def deliveries_of(steering: Steering) -> list[Delivery]:
    """Every line item with a goal and a flight, paused ones left out."""
    index = steering.pacing.index
    found = []
    for position, item in enumerate(index.items):
        account = steering.ledger.accounts[position]
        if account is None or account.goal is None or item.paused or not (item.start and item.end):
            continue
        found.append(Delivery(item.name, account.unit, account.goal, account.counted, item.start, item.end))
    return found
