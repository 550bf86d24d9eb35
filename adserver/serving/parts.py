"""Settings, clock, log, keys and catalog → the one value that the edge is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from adserver.clock import Clock
from adserver.decision.steering import Steering
from adserver.decision.tally import TallyKey
from adserver.measurement.event import Validity, Windows
from adserver.measurement.log import EventLog
from adserver.measurement.period import DayOf, utc_day
from adserver.measurement.sections import Sections
from adserver.measurement.token import FillIds, TokenKey
from adserver.serving.consent import Consents
from adserver.serving.jobs import Jobs
from adserver.serving.live import Live
from adserver.serving.preview_token import PreviewKey
from adserver.serving.screen import Screen
from adserver.serving.visitor import CountryOf
from adserver.settings import Settings


@dataclass(slots=True)
class EdgeCounts:
    """What the edge met since it was started; the metrics page reads it."""

    page_requests: int = 0
    unreadable: int = 0
    forged: int = 0
    errors: int = 0
    clicks: int = 0
    conversions: int = 0
    invalid: dict[str, int] = field(default_factory=dict)
    """Requests of pages, beacons and clicks that are invalid traffic, by rule."""

    def count_invalid(self, found: Validity) -> None:
        """Take note of what a request was found to be."""
        if found:
            name = found.name.lower()
            self.invalid[name] = self.invalid.get(name, 0) + 1


@dataclass(slots=True)
class Parts:
    """What the edge is made of; `live` is replaced when a new catalog version is ready."""

    settings: Settings
    clock: Clock
    log: EventLog
    key: TokenKey
    ids: FillIds
    tally_key: TallyKey
    preview_key: PreviewKey
    live: Live
    steering: Steering
    country_of: CountryOf
    screen: Screen
    sections: Sections
    consents: Consents
    rng: Random
    windows: Windows
    jobs: Jobs
    day_of: DayOf = utc_day
    counts: EdgeCounts = field(default_factory=EdgeCounts)
    took: Callable[[float], None] = lambda _seconds: None
    """Told how long each page request took to answer, in seconds."""
