"""Delivered pages → how far each line item was from its due, on average, in points of its goal.

Due is what an even delivery would have delivered by then: the goal times the part of the site's true page
views, within the line item's own active hours, that have passed.
"""

from __future__ import annotations

import numpy as np

from tests.simulation.pages import Pages
from tests.simulation.traffic import QUARTER_US, WEEK_US, Floats
from tests.simulation.world import World

_TICK_US = 60_000_000


def pacing_errors(world: World, pages: Pages) -> Floats:
    """Mean |delivered − due| over the minutes in which a line item is active; 0 without a goal."""
    lines, start_us = world.lines, world.start_us
    ticks = np.arange(0, WEEK_US, _TICK_US)
    minute = ((world.views.at_us - start_us) // _TICK_US).astype(np.int64)
    arrived = np.bincount(minute, minlength=len(ticks)).astype(np.float64)
    errors = np.zeros(len(lines.items))
    view, _ = np.nonzero(pages.filled >= 0)
    shown = pages.filled[pages.filled >= 0]
    for number in np.flatnonzero(lines.goal > 0):
        active = lines.active[number, ticks // QUARTER_US]
        passed = np.cumsum(arrived * active)
        if passed[-1] == 0:
            continue
        mine = np.bincount(minute[view[shown == number]], minlength=len(ticks))
        away = np.abs(np.cumsum(mine) / lines.goal[number] - passed / passed[-1])
        errors[number] = 100 * float(away[active].mean())
    return errors
