"""A line item that stands twice on a page goes on in its sequence there, too."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from adserver.decision.context import Ask, Context, Fill
from tests.decision.deciding import serve, steering_of
from tests.newsroom import NOW, catalog_of, image


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_creatives_in_sequence_follow_each_other_on_one_page(slots: int) -> None:
    creatives: list[Any] = [image(f"c{n}", "728x90") for n in range(2)]
    item: dict[str, object] = {"name": "own", "tier": "house", "repeat": True, "rotation": "sequential"}
    steering = steering_of(catalog_of({**item, "creative": creatives}), NOW)
    names = []
    for _ in range(6):
        for fill in serve(steering, Context("daily"), [Ask("top")] * slots, NOW, Random(1)):
            assert isinstance(fill, Fill)
            names.append(fill.choice.creative.name)
    assert names == ["c0", "c1"] * (3 * slots)
