"""The stored catalog → all that answering a page takes, built off the request path and swapped at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from adserver.catalog.creative import Creative
from adserver.catalog.fields import FILL_MACRO
from adserver.decision.context import Fill
from adserver.decision.facts import size_code
from adserver.decision.frequency import subject_of
from adserver.decision.index import Index
from adserver.engines.catalog_store import Stored
from adserver.measurement.conversion import Terms, terms_of
from adserver.measurement.token import FillToken, Stem, stem_of
from adserver.serving.consent import SiteRule, site_rule
from adserver.serving.disclosure import said_of
from adserver.serving.tag import Tags
from adserver.settings import Settings

_URL_SAFE = "%/:=&?~#+!$,;'@()*[]"


class Fragments(NamedTuple):
    """Everything about one creative in one slot that is the same for each of its fills."""

    head: bytes
    """JSON before the token."""
    middle: bytes | None
    """JSON between the token's two places; None where the creative has no click path, and so only one."""
    stem: Stem
    item: bytes
    """The line item and the campaign, as a browser keeps them (`decision.frequency`)."""
    campaign: bytes


@dataclass(slots=True)
class Live:
    """One catalog version in service."""

    version: int
    index: Index
    clicks: Mapping[int, tuple[bytes, ...]]
    """Creative → where its clicks go, ready for a header, in the pieces that `{fill}` cuts it into; archived
    creatives keep theirs."""
    creatives: Mapping[int, Creative]
    """Every creative of the catalog, those that are not approved too."""
    terms: Terms
    """What holds for orders of each line item."""
    tags: Tags
    refreshed: Mapping[int, int]
    """Slot → seconds in view after which an ad is followed by another, of those slots that are refreshed."""
    consent: Mapping[str, SiteRule]
    """Site → what a missing answer means there."""
    _fragments: dict[tuple[int, int], Fragments] = field(default_factory=dict)

    def fragments(self, fill: Fill) -> Fragments:
        """What a fill's answer is put together from, encoded once per slot and creative."""
        key = (fill.slot_id, fill.choice.creative_id)
        known = self._fragments.get(key)
        if known is None:
            refresh_seconds = self.refreshed.get(fill.slot_id)
            known = self._fragments[key] = _encode(fill, self.index, self.version, refresh_seconds)
        return known


def build(stored: Stored, settings: Settings) -> Live:
    """Compile a catalog version. Takes time in proportion to the catalog: call it outside the event loop."""
    index = Index(
        stored.catalog,
        stored.ids,
        stored.version,
        expected_ctr=settings.expected_ctr,
        expected_conversion_rate=settings.expected_conversion_rate,
    )
    sizes = {site.name: {slot.name: slot.sizes for slot in site.slot} for site in stored.catalog.site}
    return Live(
        version=stored.version,
        index=index,
        clicks={creative: _pieces(url) for creative, url in stored.clicks.items()},
        creatives={
            stored.ids["creative", creative.name]: creative
            for _, _, item in stored.catalog.line_items()
            for creative in item.creative
        },
        terms=terms_of(stored, settings),
        tags=Tags(sizes),
        refreshed={
            stored.ids["slot", site.name, slot.name]: slot.refresh_seconds
            for site in stored.catalog.site
            for slot in site.slot
            if slot.refresh_seconds
        },
        consent={site.name: site_rule(site, settings) for site in stored.catalog.site},
    )


def _pieces(url: str) -> tuple[bytes, ...]:
    return tuple(quote(piece, safe=_URL_SAFE).encode() for piece in url.split(FILL_MACRO))


def _encode(fill: Fill, index: Index, version: int, refresh_seconds: int | None) -> Fragments:
    choice, creative, said = fill.choice, fill.choice.creative, said_of(index, fill)
    stem = stem_of(
        FillToken(
            fill=0,
            slot_id=fill.slot_id,
            item_id=choice.item_id,
            creative_id=choice.creative_id,
            model=choice.model,
            price_micros=choice.price_micros,
            catalog_version=version,
            size=size_code(creative.size),
        )
    )
    outer: dict[str, object] = {
        "slot": fill.slot,
        "tier": choice.item.tier,
        "line_item": choice.item.name,
        "size": creative.size,
        "label": said.label,
    }
    if said.lines:
        outer["disclosure"] = said.lines
    # AdSense does not allow that its units are refreshed.
    if refresh_seconds and creative.kind != "network":
        outer["refresh_seconds"] = refresh_seconds
    drawn = {
        key: value
        for key in ("kind", "image", "image_dark", "alt", "html", "client", "unit", "duration_seconds")
        if (value := getattr(creative, key)) is not None
    }
    if creative.media:
        drawn["media"] = [file.model_dump(exclude_none=True) for file in creative.media]
    if choice.item.trusted and creative.kind == "html":
        drawn["trusted"] = True
    head = msgspec.json.encode(outer)[:-1] + b',"creative":' + msgspec.json.encode(drawn)[:-1]
    subjects = subject_of(choice.item_id), subject_of(index.campaign_ids[choice.position])
    if creative.click is None:
        return Fragments(head + b'},"fill":"', None, stem, *subjects)
    return Fragments(head + b',"click":"/v1/click/', b'"},"fill":"', stem, *subjects)
