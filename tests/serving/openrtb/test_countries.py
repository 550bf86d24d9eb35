"""The table of countries against the catalog's own list."""

from __future__ import annotations

import pytest

from adserver.catalog.targeting import COUNTRIES
from adserver.serving.openrtb.countries import ALPHA_2, country_of


def test_every_country_of_the_catalog_has_one_name_of_three_letters() -> None:
    assert sorted(ALPHA_2.values()) == sorted(COUNTRIES - {"XK"}), "XK is no code of ISO's"


@pytest.mark.parametrize(
    ("told", "known"),
    [("NPL", "NP"), ("usa", "US"), ("DE", "DE"), ("deu", "DE"), ("XXX", None), ("", None), (None, None)],
)
def test_countries(told: str | None, known: str | None) -> None:
    assert country_of(told) == known
