"""The last 60 minutes → the page that says whether serving is healthy now, and rows for JSON and CSV.

The page asks for itself again each second and takes over what has changed; all drawing is the server's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isinf

from adserver.clock import from_ms
from adserver.measurement.pulse import MINUTES, Beat
from adserver.measurement.report import Site
from adserver.measurement.vitals import Vitals
from dashboards import words
from dashboards.exports import RATIO_PLACES, Row, asked
from dashboards.frame import TEMPLATES, frame_of

COLUMNS = (
    *("minute", "impression_count", "viewable_count", "click_count"),
    *("request_count", "fill_count", "fill_rate", "error_count", "p95_ms"),
)
BARS_WIDTH, BARS_HEIGHT = 240, 44
_QUIET_SECONDS = 300
_LATELY_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Gauge:
    """One number of the last hour, its minutes as bars, and whether it is good (1), bad (-1) or neither."""

    label: str
    value: str
    meaning: str
    bars: tuple[tuple[str, str, str], ...]
    grade: int


def live_page(vitals: Vitals, sites: Sequence[Site]) -> str:
    """The page of now."""
    said, grade = verdict(vitals)
    return TEMPLATES.get_template("live.html").render(
        **frame_of(vitals.choice, sites, "live"),
        title=f"{vitals.choice.site.domain}: live",
        vitals=vitals,
        gauges=gauges(vitals),
        verdict=said,
        grade=grade,
    )


def verdict(vitals: Vitals) -> tuple[str, str]:
    """Whether serving is healthy, as a sentence, and as `good`, `bad` or `doubtful`."""
    age = words.age(vitals.age_seconds)
    if vitals.server is not None:
        lately = sum(vitals.server[-_LATELY_MINUTES:], Beat())
        if lately.error_count:
            faults = words.counted(lately.error_count, "fault")
            return f"{faults} in the last {_LATELY_MINUTES} minutes: the server’s log says more.", "bad"
        if lately.fill_count and (vitals.age_seconds is None or vitals.age_seconds > _QUIET_SECONDS):
            return f"Slots are filled, but no event came: {age}. Is the tag’s beacon blocked?", "bad"
        if not lately.request_count:
            return f"No page asked for a slot in the last {_LATELY_MINUTES} minutes; {age}.", "doubtful"
    elif vitals.age_seconds is None or vitals.age_seconds > _QUIET_SECONDS:
        return f"Nothing came lately: {age}.", "doubtful"
    return f"Serving is healthy: {age}.", "good"


def gauges(vitals: Vitals) -> list[Gauge]:
    """The numbers of the last hour."""
    found = []
    if vitals.server is not None:
        beats = vitals.server
        whole = sum(beats, Beat())
        found = [
            Gauge(
                "Requests",
                words.count(whole.request_count),
                "Slots that pages asked for",
                bars([beat.request_count for beat in beats]),
                0,
            ),
            Gauge(
                "Fill rate",
                words.percent(whole.fill_rate),
                "Of these, those that were filled",
                bars([beat.fill_rate or 0 for beat in beats], 1),
                0,
            ),
            Gauge(
                "Time, p95",
                milliseconds(whole.p95_ms),
                "95 of 100 pages are decided within",
                bars([_bounded(beat.p95_ms) for beat in beats]),
                0,
            ),
            Gauge(
                "Errors",
                words.count(whole.error_count),
                "Faults of ours; the page got empty slots",
                bars([beat.error_count for beat in beats]),
                -1 if whole.error_count else 1,
            ),
        ]
    here = vitals.choice.slot or vitals.choice.site.domain
    for label, name in (("Impressions", "impression_count"), ("Clicks", "click_count")):
        counts = [getattr(minute, name) for minute in vitals.site]
        found.append(Gauge(label, words.count(sum(counts)), f"On {here}", bars(counts), 0))
    return found


def _bounded(value: float | None) -> float:
    return 0.0 if value is None else min(value, 2000.0)


def milliseconds(value: float | None) -> str:
    """0.5 → `0.5 ms`; what is beyond all bounds is `over 1 s`."""
    if value is None:
        return words.NONE
    return "over 1 s" if isinf(value) else f"{value:g}\u00a0ms"


def bars(values: Sequence[float], most: float | None = None) -> tuple[tuple[str, str, str], ...]:
    """Values in order → (left, top, height) of a bar for each that is not 0, in a box of 240 × 44."""
    top = most or max(values, default=0) or 1
    width = BARS_WIDTH / len(values)
    return tuple(
        (f"{n * width:.1f}", f"{BARS_HEIGHT - height:.1f}", f"{height:.1f}")
        for n, value in enumerate(values)
        if value and (height := max(1.5, BARS_HEIGHT * min(1, value / top)))
    )


def live_rows(vitals: Vitals) -> list[Row]:
    """One row a minute; what is the whole server's is empty for those who may read some sites only."""
    rows = []
    for place, minute in enumerate(vitals.site):
        beat = vitals.server[place] if vitals.server is not None else None
        rate, p95 = (beat.fill_rate, beat.p95_ms) if beat else (None, None)
        rows.append(
            {
                "minute": from_ms(minute.minute * 60_000).isoformat(),
                "impression_count": minute.impression_count,
                "viewable_count": minute.viewable_count,
                "click_count": minute.click_count,
                "request_count": beat.request_count if beat else None,
                "fill_count": beat.fill_count if beat else None,
                "fill_rate": None if rate is None else round(rate, RATIO_PLACES),
                "error_count": beat.error_count if beat else None,
                "p95_ms": None if p95 is None or isinf(p95) else float(p95),
            }
        )
    assert len(rows) == MINUTES, "an hour has 60 minutes"
    return rows


def live_json(vitals: Vitals) -> Row:
    """What was asked, the age of the newest event, and the minutes."""
    age = vitals.age_seconds
    rounded = None if age is None else round(age, 3)
    return {**asked(vitals.choice), "last_event_age_seconds": rounded, "rows": live_rows(vitals)}
