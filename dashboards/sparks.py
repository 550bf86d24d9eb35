"""Numbers → small pictures as points of SVG, drawn by the server: sparklines and diverging bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 120, 28
#: Half the width of a diverging bar's box; zero stands in its middle.
HALF = 100


@dataclass(frozen=True, slots=True)
class Spark:
    """A sparkline of complete days in a box of 120 × 28, as points of SVG: its line and the area below."""

    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar that begins at zero, in the middle of a box 200 wide: its left edge and width."""

    x: str
    width: str
    direction: int


def spark(values: Sequence[float | None]) -> Spark | None:
    """Values in order → their line, zero at its foot; gaps are bridged. None for fewer than two values."""
    known = [(position, value) for position, value in enumerate(values) if value is not None]
    if len(known) < 2:
        return None
    top = max(value for _, value in known) or 1
    step, inner = WIDTH / (len(values) - 1), HEIGHT - 4
    points = [f"{n * step:.1f},{HEIGHT - 2 - inner * value / top:.1f}" for n, value in known]
    ends = [f"{n * step:.1f},{HEIGHT}" for n in (known[0][0], known[-1][0])]
    return Spark(" ".join(points), " ".join([ends[0], *points, ends[1]]))


def bar(value: int, most: int) -> Bar:
    """A value between -`most` and `most` → its bar; what is not 0 is at least a hair wide."""
    size = max(0.8, HALF * abs(value) / most) if value and most else 0.0
    left = HALF if value > 0 else HALF - size
    return Bar(f"{left:.2f}", f"{size:.2f}", (value > 0) - (value < 0))
