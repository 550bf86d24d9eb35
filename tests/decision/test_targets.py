"""Compiled targets say what a plain loop over them says, name the rule that fails, and match in no time."""

from __future__ import annotations

import re
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adserver.catalog.model import LineItem
from adserver.catalog.targeting import page_address
from adserver.decision.patterns import Patterns, matches
from adserver.decision.targets import Targets
from tests import strategies as words
from tests.decision.oracle import Page, target_failures

PLAIN = Page("world", ("economy",), {}, "https://news.example/2026/x", "NP", "mobile")


def items(*targets: dict[str, Any]) -> list[LineItem]:
    return [
        LineItem.model_validate({"name": f"l{n}", "tier": "house", "target": target})
        for n, target in enumerate(targets)
    ]


def failed(target: dict[str, Any], **facts: Any) -> str | None:
    """The first rule of a target that the plain page, with other facts, fails."""
    targets = Targets(items({}, target, {}))
    key = targets.key(*PLAIN._replace(**facts), frozenset())
    rule = targets.first_failed(1, key)
    assert targets.passing(key) == (0b111 if rule is None else 0b101), "the others always pass"
    return rule


def pages() -> st.SearchStrategy[Page]:
    """Page requests of which each fact is in some target, in none, or unknown."""
    texts = st.sampled_from(["x", "y", "z", "open", 'ü"\\'])
    return st.builds(
        Page,
        section=st.sampled_from([None, "", "elsewhere", *words.DEEP_SECTIONS]),
        topics=st.lists(st.sampled_from([*words.TOPICS, "gardens"]), max_size=3),
        values=st.dictionaries(
            st.sampled_from([*words.VALUES, "other"]), texts | st.lists(texts, max_size=2), max_size=2
        ),
        url=st.sampled_from([None, "https://gardens.example/", *words.URLS]),
        country=st.sampled_from([None, "FR", *words.COUNTRIES]),
        device=st.sampled_from([None, *words.DEVICES]),
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(draws=st.data())
def test_it_says_what_a_plain_loop_says(draws: st.DataObject) -> None:
    catalog = draws.draw(words.catalogs(groups=True))
    known = [item for _, _, item in catalog.line_items()]
    targets = Targets(known)
    for page in draws.draw(st.lists(pages(), min_size=3, max_size=3)):
        key = targets.key(*page, frozenset({"gardens"}))
        passing = targets.passing(key)
        assert passing >> len(known) == 0, "groups are no line items"
        for position, item in enumerate(known):
            expected = set(target_failures(item.target, page))
            first = targets.first_failed(position, key)
            assert bool(passing >> position & 1) == (not expected)
            assert first in expected if expected else first is None
    for site in words.SITES:
        assert targets.site(site) == _bits(known, "site", site)
    for slot in words.SLOTS:
        assert targets.slot(slot) == _bits(known, "slot", slot)


def _bits(known: list[LineItem], dimension: str, name: str) -> int:
    bits = 0
    for position, item in enumerate(known):
        wanted = getattr(item.target, dimension)
        unwanted = getattr(item.target.exclude, dimension) if item.target.exclude else None
        bits |= ((wanted is None or name in wanted) and name not in (unwanted or ())) << position
    return bits


def test_a_section_and_what_is_below_it() -> None:
    for section, passed in {"world": 0b01, "world/asia": 0b10, "world/": 0b10, "worldly": 0, "": 0}.items():
        targets = Targets(items({"section": "world"}, {"section": ["world/*"]}))
        assert targets.passing(targets.key(*PLAIN._replace(section=section), frozenset())) == passed
    assert failed({"not": {"section": "world/*"}}, section=None) is None, "no section is known to be none"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://News.Example/2026/Floods?from=mail#top", "news.example/2026/Floods"),
        ("https://news.example", "news.example/"),
        ("https://news.example/%E0%A4%A8/%3F%2A", "news.example/न/?*"),
        ("news.example/x", "news.example/x"),
        ("//news.example:8000/a//b", "news.example:8000/a//b"),
        ("https://reader:secret@news.example/", "news.example/"),
        ("https://archive.example/web/https://news.example/", "archive.example/web/https://news.example/"),
        ("https://", ""),
        ("?x", ""),
        ("https://news.example/" + "x" * 5000, "news.example/" + "x" * (2000 - len("https://news.example/"))),
    ],
)
def test_the_address_of_a_page(url: str, address: str) -> None:
    assert page_address(url) == address


