"""What sampled page requests tell: by day, by site, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from adserver.accounts.model import Principal, Role
from adserver.catalog.model import Catalog
from adserver.clock import bucket_of
from adserver.decision.context import Ask, Context
from adserver.decision.week import Sample
from adserver.errors import InvalidInput
from adserver.forecast.past import PastPages
from adserver.settings import Settings
from tests.decision.deciding import steering_of
from tests.decision.explaining import TOP, own
from tests.newsroom import NOW, apply_catalog, catalog_of

OPS = Principal(1, "ops@news.example", "Ops", Role.AD_OPS, frozenset(("daily",)))
ELSEWHERE = Principal(2, "other@news.example", "Other", Role.AD_OPS, frozenset(("other",)))
ADVERTISER = Principal(3, "x@bank.example", "X", Role.ADVERTISER, advertisers=frozenset(("bank",)))
DAY = timedelta(days=1)


def past_of(path: Path, catalog: Catalog, samples: Sequence[Sample], pages: int = 0) -> PastPages:
    """Over a stored catalog; `pages` were asked for in one quarter hour of yesterday."""
    stored = apply_catalog(path / "ads.db", catalog)
    steering = steering_of(catalog, NOW)
    steering.learned.samples = list(samples)
    slot = steering.decider.index.sites["daily"].slots["top"].id

    async def counts(since: int) -> list[tuple[int, int, int]]:
        rows = [(bucket_of(NOW - DAY), slot, pages), (bucket_of(NOW), slot, 7)]
        return [row for row in rows if row[0] >= since]

    return PastPages(
        steering,
        lambda: stored,
        counts,
        lambda: NOW,
        Settings(least_estimate_samples=3, max_replayed_pages=4),
    )


def sample(section: str, *, ago: timedelta = timedelta(minutes=1)) -> Sample:
    return Sample(
        NOW - ago, Context("daily", section, country="NP", network=False), (TOP, Ask("side", width=400))
    )


def test_reasons_are_told_by_local_day(tmp_path: Path) -> None:
    # NOW is 11:45 in Kathmandu.
    samples = [sample("crime"), *(sample("world", ago=timedelta(hours=hours)) for hours in (12, 13, 36, 60))]
    past = past_of(tmp_path, catalog_of(own(target={"section": ["world"]})), samples)
    found = asyncio.run(past.reasons(OPS, "own"))
    assert found and found.zone.key == "Asia/Kathmandu"
    today, yesterday = found.days
    assert [one.rule for one in today.replayed.hindrances] == ["target.section"]
    assert (yesterday.replayed.page_count, yesterday.replayed.served_count) == (2, 2)
    assert asyncio.run(past.reasons(OPS, "none")) is None


def test_no_more_pages_of_a_day_are_decided_again_than_the_bound(tmp_path: Path) -> None:
    past = past_of(tmp_path, catalog_of(own()), [sample("world")] * 11)
    found = asyncio.run(past.reasons(OPS, "own"))
    assert found and found.days[0].replayed.page_count == 4


def test_what_waits_for_approval_can_serve_nowhere(tmp_path: Path) -> None:
    waiting = own()
    waiting["creative"][0]["approved"] = False  # type: ignore[index]
    past = past_of(tmp_path, catalog_of(waiting), [sample("world")])
    found = asyncio.run(past.reasons(OPS, "own"))
    assert found and (found.never, found.days) == ("Its creative is not approved.", ())


def test_an_estimate_scales_samples_of_yesterday_to_all_page_requests(tmp_path: Path) -> None:
    of_day = [sample(section, ago=DAY) for section in ("world", "world/asia", "crime", "sport")]
    past = past_of(tmp_path, catalog_of(own()), [*of_day, sample("world")], pages=4000)
    found = asyncio.run(past.estimate(OPS, {"section": ["world/*", "world"], "not": {"country": ["IN"]}}))
    assert (found.page_count, found.match_count, found.sampled_count) == (4000, 2000, 4)
    assert (found.match_rate, found.lost) == (0.5, {"section": 0.5})
    nobody = asyncio.run(past.estimate(OPS, {"site": ["other"]}))
    assert (nobody.match_count, nobody.lost) == (0, {"site": 1.0})


def test_where_yesterday_is_unknown_the_week_is_asked_and_nothing_is_counted(tmp_path: Path) -> None:
    past = past_of(tmp_path, catalog_of(own()), [sample("world"), sample("crime", ago=5 * DAY)])
    found = asyncio.run(past.estimate(OPS, {"section": ["world"]}))
    assert (found.page_count, found.match_count, found.match_rate, found.sampled_count) == (0, 0, 0.5, 2)


def test_a_target_that_is_none_is_refused_at_its_keys(tmp_path: Path) -> None:
    past = past_of(tmp_path, catalog_of(own()), [])
    with pytest.raises(InvalidInput, match=r"target\.country.*\n?.*target\.hours"):
        asyncio.run(past.estimate(OPS, {"country": ["Nepal"], "hours": ["late"]}))


def test_pages_of_other_sites_are_not_told_of(tmp_path: Path) -> None:
    past = past_of(tmp_path, catalog_of(own()), [sample("world")])
    assert [one.context.section for one in past.recent(OPS, 9)] == ["world"]
    for principal in (ELSEWHERE, ADVERTISER):
        assert past.recent(principal, 9) == []
        found = asyncio.run(past.reasons(principal, "own"))
        assert found and found.days[0].replayed.page_count == 0
        assert asyncio.run(past.estimate(principal, {})).sampled_count == 0
