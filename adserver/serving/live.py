"""The stored catalog → all that answering a page takes, built off the request path and swapped at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import msgspec

from adserver.decision.context import Fill
from adserver.decision.index import Index
from adserver.decision.page import Decider
from adserver.engines.catalog_store import Stored
from adserver.serving.tag import tag_etag, tag_source
from adserver.settings import Settings

_URL_SAFE = "%/:=&?~#+!$,;'@()*[]"


#: What stands before the token and, where the creative has a click path, between its two places.
Fragments = tuple[bytes, bytes | None]


@dataclass(slots=True)
class Live:
    """One catalog version in service."""

    version: int
    decider: Decider
    clicks: Mapping[int, bytes]
    """Creative → where its clicks go, ready for a header; archived creatives keep theirs."""
    tag: bytes
    tag_etag: str
    _fragments: dict[tuple[int, int], Fragments] = field(default_factory=dict)

    def fragments(self, fill: Fill) -> Fragments:
        """The JSON of a fill without its token, encoded once per slot and creative."""
        key = (fill.slot_id, fill.choice.creative_id)
        known = self._fragments.get(key)
        if known is None:
            known = self._fragments[key] = _encode(fill)
        return known


def build(stored: Stored, settings: Settings) -> Live:
    """Compile a catalog version. Takes time in proportion to the catalog: call it outside the event loop."""
    index = Index(stored.catalog, stored.ids, stored.version, expected_ctr=settings.expected_ctr)
    sizes = {site.name: {slot.name: slot.sizes for slot in site.slot} for site in stored.catalog.site}
    tag = tag_source(sizes)
    return Live(
        version=stored.version,
        decider=Decider(index, max_memo=settings.max_candidate_memo),
        clicks={creative: quote(url, safe=_URL_SAFE).encode() for creative, url in stored.clicks.items()},
        tag=tag,
        tag_etag=tag_etag(tag),
    )


def _encode(fill: Fill) -> Fragments:
    choice, creative = fill.choice, fill.choice.creative
    outer = {
        "slot": fill.slot,
        "tier": choice.item.tier,
        "line_item": choice.item.name,
        "size": creative.size,
        "label": fill.label,
    }
    drawn = {
        key: value
        for key in ("kind", "image", "image_dark", "alt", "html")
        if (value := getattr(creative, key)) is not None
    }
    head = msgspec.json.encode(outer)[:-1] + b',"creative":' + msgspec.json.encode(drawn)[:-1]
    if creative.click is None:
        return head + b'},"fill":"', None
    return head + b',"click":"/v1/click/', b'"},"fill":"'
