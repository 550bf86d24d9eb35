"""The rules of invalid traffic: each has a name, a sentence, a source, and the fact that it asks for."""

from __future__ import annotations

import pytest

from adserver.measurement.event import Validity
from adserver.measurement.invalid import BY_VALIDITY, OTHERS, RULES, Facts, judge


def test_every_reason_has_a_rule_with_words() -> None:
    assert set(BY_VALIDITY) == set(Validity) - {Validity.VALID}
    assert all(rule.sentence and rule.source for rule in RULES + OTHERS)
    assert all("General Invalid Traffic" in rule.source for rule in RULES)


def test_only_invalid_traffic_has_numbers_that_the_log_lets_give_way() -> None:
    assert all(rule.validity >= 16 for rule in RULES)
    # An order that does not count is nobody's fault, and gives way to one that does all the same.
    orders = {Validity.NO_CLICK, Validity.ORDER_COUNTED}
    assert {rule.validity for rule in OTHERS if rule.validity >= 16} == orders


def test_nothing_wrong_is_valid() -> None:
    assert judge(Facts()) is Validity.VALID


@pytest.mark.parametrize("fact", Facts._fields)
def test_each_fact_alone_is_the_reason_of_its_name(fact: str) -> None:
    assert judge(Facts(**{fact: True})).name.lower() == fact


def test_of_several_facts_the_first_rule_is_the_reason() -> None:
    assert judge(Facts(*[True] * len(Facts._fields))) is RULES[0].validity
    assert judge(Facts(bot=True, burst=True)) is Validity.BOT
