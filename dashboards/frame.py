"""A choice → what all pages of reports share: templates, addresses and the links around the numbers.

What is shown stands in the address alone, so that Back, a bookmark and a mail lead to the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from adserver.measurement.report import COMPARED, DEFAULT_COMPARED, PRESETS, Choice, Site
from adserver.web.assets import OWN, Assets
from dashboards import cut_words, words

HERE = Path(__file__).parent
ASSETS = Assets([OWN, HERE / "static", HERE / "vendor"])
TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
#: Whether the page that is being made can be had as PDF and PNG, too.
PRINTS = ContextVar("prints", default=False)
TEMPLATES.globals.update(
    asset=lambda name: f"/reports/{ASSETS.path(name)}", words=words, cut_words=cut_words, prints=PRINTS.get
)
#: What the page at `/reports/` is called where a name is needed.
START = "revenue"
#: One key each, as Plausible has them.
KEYS = {"today": "d", "yesterday": "e", "7d": "w", "28d": "f", "this-month": "m", "last-month": "l"}
#: Path below /reports and name of each page.
VIEWS = (
    ("./", "Revenue"),
    ("delivery", "Delivery"),
    ("reasons", "Reasons"),
    ("hours", "Hours"),
    ("sections", "Sections"),
    ("reach", "Reach"),
    ("creatives", "Creatives"),
    ("advertiser", "Advertisers"),
    ("statement", "Statement"),
    ("live", "Live"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """An address and its text; `current` marks the one that is shown, `key` opens it from the keyboard."""

    href: str
    text: str
    current: bool
    key: str = ""


def query_of(choice: Choice, **more: str | None) -> str:
    """A choice → the query that leads back to it; state lives in the address only. None: not in it."""
    pairs = {"site": choice.site.name}
    if choice.preset is not None:
        pairs["period"] = choice.preset
    else:
        pairs |= {"from": choice.period.first.isoformat(), "to": choice.period.last.isoformat()}
    if choice.compared != DEFAULT_COMPARED:
        pairs["compare"] = choice.compared
    if choice.slot is not None:
        pairs["slot"] = choice.slot
    return urlencode({**pairs, **{name: value for name, value in more.items() if value is not None}})


def why_href(line_item: str) -> str:
    """Where it is said what keeps a line item from serving, with examples."""
    return f"/console/why/{quote(line_item, safe='')}"


def frame_of(
    choice: Choice, sites: Sequence[Site], here: str, kept: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What all pages of reports show around their numbers.

    `here`: path of the page; `kept`: what else of its state every link to it keeps.
    """
    kept = kept or {}

    def link(other: Choice, text: str, current: bool, key: str = "") -> Link:
        return Link(f"?{query_of(other, **kept)}", text, current, key)

    slots = [slot.name for slot in choice.site.slot]
    return {
        "choice": choice,
        "site": choice.site,
        "currency": choice.site.currency,
        "sites": [
            link(replace(choice, site=site, slot=None), site.domain, site.name == choice.site.name)
            for site in sites
        ],
        "presets": [
            link(replace(choice, preset=name), preset.title, name == choice.preset, KEYS[name])
            for name, preset in PRESETS.items()
        ],
        "slot_links": [
            link(replace(choice, slot=slot), slot or "All slots", slot == choice.slot)
            for slot in (None, *slots)
        ],
        "compared_links": [
            link(replace(choice, compared=name), compared.title, name == choice.compared)
            for name, compared in COMPARED.items()
        ],
        "query": query_of(choice),
        "print_name": START if here == "./" else here,
        "print_query": query_of(choice, **kept),
        "here": here,
        "kept": kept,
        "views": [
            Link(f"/reports/{path.lstrip('./')}?{query_of(choice)}", text, path == here)
            for path, text in VIEWS
        ],
    }
