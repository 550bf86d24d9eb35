"""Events: what they earn, when they count, and in which bucket."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from adserver.catalog.model import PriceModel
from adserver.clock import from_ms
from adserver.measurement.event import Kind, Validity, Windows, event_of
from adserver.measurement.period import local_days
from adserver.measurement.token import FillIds, FillToken

WINDOWS = Windows(view_ms=1000, click_ms=5000, skew_ms=100)
AT_MS = 1_800_000_000_000


def _token(model: PriceModel | None = PriceModel.CPM) -> FillToken:
    return FillToken(FillIds(0).next(AT_MS), 1, 2, 3, model, 4500, 7)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (PriceModel.CPM, Kind.IMPRESSION),
        (PriceModel.VCPM, Kind.VIEWABLE),
        (PriceModel.CPC, Kind.CLICK),
        (PriceModel.CPA, Kind.CONVERSION),
    ],
)
def test_each_price_model_pays_for_one_kind_of_event(model: PriceModel, kind: Kind) -> None:
    earned = {k: event_of(_token(model), k, AT_MS, WINDOWS).revenue_micros for k in Kind}
    assert earned == {k: 4500 if k is kind else 0 for k in Kind}


@pytest.mark.parametrize("model", [None, PriceModel.FLAT])
def test_without_a_price_per_event_nothing_is_earned(model: PriceModel | None) -> None:
    assert not any(event_of(_token(model), kind, AT_MS, WINDOWS).revenue_micros for kind in Kind)


@pytest.mark.parametrize(
    ("kind", "age_ms", "validity"),
    [
        (Kind.IMPRESSION, 999, Validity.VALID),
        (Kind.IMPRESSION, 1000, Validity.LATE),
        (Kind.CLICK, 4999, Validity.VALID),
        (Kind.CLICK, 5000, Validity.LATE),
        (Kind.IMPRESSION, -100, Validity.VALID),
        (Kind.IMPRESSION, -101, Validity.FUTURE),
    ],
)
def test_an_event_outside_its_window_is_marked_and_keeps_what_it_would_earn(
    kind: Kind, age_ms: int, validity: Validity
) -> None:
    model = PriceModel.CPC if kind is Kind.CLICK else PriceModel.CPM
    event = event_of(_token(model), kind, AT_MS + age_ms, WINDOWS)
    assert event.validity == validity
    assert {type(number) for number in event} == {int}, "SQLite's driver is slow with numbers of an enum"
    assert event.revenue_micros == 4500


def test_an_event_counts_in_the_bucket_of_its_fill() -> None:
    event = event_of(_token(), Kind.CLICK, AT_MS + 3000, Windows(1000, 5_000_000, 100))
    later = event_of(_token(), Kind.CLICK, AT_MS + 3_000_000, Windows(1000, 5_000_000, 100))
    assert event.bucket == later.bucket == AT_MS // 900_000


def test_an_event_is_of_its_line_item_on_the_day_of_its_fill_there() -> None:
    """Also when it arrives on another day; where the time zone is not known, days are UTC's."""
    zones = {2: ZoneInfo("Asia/Kathmandu"), 3: ZoneInfo("America/New_York")}
    day_of = local_days(zones)
    for second in range(0, 3 * 86_400, 900):
        fill_ms = AT_MS + second * 1000
        local = {item: from_ms(fill_ms).astimezone(zone).date() for item, zone in zones.items()}
        for item, date_there in {**local, 4: from_ms(fill_ms).date()}.items():
            token = FillToken(FillIds(0).next(fill_ms), 1, item, 3, None, 0, 7)
            event = event_of(token, Kind.CLICK, fill_ms + 86_400_000, WINDOWS, day_of)
            assert (event.item, event.day) == (item, (date_there - date(1970, 1, 1)).days)
    event = event_of(_token(), Kind.CLICK, AT_MS, WINDOWS)
    assert event.day == (from_ms(AT_MS).date() - date(1970, 1, 1)).days
