"""A choice → what all pages of reports share: templates, addresses and the links around the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adserver.measurement.cuts import DEFAULT_BY
from adserver.measurement.report import PRESETS, Choice, Site
from dashboards import cut_words, words
from dashboards.assets import asset_path

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
TEMPLATES.globals.update(asset=asset_path, words=words, cut_words=cut_words)


@dataclass(frozen=True, slots=True)
class Link:
    """An address and its text; `current` marks the one that is shown."""

    href: str
    text: str
    current: bool


def query_of(choice: Choice, **more: str | None) -> str:
    """A choice → the query that leads back to it; state lives in the address only. None: not in it."""
    pairs = {"site": choice.site.name}
    if choice.preset is not None:
        pairs["period"] = choice.preset
    else:
        pairs |= {"from": choice.period.first.isoformat(), "to": choice.period.last.isoformat()}
    return urlencode({**pairs, **{name: value for name, value in more.items() if value is not None}})


def frame_of(choice: Choice, sites: Sequence[Site], here: str, by: str | None = None) -> dict[str, Any]:
    """What all pages of reports show around their numbers. `here`: path of the page; `by`: of a breakdown."""
    by = None if by == DEFAULT_BY else by
    return {
        "choice": choice,
        "site": choice.site,
        "currency": choice.site.currency,
        "sites": _site_links(choice, sites, by),
        "presets": _preset_links(choice, by),
        "query": query_of(choice),
        "here": here,
        "by": by,
        "views": [
            Link(f"{path}?{query_of(choice)}", text, path == here)
            for path, text in (("./", "Revenue"), ("reach", "Reach"))
        ],
    }


def _site_links(choice: Choice, sites: Sequence[Site], by: str | None) -> list[Link]:
    """The other sites keep the period."""
    links = []
    for site in sites:
        query = query_of(Choice(site, choice.period, choice.preset, choice.asked_at), by=by)
        links.append(Link(f"?{query}", site.domain, site.name == choice.site.name))
    return links


def _preset_links(choice: Choice, by: str | None) -> list[Link]:
    links = []
    for name, preset in PRESETS.items():
        query = query_of(Choice(choice.site, choice.period, name, choice.asked_at), by=by)
        links.append(Link(f"?{query}", preset.title, name == choice.preset))
    return links
