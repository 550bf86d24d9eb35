"""Why a line item did not serve: each rule's code and sentence, case by case; also as documentation."""

from __future__ import annotations

from typing import Any

import pytest

from adserver.decision.context import Ask, Context, Reason
from tests.decision.explaining import DAY, PAGE, explained, own, paying, verdict
from tests.newsroom import NOW, catalog_of, image, line_item


@pytest.mark.parametrize(
    ("keys", "context", "rule", "sentence"),
    [
        ({"paused": True}, PAGE, "paused", "Is paused."),
        (
            {"start": NOW + DAY},
            PAGE,
            "not_started",
            "Starts at 2026-11-25 11:45 (Asia/Kathmandu); it is 2026-11-24 11:45 (Asia/Kathmandu).",
        ),
        (
            {"end": NOW},
            PAGE,
            "ended",
            "Ended at 2026-11-24 11:45 (Asia/Kathmandu); it is 2026-11-24 11:45 (Asia/Kathmandu).",
        ),
        ({"creative": []}, PAGE, "not_approved", "Has no creative."),
        (
            {"creative": [image("a", "728x90", approved=False)]},
            PAGE,
            "not_approved",
            "Its creative is not approved.",
        ),
        ({"target": {"slot": ["side"]}}, PAGE, "slot", "Is for slot side; this is top."),
        ({"target": {"not": {"slot": ["top"]}}}, PAGE, "not.slot", "Excludes slot top."),
        ({"target": {"not": {"site": ["daily"]}}}, PAGE, "not.site", "Excludes site daily."),
        (
            {"target": {"country": ["NP", "IN"]}},
            Context("daily", country="US"),
            "target.country",
            "Asks for country NP or IN; this page is from US.",
        ),
        (
            {"target": {"country": ["NP"]}},
            PAGE,
            "target.country",
            "Asks for country NP; the country is not known.",
        ),
        (
            {"target": {"not": {"country": ["US"]}}},
            PAGE,
            "target.not.country",
            "Excludes country US; the country is not known.",
        ),
        (
            {"target": {"section": ["world", "world/*"]}},
            Context("daily", section="sport"),
            "target.section",
            "Asks for section world or world/*; this page is in section sport.",
        ),
        (
            {"target": {"not": {"topic": ["crime"]}}},
            Context("daily", topics=["crime", "rivers"]),
            "target.not.topic",
            "Excludes topic crime; this page is about crime and rivers.",
        ),
        (
            {"target": {"url": ["*/live/*"]}},
            Context("daily", url="https://News.example/2026?x=1"),
            "target.url",
            "Asks for address */live/*; this page is news.example/2026.",
        ),
        (
            {"target": {"device": ["mobile"]}},
            Context("daily", device="desktop"),
            "target.device",
            "Asks for device mobile; this page is on desktop.",
        ),
        (
            {"target": {"values": {"author": ["x"]}}},
            Context("daily", values={"author": "z"}),
            "target.values.author",
            "Asks for author = x; this page has author = z.",
        ),
        (
            {"target": {"any": [{"section": ["world"]}, {"topic": ["tea"], "not": {"country": ["US"]}}]}},
            Context("daily", section="sport", topics=["tea"], country="US"),
            "target.any",
            "Needs one of its 2 alternatives (any), and this page fails each: (1) asks for section world; "
            "this page is in section sport (2) excludes country US; this page is from US.",
        ),
        (
            {"target": {"all": [{"section": ["world"]}, {"any": [{"topic": ["tea"]}]}]}},
            Context("daily", section="world"),
            "target.all",
            "Needs all of its 2 groups (all), and this page fails (2) needs its one alternative (any), "
            "which asks for topic tea; this page gives no topics.",
        ),
        (
            {"target": {"hours": ["mon 08:00-20:00", "sat-sun"]}},
            PAGE,
            "hours",
            "Is for mon 08:00-20:00 or sat-sun; on the site it is Tue 11:45.",
        ),
        (
            {"target": {"hours": ["tue"], "not": {"hours": ["tue 11:00-12:00"]}}},
            PAGE,
            "not.hours",
            "Excludes tue 11:00-12:00; on the site it is Tue 11:45.",
        ),
        (
            {"creative": [image("a", "300x250"), image("b", "160x600")]},
            PAGE,
            "size",
            "Has creatives for 300x250 and 160x600; here 970x250 or 728x90 can be shown.",
        ),
        (
            {"creative": [image("a", "728x90", theme="dark")]},
            Context("daily", theme="light"),
            "theme",
            "Has creatives for the theme dark only; its theme is light.",
        ),
    ],
)
def test_a_rule_and_its_sentence(keys: dict[str, Any], context: Context, rule: str, sentence: str) -> None:
    found = verdict(explained(catalog_of(own(**keys)), context=context), "own")
    assert (found.rule, found.sentence, found.score) == (rule, sentence, None)
    assert (found.advertiser, found.campaign, found.tier) == ("bank", "autumn", "house")


def test_the_first_rule_is_told_when_several_fail() -> None:
    both = own(end=NOW - DAY, target={"slot": ["side"], "country": ["NP"]})
    assert verdict(explained(catalog_of(both)), "own").rule == "ended"


def test_a_site_that_is_not_meant() -> None:
    one = catalog_of(own(target={"site": ["daily"]}))
    weekly = one.site[0].model_copy(update={"name": "weekly"})
    catalog = one.model_copy(update={"site": (*one.site, weekly)})
    found = verdict(explained(catalog, context=Context("weekly")), "own")
    assert (found.rule, found.sentence) == ("site", "Is for site daily; this is weekly.")


def test_a_page_that_can_show_no_size_of_the_slot() -> None:
    found = verdict(explained(catalog_of(own()), Ask("top", width=320)), "own")
    assert found.rule == "size"
    assert found.sentence == "The page can show none of this slot's sizes, 970x250 or 728x90."


def test_floors_and_sensitive_topics() -> None:
    slots = [{"name": "top", "sizes": ["728x90"], "floor": "2.00"}]
    cheap, clicks = paying("cheap", "1.50"), line_item("clicks", "price", "728x90", price={"cpc": "0.50"})
    page = explained(catalog_of(cheap, clicks, slot=slots))
    assert verdict(page, "cheap").sentence == "Pays 1.50 cpm; the floor of this slot is 2.00."
    assert verdict(page, "clicks").sentence == (
        "Pays 0.50 cpc, an expected 0.50 per thousand; the floor of this slot is 2.00."
    )
    assert page.slots[0].reason is Reason.BELOW_FLOOR
    assert page.slots[0].sentence == "Stays empty: line items pass, but none pays the slot's floor."
    conflict = Context("daily", topics=["conflict"])
    found = verdict(explained(catalog_of(own(), exclude_topics=["conflict"]), context=conflict), "own")
    assert found.rule == "topic_excluded"
    assert found.sentence == (
        "This page is about conflict, where only those serve that allow it (allow_topics)."
    )
