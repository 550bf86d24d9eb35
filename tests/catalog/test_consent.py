"""What a missing answer means on a site, by country; an unknown one gets the strict answer where it can."""

from __future__ import annotations

from typing import Any

import pytest

from adserver.catalog.consent import ASKED_FIRST, EEA, SiteConsent
from adserver.catalog.targeting import COUNTRIES


def test_the_areas_are_countries() -> None:
    assert len(EEA & {"DE", "FR", "IS", "LI", "NO"}) == 5
    assert EEA | ASKED_FIRST <= COUNTRIES
    assert not EEA & {"GB", "CH", "US", "NP", "RS", "TR", "UA"}


@pytest.mark.parametrize(
    ("given", "yes", "no"),
    [
        ({}, ["NP", "US", "BR"], ["DE", "NO", "GB", "CH", "RE"]),
        ({"network_vendor": 42}, ["NP", "US"], ["DE", "GB"]),
        ({"missing": "deny"}, [], ["NP", "DE", None]),
        ({"missing": "allow"}, ["NP", "DE", None], []),
        ({"missing": "deny", "countries": ["NP"]}, ["DE", "US"], ["NP", None]),
        ({"missing": "deny", "countries": ["EEA", "BR"]}, ["US", "GB"], ["DE", "BR", None]),
        ({"missing": "allow", "countries": "NP"}, ["NP"], ["DE", "US", None]),
        ({"missing": "allow", "countries": ["EEA"]}, ["DE", "IS"], ["GB", None]),
    ],
)
@pytest.mark.parametrize("told", [True, False])
def test_what_is_assumed(given: dict[str, Any], yes: list[str], no: list[str], told: bool) -> None:
    assumed = SiteConsent.model_validate(given).assumed_in(told=told)
    assert assumed.issuperset(yes)
    assert assumed.isdisjoint(no)


def test_by_default_an_unknown_country_is_strict_only_where_countries_are_known_at_all() -> None:
    assert None in SiteConsent().assumed_in(told=False)
    assert None not in SiteConsent().assumed_in(told=True)