def test_addresses() -> None:
    assert failed({"url": ["news.example/2026/*", "*/live/*"]}) is None
    assert failed({"url": "news.example/2026"}) == "url"
    assert failed({"url": "*%2A*"}) == "url"
    assert failed({"url": "*%2A*"}, url="https://news.example/a*b") is None
    assert failed({"not": {"url": "*/2026/*"}}) == "not.url"
    assert failed({"url": "*"}, url=None) == "url"
    assert failed({"not": {"url": "*/2027/*"}}, url=None) == "not.url", "unknown fails closed"
    assert failed({"not": {"url": "*/2027/*"}}, url="https://") == "not.url"


def test_what_is_unknown_fails_closed_in_groups_too() -> None:
    away = {"country": ["US"]}
    assert failed({"not": away}, country=None) == "not.country"
    assert failed({"any": [{"not": away}]}, country=None) == "any"
    assert failed({"any": [{"not": away}, {"section": "world"}]}, country=None) is None
    assert failed({"all": [{"section": "world"}, {"not": away}]}, country=None) == "all"
    assert failed({"all": [{"any": [{"any": [{"not": away}]}]}]}, country=None) == "all"
    assert failed({"any": [{"device": "mobile"}]}, device=None) == "any"


def test_alternatives() -> None:
    target = {"any": [{"section": "sport"}, {"topic": "economy", "not": {"country": "US"}}]}
    assert failed(target) is None
    assert failed(target, country="US") == "any"
    assert failed(target, country="US", section="sport") is None
    assert failed({**target, "device": "tablet"}) == "device", "what stands beside groups must hold too"


def test_the_rule_that_failed() -> None:
    assert failed({"values": {"author": ["x"]}}) == "values.author"
    assert failed({"not": {"values": {"pay wall": ["open"]}}}, values={"pay wall": "open"}) == (
        "not.values.pay wall"
    )
    assert failed({"not": {"topic": "economy"}}) == "not.topic"
    assert failed({"topic": ["crime", "sport"]}) == "topic"


def test_a_key_holds_only_what_line_items_tell_apart() -> None:
    known = items({"section": ["world/*"], "values": {"author": ["x"]}}, {"not": {"topic": ["crime"]}})
    targets = Targets(known)
    quiet = targets.key("world/asia", ["crime"], {"author": "x"}, None, None, None, frozenset({"war"}))
    loud = targets.key(
        "world/europe",
        ["gardens", "crime", "crime"],
        {"author": ["x", "nobody"], "q": "1"},
        "https://news.example/",
        "NP",
        "tablet",
        frozenset({"war"}),
    )
    assert loud == quiet
    assert hash(loud) == hash(quiet)
    assert targets.topics(loud) == ("crime",)
    told = targets.key(None, ["war", "crime"], None, None, None, None, frozenset({"war"}))
    assert targets.topics(told) == ("crime", "war"), "sensitive topics are kept"


def test_no_line_items_and_no_facts() -> None:
    targets = Targets([])
    key = targets.key(None, (), None, None, None, None, frozenset())
    assert targets.passing(key) == 0
    assert targets.site("daily") == 0


PIECES = st.text(alphabet="ab/", max_size=6)


@settings(max_examples=120, deadline=None)
@given(st.lists(st.lists(PIECES, min_size=1, max_size=4), max_size=12), st.text(alphabet="ab/", max_size=14))
def test_patterns_match_as_a_regular_expression_would(patterns: list[list[str]], text: str) -> None:
    expected = [
        number
        for number, parts in enumerate(patterns)
        if re.fullmatch(".*".join(map(re.escape, parts)), text, re.DOTALL)
    ]
    assert list(Patterns([tuple(parts) for parts in patterns]).matching(text)) == expected


def test_no_pattern_takes_long() -> None:
    """A regular expression of this form would take longer than the universe is old."""
    begin = process_time()
    for _ in range(20):
        assert not matches("a" * 2000, ("", *["a"] * 98, "b", ""))
    assert process_time() - begin < 0.5
