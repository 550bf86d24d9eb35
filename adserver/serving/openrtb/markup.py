"""A fill and its token → the HTML that an auction's winner is drawn by, complete in itself.

It is drawn in a frame that somebody else makes. What it reports goes to the same beacons as that of `tag.js`:
its impression by an image, so that no script is needed for what is billed, and by a script of a few lines
whether it was seen.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib.resources import files
from typing import NamedTuple
from urllib.parse import quote, urljoin

from adserver.catalog.creative import Creative
from adserver.catalog.fields import FILL_MACRO
from adserver.decision.context import Fill
from adserver.serving.disclosure import Said

FRAME = "allow-scripts allow-popups allow-popups-to-escape-sandbox"
#: MRC, "Viewable Ad Impression Measurement Guidelines": half of the pixels, of large units three tenths.
_LARGE_PX = 242_500
_COMMENTS = re.compile(r"^ *//.*\n|^ +", re.MULTILINE)


def ratio_of(width: int, height: int) -> float:
    """The part of its pixels that must be in view for a creative to be viewable."""
    return 0.3 if width * height >= _LARGE_PX else 0.5


def markup_of(fill: Fill, said: Said, base: str, token: str | None) -> str:
    """`base`: where browsers reach this server. `token` None: a test, that nothing is reported of."""
    creative = fill.choice.creative
    width, height = map(int, creative.size.split("x"))
    landing = urljoin(f"{base}/", (creative.click or "").replace(FILL_MACRO, ""))
    click = f"{base}/v1/click/{token}" if token else landing
    parts = [
        f'<div style="position:relative;width:{width}px;height:{height}px;overflow:hidden">',
        _drawing(creative, width, height, base, click),
        f"{label_of(said, _looks(height))}</div>",
    ]
    if token:
        pixel = escape(f"{base}/v1/events/impression/{token}")
        parts.append(f'<img src="{pixel}" alt="" width="1" height="1" style="position:absolute;opacity:0">')
        facts = (
            f'data-base="{escape(base)}" data-fill="{escape(token)}" data-ratio="{ratio_of(width, height)}"'
        )
        parts.append(f"<script {facts}>{_script()}</script>")
    return "".join(parts)


class Looks(NamedTuple):
    """Attributes of a label that only says what it is, of one that opens, and of what is clicked then."""

    plain: str
    opening: str
    summary: str


def label_of(said: Said, looks: Looks) -> str:
    """In a corner of the ad, which fills its frame; opened by click or key where there is more to tell."""
    if not said.lines:
        return f"<div {looks.plain}>{escape(said.label)}</div>"
    lines = "".join(f"<div>{escape(what)}: {who_of(*who)}</div>" for what, *who in said.lines)
    summary = f"<summary {looks.summary}>{escape(said.label)} ⓘ</summary>"
    return f"<details {looks.opening}>{summary}{lines}</details>"


def _looks(height: int) -> Looks:
    opening = f'style="{_LABEL};max-height:{height}px;overflow:auto;z-index:1"'
    return Looks(f'style="{_LABEL}"', opening, 'style="cursor:pointer;list-style:none"')


def who_of(name: str, url: str = "") -> str:
    """Somebody's name, as a link where that leads somewhere."""
    if url:
        return f'<a href="{escape(url)}" target="_blank" rel="noopener nofollow">{escape(name)}</a>'
    return f"<b>{escape(name)}</b>"


_LABEL = (
    "position:absolute;top:0;right:0;padding:0 4px;font:10px/14px system-ui,sans-serif;"
    "color:#222;background:rgba(255,255,255,.9)"
)


def with_click(html: str, click: str) -> str:
    """HTML of an advertiser with the places of its click URL filled in, also as a part of another's query."""
    return html.replace("{click}", click).replace("{click_encoded}", quote(click, safe=""))


def _drawing(creative: Creative, width: int, height: int, base: str, click: str) -> str:
    if creative.html is not None:
        # As everywhere, HTML of an advertiser has an origin of its own, and so no hold on the page.
        inner = escape(with_click(creative.html, click if creative.click else ""))
        return (
            f'<iframe sandbox="{FRAME}" srcdoc="{inner}" width="{width}" height="{height}" scrolling="no"'
            ' referrerpolicy="no-referrer" style="display:block;border:0;background:#fff"></iframe>'
        )
    light, dark = (urljoin(f"{base}/", url) if url else "" for url in (creative.image, creative.image_dark))
    source = f'<source srcset="{escape(dark)}" media="(prefers-color-scheme: dark)">' if dark else ""
    return (
        f'<a href="{escape(click)}" target="_blank" rel="noopener sponsored nofollow">'
        f'<picture>{source}<img src="{escape(light)}" alt="{escape(creative.alt or "")}" width="{width}"'
        f' height="{height}" style="display:block;border:0;max-width:100%"></picture></a>'
    )


@cache
def _script() -> str:
    text = files("adserver.serving").joinpath("static/auction.js").read_text(encoding="utf-8")
    return _COMMENTS.sub("", text).replace("\n", "")
