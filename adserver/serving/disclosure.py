"""A fill → the label that is shown with it, and what is told behind the label of who is behind the ad.

What is told is in the words of the site, and the same on pages, in auctions and in video players.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from adserver.catalog.disclosure import Disclosure, DisclosureWords
from adserver.decision.context import Fill
from adserver.decision.index import Index

#: What an auction's rules allow for the names of sponsor and payer, in characters (IAB Tech Lab, "DSA
#: Transparency", "Object: dsa").
_MAX_CHARS = 100
#: The parameters by which an ad was chosen, as an auction names them: 2 is the context, such as the page, the
#: kind of device and the country, and no profile of the reader.
_BY_CONTEXT = [2]
#: Who shows what is told: the ad itself.
_BY_THE_AD = 1


class Said(NamedTuple):
    """What is shown, and what is told behind it: lines of what and who, and of a third where that leads."""

    label: str
    lines: tuple[tuple[str, ...], ...]


def said_of(index: Index, fill: Fill) -> Said:
    """In the words of the site that the slot is on."""
    disclosure = disclosure_of(index, fill)
    if disclosure is None:
        return Said(fill.label, ())
    words = index.slot_sites[fill.slot_id].disclosure_words
    label = words.political if disclosure.political else fill.label
    return Said(label, tuple(_lines(disclosure, words)))


def _lines(disclosure: Disclosure, words: DisclosureWords) -> Iterator[tuple[str, ...]]:
    for key in ("sponsor", "controller", "payer", "vote"):
        if value := getattr(disclosure, key):
            yield getattr(words, key), value
    if disclosure.notice:
        yield words.notice, urlsplit(disclosure.notice).netloc, disclosure.notice


def disclosure_of(index: Index, fill: Fill) -> Disclosure | None:
    """The nearest one: the line item's, its campaign's, or the advertiser's."""
    advertiser, campaign = index.owners[fill.choice.position]
    return fill.choice.item.disclosure or campaign.disclosure or advertiser.disclosure


def dsa_of(disclosure: Disclosure, system: str) -> dict[str, Any]:
    """`dsa` of a bid. `system`: the domain of this server."""
    return {
        "behalf": disclosure.sponsor[:_MAX_CHARS],
        "paid": (disclosure.payer or disclosure.sponsor)[:_MAX_CHARS],
        "transparency": [{"domain": system, "dsaparams": _BY_CONTEXT}],
        "adrender": _BY_THE_AD,
    }
