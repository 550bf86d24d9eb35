"""Breakdowns and reach over the real server: totals agree to the micro, reach with a plain count."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest
from starlette.testclient import TestClient

from adserver.catalog.model import Catalog
from adserver.decision.facts import MOST_ORDINAL
from adserver.engines.catalog_store import Stored
from adserver.engines.sqlite_report import SqliteReport
from adserver.errors import InvalidInput
from adserver.measurement.cuts import BY, Breakdown, Cuts, Frequency, Named, Reach, ReachLine
from adserver.measurement.report import Choice, Report, Reports, Totals
from tests.newsroom import BROWSER, NOW, apply_catalog, line_item, server
from tests.serving.test_invalid_traffic import BOT, rebuilt

T = TypeVar("T")
PHONE = "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0"
SECTIONS = ("world", "culture", None)
COUNTRIES = ("NP", "IN", "XX")
CAMPAIGN_OF = {"wide": "autumn", "box": "autumn", "other": "winter"}
CPM = {"price": {"cpm": "4"}}
SITE = {
    "name": "daily",
    "domain": "news.example",
    "timezone": "Asia/Kathmandu",
    "currency": "USD",
    "slot": [{"name": "top", "sizes": ["728x90"]}, {"name": "side", "sizes": ["300x250"]}],
}
CATALOG = Catalog.model_validate(
    {
        "site": [SITE],
        "advertiser": [
            {
                "name": "bank",
                "campaign": [
                    {
                        "name": "autumn",
                        "line_item": [
                            line_item("wide", "price", "728x90", **CPM),
                            line_item(
                                "box", "price", "300x250", caps=[{"impressions": 3, "per": "1d"}], **CPM
                            ),
                        ],
                    },
                    {
                        "name": "winter",
                        "line_item": [line_item("other", "price", "300x250", price={"cpc": "1"})],
                    },
                ],
            }
        ],
    }
)


@dataclass
class Visitor:
    """One browser; `tally` None: it keeps nothing."""

    tally: str | None
    agent: str
    country: str
    seen: Counter[str] = field(default_factory=Counter)


def visitors(count: int, rng: Random) -> list[Visitor]:
    """Some that keep a tally, some that do not."""
    return [
        Visitor("" if n % 4 else None, rng.choice((BROWSER, PHONE)), rng.choice(COUNTRIES))
        for n in range(count)
    ]


def read_page(client: TestClient, visitor: Visitor, rng: Random, drawn: float = 1.0) -> None:
    """A page view: what it fills, what of that is drawn, and now and then a click."""
    section = rng.choice(SECTIONS)
    ask: dict[str, Any] = {
        "site": "daily",
        "page": {"section": section} if section else {},
        "slots": [{"slot": "top"}, {"slot": "side"}],
        "tally": visitor.tally,
        "theme": rng.choice(("light", "dark")),
    }
    headers = {"user-agent": visitor.agent, "x-country": visitor.country}
    answer = client.post("/v1/fill", json=ask, headers=headers).json()
    if visitor.tally is not None:
        visitor.tally = answer["tally"]
    events, clicks = [], []
    for fill in answer["fills"]:
        if "fill" in fill and rng.random() < drawn:
            visitor.seen[fill["line_item"]] += 1
            kinds = ("impression", "measurable", "viewable")[: rng.randint(1, 3)]
            events += [{"fill": fill["fill"], "type": kind} for kind in kinds]
            if rng.random() < 0.1:
                clicks.append(fill["creative"]["click"])
    if events:
        client.post("/v1/events", json={"events": events}, headers=headers)
        for click in clicks:
            client.get(click, headers=headers)
        if rng.random() < 0.1:
            client.post("/v1/events", json={"events": events}, headers=headers)


def play(
    db: Path,
    some: list[Visitor],
    rng: Random,
    *,
    drawn: float = 1.0,
    pages: int = 250,
    bots: bool = False,
) -> Stored:
    """Let them read over two days, the last of which is that of `NOW`."""
    stored = apply_catalog(db, CATALOG)
    time = [NOW]
    with server(
        db, None, clock=lambda: time[0], country_header="X-Country", min_click_delay_ms=0, max_sections=1
    ) as client:
        for page in range(pages):
            time[0] = NOW - timedelta(hours=20) + timedelta(hours=20) * page / pages
            read_page(client, rng.choice(some), rng, drawn)
            if bots and page % 10 == 0:
                read_page(client, Visitor("", BOT["user-agent"], "NP"), rng)
    assert rebuilt(db)
    return stored


def ask(
    db: Path, stored: Stored, question: Callable[[Reports, Cuts, Choice], Awaitable[T]], **choice: str
) -> T:
    """One question about a choice, of the reports of a file."""

    async def run() -> T:
        source = SqliteReport(db)
        reports = Reports(source, lambda: stored, lambda: NOW, 800)
        chosen = reports.choose(**choice)
        assert chosen
        try:
            return await question(reports, Cuts(source, lambda: stored, 2), chosen)
        finally:
            await source.close()

    return asyncio.run(run())


def breakdown(db: Path, stored: Stored, by: str, slot: str = "", item: str = "") -> Breakdown:
    """Of the last 7 days."""
    return ask(db, stored, lambda _, cuts, choice: cuts.breakdown(choice, by, item), slot=slot)


def report(db: Path, stored: Stored) -> Report:
    """Of the last 7 days."""
    return ask(db, stored, lambda reports, _, choice: reports.read(choice))


def reach(db: Path, stored: Stored, **choice: str) -> Reach:
    """Of the last 7 days, or another period."""
    return ask(db, stored, lambda _, cuts, chosen: cuts.reach(chosen), **choice)


def of_events(totals: Totals) -> Totals:
    """Without requests, which breakdowns do not cut."""
    return replace(totals, request_count=0, fill_count=0, marked_request_count=0)


def lines_of(found: Reach) -> dict[str, ReachLine]:
    """Every campaign and line item by its name."""
    lines = [line for campaign in found.campaigns for line in (campaign, *campaign.line_items)]
    return {line.name: line for line in lines}


def test_every_breakdown_adds_up_to_the_report(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(1)
    stored = play(db, visitors(12, rng), rng, bots=True)
    whole = report(db, stored)
    assert whole.total.click_count > 0
    assert whole.total.marked_impression_count > 0
    assert whole.total.revenue_micros > 0
    for by in BY:
        found = breakdown(db, stored, by)
        assert found.total == of_events(whole.total)
        assert sum((line.totals for line in found.lines), Totals()) == found.total
        for slot in whole.slots:
            assert breakdown(db, stored, by, slot.name).total == of_events(slot.totals)
        items = [breakdown(db, stored, by, item=name).total for name in CAMPAIGN_OF]
        assert sum(items, Totals()) == found.total
        assert len({(line.named, line.value) for line in found.lines}) == len(found.lines)


def test_values_are_named_and_bounded(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(2)
    stored = play(db, visitors(12, rng), rng)
    named = {by: {(line.named, line.value) for line in breakdown(db, stored, by).lines} for by in BY}
    assert named["country"] == {(Named.VALUE, "NP"), (Named.VALUE, "IN"), (Named.UNKNOWN, "")}
    assert named["device"] == {(Named.VALUE, "desktop"), (Named.VALUE, "mobile")}
    assert named["browser"] == {(Named.VALUE, "chrome"), (Named.VALUE, "firefox")}
    assert named["size"] == {(Named.VALUE, "728x90"), (Named.VALUE, "300x250")}
    assert named["theme"] == {(Named.VALUE, "light"), (Named.VALUE, "dark")}
    # One section is told apart (`max_sections`), whichever came first.
    (section,) = (value for kind, value in named["section"] if kind is Named.VALUE)
    assert section in SECTIONS
    assert {kind for kind, _ in named["section"]} == {Named.VALUE, Named.OTHER, Named.NONE}
    frequencies = [line.value for line in breakdown(db, stored, "frequency").lines]
    assert frequencies[:3] == ["1", "2", "3"]
    assert frequencies[-1] == ""


def test_of_many_values_the_first_have_lines(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(3)
    some = [Visitor("", BROWSER, country) for country in ("NP", "NP", "NP", "IN", "IN", "DE", "FR", "AE")]
    stored = play(db, some, rng, pages=80)
    found = breakdown(db, stored, "country")
    assert [line.named for line in found.lines] == [Named.VALUE, Named.VALUE, Named.OTHER]
    first, second, _ = (line.totals.impression_count for line in found.lines)
    assert {line.value for line in found.lines} == {"NP", "IN", ""}
    assert first >= second
    assert found.total == of_events(report(db, stored).total)


def plain(some: list[Visitor], names: set[str]) -> list[int]:
    """How often each browser that keeps a tally saw any of these, if at all.

    Some cannot; those of which nobody knows in which country they are may not.
    """
    counts = [sum(visitor.seen[name] for name in names) for visitor in some if visitor.tally]
    return [count for count in counts if count]


def unkept(some: list[Visitor], names: set[str]) -> int:
    """Impressions in browsers that keep none."""
    return sum(visitor.seen[name] for visitor in some if not visitor.tally for name in names)


@pytest.mark.parametrize("seed", range(4))
def test_reach_is_what_a_plain_count_of_browsers_says(tmp_path: Path, seed: int) -> None:
    db, rng = tmp_path / "a.db", Random(seed)
    some = visitors(24, rng)
    stored = play(db, some, rng, bots=True)
    lines = lines_of(reach(db, stored))
    groups = {name: {name} for name in CAMPAIGN_OF}
    for campaign in set(CAMPAIGN_OF.values()):
        groups[campaign] = {name for name, owner in CAMPAIGN_OF.items() if owner == campaign}
    assert set(lines) == set(groups)
    for name, items in groups.items():
        counts, frequency = plain(some, items), lines[name].frequency
        assert frequency.at_least == tuple(
            sum(count >= times for count in counts) for times in range(1, MOST_ORDINAL + 1)
        )
        assert frequency.reach == len(counts)
        assert frequency.impression_count == sum(counts)
        assert frequency.average == sum(counts) / len(counts)
        assert frequency.unknown_count == unkept(some, items)
        exactly = [frequency.exactly(times, times) for times in range(1, 6)]
        assert exactly == [counts.count(times) for times in range(1, 6)]
        assert frequency.exactly(6) == sum(count >= 6 for count in counts)


def test_new_browsers_are_those_that_the_period_reached_first(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(5)
    some = visitors(24, rng)
    stored = play(db, some, rng)
    first, second = (lines_of(reach(db, stored, first=day, last=day)) for day in ("2026-11-23", "2026-11-24"))
    for name, line in second.items():
        one, two = first[name].frequency, line.frequency
        assert one.at_least == two.at_least
        assert one.new_count + two.new_count == two.reach
        assert one.lately_count + two.lately_count == two.impression_count + two.unknown_count


@pytest.mark.parametrize("seed", range(3))
def test_what_is_not_drawn_never_adds_to_reach(tmp_path: Path, seed: int) -> None:
    db, rng = tmp_path / "a.db", Random(seed)
    some = visitors(24, rng)
    stored = play(db, some, rng, drawn=0.8)
    for name, items in (("wide", {"wide"}), ("autumn", {"wide", "box"})):
        counts, frequency = plain(some, items), lines_of(reach(db, stored))[name].frequency
        for times in range(1, MOST_ORDINAL):
            assert frequency.at_least[times - 1] >= frequency.at_least[times]
        assert 0.6 * len(counts) < frequency.reach <= len(counts)
        assert frequency.impression_count == sum(counts)


def test_a_frequency_without_browsers_has_no_average() -> None:
    nothing = Frequency((0,) * MOST_ORDINAL, 0, 7, 7, 0)
    assert (nothing.reach, nothing.average, nothing.exactly(1)) == (0, None, 0)


def test_a_line_item_that_nobody_knows_has_nothing(tmp_path: Path) -> None:
    db, rng = tmp_path / "a.db", Random(6)
    stored = play(db, visitors(4, rng), rng, pages=10)
    found = breakdown(db, stored, "country", item="no-such-item")
    assert (found.lines, found.total) == ((), Totals())


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (
            {"by": "contry"},
            "by: 'contry' is none of country, device, browser, section, size, theme, frequency",
        ),
    ],
)
def test_a_word_that_is_not_known_is_refused(tmp_path: Path, words: dict[str, str], fault: str) -> None:
    stored = apply_catalog(tmp_path / "a.db", CATALOG)
    with server(tmp_path / "a.db", None), pytest.raises(InvalidInput) as caught:
        ask(tmp_path / "a.db", stored, lambda _, cuts, choice: cuts.breakdown(choice, words["by"]))
    (found,) = caught.value.faults
    assert f"{found.key}: {found.problem}".startswith(fault)
