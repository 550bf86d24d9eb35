"""Who is behind an ad → what must be said beside it: on whose behalf it is shown and who paid for it.

Sources: Regulation (EU) 2022/2065 (DSA), Article 26(1): that it is an advertisement, on whose behalf, and who
paid where that is another. Regulation (EU) 2024/900, Article 11(1): that an advertisement is political, its
sponsor and who controls it in the end, the vote that it is linked to, and where its transparency notice is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator

from adserver.catalog.fields import Flag, Text, Url
from adserver.catalog.part import Part


def _absolute(url: str) -> str:
    if url.startswith("/"):
        raise ValueError(f'{url!r} is not a URL such as "https://bank.example/notice"')
    return url


class Disclosure(Part):
    """What is told of who is behind the ads of an advertiser, a campaign or a line item.

    The nearest one is told, whole: a line item's before its campaign's, and that before the advertiser's.
    """

    sponsor: Text
    payer: Text | None = None
    """Who paid, where it is not the sponsor."""
    political: Flag = False
    controller: Text | None = None
    """Who controls the sponsor in the end."""
    vote: Text | None = None
    """The election, referendum or law-making that a political advertisement is linked to."""
    notice: Annotated[Url, AfterValidator(_absolute)] | None = None
    """Where the transparency notice of a political advertisement is."""

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """A political advertisement needs its notice; what is only told of such belongs to no other."""
        political = given.get("political") is True
        if political and given.get("notice") is None:
            yield "political needs notice: where its transparency notice is"
        for key in ("controller", "vote", "notice"):
            if given.get(key) is not None and not political:
                yield f"{key} belongs to political advertisements: political = true"


class DisclosureWords(Part):
    """In which words a site's readers are told."""

    sponsor: Text = "On behalf of"
    payer: Text = "Paid for by"
    controller: Text = "Controlled by"
    vote: Text = "In connection with"
    notice: Text = "Transparency notice"
    political: Text = "Political advertisement"
