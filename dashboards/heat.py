"""Hours of the week by slot → a heat map as a plain dict, and the same in words."""

from __future__ import annotations

from adserver.measurement.hours import HOURS, HourLine, WeekHours
from dashboards.figures import CONFIG, Figure, layout, plain
from dashboards.words import FEW_REQUESTS, NONE, count, counted, money

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: Colours end at twice the slot's own average, and at nothing.
MOST_INDEX = 2.0
#: Slots that are drawn, and have a row in the table; all of them are in the files.
MOST_ROWS = 10


def hour_name(hour: int) -> str:
    """132 → `Sat 12–13`."""
    day, of_day = divmod(hour, 24)
    return f"{DAYS[day]} {of_day:02}–{of_day + 1:02}"


def times(index: float | None) -> str:
    """1.84 → `1.8 ×`."""
    return NONE if index is None else f"{index:.1f} ×"


def heat_map(found: WeekHours) -> Figure:
    """A row for each slot, the one that earned most on top; a cell's value is its index, at most 2.

    An hour with few requests has none, and shows the ground.
    """
    currency = found.choice.site.currency
    lines = tuple(reversed(found.lines[:MOST_ROWS]))
    cells = {
        "type": "heatmap",
        "x": list(range(HOURS)),
        "y": [plain(line.name) for line in lines],
        "z": [[_shade(line, hour) for hour in range(HOURS)] for line in lines],
        "customdata": [[_label(line, hour, currency) for hour in range(HOURS)] for line in lines],
        "hovertemplate": "%{customdata}<extra></extra>",
        "zmin": 0,
        "zmax": MOST_INDEX,
        "colorscale": [[0, "var(--heat-0)"], [0.5, "var(--heat-1)"], [1, "var(--heat-2)"]],
        "showscale": False,
        "xgap": 0,
        "ygap": 3,
    }
    hours = {
        "fixedrange": True,
        "automargin": True,
        "tickvals": [24 * day + 11.5 for day in range(7)],
        "ticktext": list(DAYS),
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "range": [-0.5, HOURS - 0.5],
    }
    slots = {"fixedrange": True, "automargin": True, "showgrid": False, "ticks": "", "type": "category"}
    midnights = [
        {
            "type": "line",
            "x0": 24 * day - 0.5,
            "x1": 24 * day - 0.5,
            "yref": "paper",
            "y0": 0,
            "y1": 1,
            "line": {"color": "var(--raised)", "width": 2},
        }
        for day in range(1, 7)
    ]
    ground = {"plot_bgcolor": "var(--heat-none)"}
    shape = layout(hovermode="closest", xaxis=hours, yaxis=slots, shapes=midnights) | ground
    return {"data": [cells], "layout": shape, "config": CONFIG}


def _shade(line: HourLine, hour: int) -> float | None:
    index = line.index(hour)
    return None if index is None or thin(line, hour) else round(min(MOST_INDEX, index), 3)


def _label(line: HourLine, hour: int, currency: str) -> str:
    cell = line.cells[hour]
    if not cell.bucket_count:
        return f"{plain(line.name)}<br>{hour_name(hour)}<br>not in these days"
    texts = [
        line.name,
        hour_name(hour),
        f"{times(line.index(hour))} the slot’s average",
        f"{money(4 * cell.revenue_micros // cell.bucket_count, currency)} an hour",
        f"{count(cell.request_count)} requests",
    ]
    return "<br>".join(plain(text) for text in texts)


def thin(line: HourLine, hour: int) -> bool:
    """Whether an hour had so few requests that it says little."""
    return line.cells[hour].request_count < FEW_REQUESTS


def extremes(line: HourLine) -> tuple[int, int] | None:
    """The hours of the week in which a slot earns most and least; None where nothing is known of it."""
    known = [hour for hour in range(HOURS) if line.index(hour) is not None]
    if not known:
        return None
    best = max(known, key=lambda hour: (line.index(hour) or 0, -hour))
    return best, min(known, key=lambda hour: (line.index(hour) or 0, hour))


def day_parts(line: HourLine) -> list[tuple[str, float | None]]:
    """The index of each day of the week, as a table has room for."""
    whole = sum(cell.bucket_count for cell in line.cells)
    parts = []
    for number, name in enumerate(DAYS):
        cells = line.cells[24 * number : 24 * number + 24]
        buckets = sum(cell.bucket_count for cell in cells)
        earned = sum(cell.revenue_micros for cell in cells)
        known = buckets and line.revenue_micros
        parts.append((name, (earned / buckets) / (line.revenue_micros / whole) if known else None))
    return parts


def summary(found: WeekHours) -> str:
    """What the map shows, for those who do not see it."""
    if not found.lines or found.period is None:
        return "No complete day with hours in this period."
    line = found.lines[0]
    both = extremes(line)
    if both is None:
        return f"{counted(len(found.lines), 'slot')}, none of which earned anything."
    best, least = both
    most, fewest = times(line.index(best)), times(line.index(least))
    return (
        f"{line.name}, which earns most, does best on {hour_name(best)} "
        f"({most} its average) and worst on {hour_name(least)} ({fewest})."
    )
