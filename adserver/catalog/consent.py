"""A site's `consent` key → what it means there that a reader's answer is missing, and whose consent counts.

TCF asks before anything is stored; the privacy laws of the United States and Global Privacy Control allow
until a reader opts out. Where a page sends no answer that holds for the reader's country, the site decides:

- without `missing`: no in the EEA, the United Kingdom and Switzerland, which ask first, and yes elsewhere;
- `missing` alone: that answer everywhere;
- `missing` with `countries`: that answer in these, and the other elsewhere.

A country that is not known gets the strict answer where the site lists countries, and without a list wherever
the server is told readers' countries at all: then it is an exception. A server that never knows any would
otherwise deny everybody.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from adserver.catalog.part import Part
from adserver.catalog.targeting import COUNTRIES, no_repeats, one_or_many, to_country

#: The European Economic Area, with the territories of its members that have codes of their own.
EEA = frozenset(
    """
    AT AX BE BG CY CZ DE DK EE ES FI FR GF GP GR HR HU IE IS IT LI LT LU LV MF MQ MT NL NO PL PT RE RO SE SI
    SK YT
    """.split()
)
#: Where readers are asked before anything is stored.
ASKED_FIRST = EEA | {"GB", "CH"}
#: Google Advertising Products, on the IAB Europe Global Vendor List: AdSense.
GOOGLE = 755


def _country_or_area(value: str) -> str:
    return value if value == "EEA" else to_country(value)


class SiteConsent(Part):
    """What a missing answer means, and the network for whose vendor id TCF strings are read."""

    missing: Literal["deny", "allow"] | None = None
    countries: Annotated[
        tuple[Annotated[str, AfterValidator(_country_or_area)], ...] | None,
        one_or_many,
        Field(min_length=1),
        no_repeats,
    ] = None
    network_vendor: Annotated[int, Field(ge=1, le=65_535, strict=True)] = GOOGLE

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """A list of countries says nothing on its own."""
        if given.get("countries") is not None and given.get("missing") is None:
            yield 'countries needs missing: "deny" or "allow" in these, and the other elsewhere'

    def assumed_in(self, *, told: bool) -> frozenset[str | None]:
        """Countries in which a missing answer is taken for a yes; None is one that is not known.

        `told`: the server is told readers' countries, if not each.
        """
        if self.missing is None:
            everywhere = COUNTRIES - ASKED_FIRST
            return everywhere if told else everywhere | {None}
        if self.countries is None:
            return COUNTRIES | {None} if self.missing == "allow" else frozenset()
        listed = frozenset(self.countries) - {"EEA"} | (EEA if "EEA" in self.countries else frozenset())
        return listed if self.missing == "allow" else COUNTRIES - listed
