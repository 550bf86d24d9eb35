"""A site or slot → what a page's developer pastes for it, and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from adserver.catalog.fields import VIDEO
from adserver.catalog.plan import Path

Tag = tuple[str, str]


def tags_of(path: Path, body: Mapping[str, Any], base: str) -> list[Tag]:
    """(where it goes, what is pasted). `base`: where browsers find this server."""
    if path[0] == "site":
        return [_script(path[1], base)]
    return list(_of_slot(path, body, base)) if path[0] == "slot" else []


def _script(site: str, base: str) -> Tag:
    return (
        "On every page of the site, once",
        f'<script async src="{base}/tag.js?site={escape(site)}" data-site="{escape(site)}"></script>',
    )


def _of_slot(path: Path, body: Mapping[str, Any], base: str) -> Iterator[Tag]:
    _, site, slot = path
    sizes = list(body.get("sizes") or ())
    drawn = [size for size in sizes if size != VIDEO]
    if drawn:
        yield _script(site, base)
        yield "Where the ad shall be", f'<div data-ad-slot="{slot}"></div>'
        width, height = drawn[0].split("x")
        source = f"{base}/v1/frame/{site}/{slot}?sizes={drawn[0]}"
        yield (
            "Where no script may run",
            f'<iframe src="{source}" width="{width}" height="{height}" title="Advertisement" loading="lazy"'
            ' style="border: 0; color-scheme: light dark"></iframe>',
        )
        place = f"{base}/v1/newsletter/{site}/{slot}/ISSUE"
        yield (
            "In a newsletter, with the issue's name for ISSUE",
            f"<p>{escape(body.get('label') or 'Advertisement')}</p>"
            f'<a href="{place}/click"><img src="{place}.png" alt="" width="{width}" height="{height}"></a>',
        )
    if VIDEO in sizes:
        yield "In a video player, as its VAST tag", f"{base}/v1/vast/{site}/{slot}"
