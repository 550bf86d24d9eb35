"""Kind of catalog object → the fields of its form, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Dimensions of a target that have a field of their own; the others are given as JSON.
DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "site": ("Sites", "One on each line. Empty: all."),
    "slot": ("Slots", "One on each line. Empty: all that offer a size of its creatives."),
    "section": ("Sections", "Such as world or world/*."),
    "topic": ("Topics", ""),
    "country": ("Countries", "Two letters, such as NP."),
    "device": ("Devices", "desktop, mobile, tablet."),
    "hours": ("Hours", "Such as mon-fri 08:00-20:00, in the site's time zone."),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One key of an object in a form; `kind` is one of those in `console.fields`, or plain text."""

    key: str
    label: str
    kind: str = "text"
    hint: str = ""
    options: Sequence[str] = ()
    """Of a select its choices, of a pair its units, of `parts` the keys inside."""
    required: bool = False
    only: str = ""
    """Kinds of creatives, or tiers of line items, that have this key; of others it is not asked for."""
    seldom: bool = False
    """Whether it stands folded, below the others."""


_PRICES = ("cpm", "vcpm", "cpc", "cpa", "flat")
_GOALS = ("impressions", "viewables", "clicks")
_CAPS = "One on each line, such as 3 per 1d: at most three impressions for each visitor within a day."
_MEDIA = (
    "One on each line: address, type, size and, where known, kbit/s, such as "
    "https://cdn.example/a.mp4 video/mp4 1280x720 2400."
)
#: Stands for all keys that have no field of their own, as JSON.
FURTHER = "further"


def _further(example: str) -> Field:
    return Field(FURTHER, "Further settings", "further", f"As JSON, such as {example}", seldom=True)


_DISCLOSURE = Field(
    "disclosure",
    "Who is behind it",
    "parts",
    "Told beside the ad. The last three are for political advertisements, which need the notice.",
    options=("sponsor", "payer", "notice", "controller", "vote"),
    seldom=True,
)
FIELDS: Mapping[str, tuple[Field, ...]] = {
    "site": (
        Field("domain", "Domain", hint="Such as news.example.", required=True),
        Field(
            "timezone",
            "Time zone",
            hint="IANA name, such as Asia/Kathmandu. Days are cut in it.",
            required=True,
        ),
        Field("currency", "Currency", hint="Three letters, such as USD.", required=True),
        Field(
            "exclude_topics", "Sensitive topics", "lines", "Nothing serves beside these unless it opts in."
        ),
        Field(
            "revenue_share",
            "Publisher's share",
            "fraction",
            "Of what advertisers owe, such as 0.7; empty: all of it.",
        ),
        _further('{"consent": {"missing": "deny"}, "ads_txt": ["google.com, pub-1, DIRECT"]}'),
    ),
    "slot": (
        Field("sizes", "Sizes", "lines", "One on each line, such as 970x250.", required=True),
        Field("floor", "Floor price", hint="CPM below which it is not sold."),
        Field("label", "Label", hint="Shown with every ad; Advertisement where empty."),
        Field("refresh_seconds", "Refresh after", "number", "Seconds in view, 30 or more; empty: never."),
    ),
    "advertiser": (
        Field(
            "sites", "Sold on", "lines", "Sites, one on each line. Empty: on all, for administrators only."
        ),
        Field("domain", "Domain", hint="Told to exchanges; empty: that of its clicks."),
        _DISCLOSURE,
    ),
    "campaign": (
        Field("caps", "Caps of the whole campaign", "caps", _CAPS),
        Field(
            "lookback",
            "How long an order counts",
            "parts",
            "After a click, and after a view: such as 30d.",
            options=("click", "view"),
            seldom=True,
        ),
        _DISCLOSURE,
    ),
    "line_item": (
        Field(
            "tier",
            "Tier",
            "select",
            options=("sponsorship", "guaranteed", "price", "network", "house"),
            required=True,
        ),
        Field("paused", "Paused", "check"),
        Field("start", "Start", "instant"),
        Field("end", "End", "instant", "Half-open: it serves until just before."),
        Field(
            "price", "Price", "amount_of", options=_PRICES, hint="cpm and vcpm per thousand; flat per day."
        ),
        Field("goal", "Goal", "count_of", options=_GOALS, only="guaranteed"),
        Field("budget", "Budget", hint="Of the whole flight.", only="price"),
        Field("daily_budget", "Budget of a day", only="price"),
        Field("share", "Share of voice", "fraction", "0.5 is every other page.", only="sponsorship"),
        Field("pacing", "Pacing", "select", options=("even", "frontloaded", "asap")),
        Field("caps", "Caps", "caps", _CAPS),
        Field("repeat", "In any number of slots of a page", "check", seldom=True),
        Field("together", "In all of its slots of a page, or in none", "check", seldom=True),
        Field("companions", "Takes its other slots once it won one", "check", seldom=True),
        Field(
            "rotation",
            "Rotation of creatives",
            "select",
            "weighted where empty.",
            options=("even", "weighted", "sequential", "optimised"),
            seldom=True,
        ),
        Field(
            "optimise_for",
            "Optimised for",
            "select",
            "clicks where empty; with rotation optimised.",
            options=("clicks", "viewables"),
            seldom=True,
        ),
        Field(
            "trusted",
            "Its code may run in the page itself",
            "check",
            "As ad units of networks do; they need it, and tier network.",
            seldom=True,
        ),
        Field(
            "categories",
            "Categories",
            "lines",
            "Of IAB's content taxonomy 1.0, such as IAB13-4.",
            seldom=True,
        ),
        Field("labels", "Labels", "lines", "Never two line items with one label on a page."),
        Field("allow_topics", "Sensitive topics it accepts", "lines"),
        _DISCLOSURE,
        Field("target", "Targeting", "target"),
    ),
    "creative": (
        Field("kind", "Kind", "select", options=("image", "html", "video", "network"), required=True),
        Field("size", "Size", hint="Such as 300x250; video for a video.", required=True),
        Field("image", "Image", hint="Address of the picture.", only="image"),
        Field("image_dark", "Image for dark pages", hint="Optional.", only="image"),
        Field("alt", "What the picture says", hint="For those who do not see it.", only="image video"),
        Field("html", "HTML", "area", "Drawn in a sandboxed frame.", only="html"),
        Field("media", "Video files", "media", _MEDIA, only="video"),
        Field("duration_seconds", "Length of the video", "number", "In seconds.", only="video"),
        Field(
            "skip_after_seconds", "Can be skipped after", "number", "Seconds; empty: it cannot.", only="video"
        ),
        Field("client", "Publisher at AdSense", hint="Such as ca-pub-1234567890123456.", only="network"),
        Field("unit", "Ad unit of AdSense", hint="Its number.", only="network"),
        Field("click", "Click goes to", only="image html video"),
        Field("theme", "Only on pages of theme", "select", options=("light", "dark")),
        Field("weight", "Weight", "number", "Among the creatives of its line item; 1 where empty."),
        Field("approved", "Approved", "check"),
        _further('{"attributes": [6]}: AdCOM\'s, here video that plays by itself'),
    ),
}
