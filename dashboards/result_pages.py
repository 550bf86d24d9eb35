"""What an advertiser got → its page, for the advertiser, a publisher or whoever has a link; JSON and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adserver.accounts.shares import Share
from adserver.measurement.report import Site, Totals
from adserver.measurement.results import CUT_BY, Results
from dashboards import cut_words, words
from dashboards.exports import Row, asked, cut_row, reach_line
from dashboards.figures import delivery_by_day
from dashboards.frame import ASSETS, TEMPLATES, Link, frame_of, query_of
from dashboards.pages import Tile
from dashboards.sparks import spark

COLUMNS = ("day", "campaign", "line_item", *cut_row(Totals()))
#: The part of a title that stands for all campaigns.
ALL = "All campaigns"


@dataclass(frozen=True, slots=True)
class Desk:
    """What somebody may do beside reading: choose another advertiser, share what they see.

    `shares` None: they may not share.
    """

    advertisers: Sequence[str]
    shares: Sequence[Share] | None
    most_days: int


def results_page(found: Results, sites: Sequence[Site], desk: Desk, *, alone: bool) -> str:
    """The page behind the door. `alone`: whoever reads it sees no other reports."""
    choice = found.choice
    kept = {"advertiser": found.advertiser, **({"campaign": found.campaign} if found.campaign else {})}
    frame = frame_of(choice, sites, "advertiser", kept)
    query = query_of(choice, **kept)
    return TEMPLATES.get_template("advertiser.html").render(
        **{**frame, "query": query, "views": [] if alone else frame["views"]},
        **_shown(found),
        desk=desk,
        locked=False,
        advertisers=[
            Link(f"?{query_of(choice, advertiser=name)}", name, name == found.advertiser)
            for name in desk.advertisers
        ],
        campaigns=_campaign_links(found),
    )


def shared_page(found: Results, token: str) -> str:
    """The page of a link: the same, and nothing to choose."""
    choice = found.choice
    return TEMPLATES.get_template("advertiser.html").render(
        **{**frame_of(choice, (), "advertiser"), "views": [], "query": ""},
        **_shown(found),
        desk=None,
        locked=True,
        advertisers=(),
        campaigns=(),
        files=f"/reports/shared/{token}",
        asset=lambda name: f"/reports/shared/{ASSETS.path(name)}",
    )


def made_page(address: str, back: str) -> str:
    """The one page that tells a new link."""
    return TEMPLATES.get_template("shared.html").render(title="Link made", address=address, back=back)


def gone_page() -> str:
    """What a link says that is no good."""
    return TEMPLATES.get_template("shared.html").render(
        title="This link does not work",
        address="",
        back="",
        locked=True,
        asset=lambda name: f"/reports/shared/{ASSETS.path(name)}",
    )


def _shown(found: Results) -> dict[str, Any]:
    choice = found.choice
    return {
        "title": f"{found.advertiser}: results on {choice.site.domain}",
        "heading": found.advertiser,
        "found": found,
        "sentence": sentence(found),
        "tiles": tiles(found),
        "figure": delivery_by_day(found.days, choice.today),
        "summary": summary(found),
        "breakdowns": [
            (cut_words.TITLES[one.by], one) for one in found.breakdowns if one.by in CUT_BY and one.lines
        ],
        "conversions": found.total.conversion_count > 0,
        "few_requests": words.FEW_REQUESTS,
        "most": max((line.frequency.reach for line in found.reach), default=0),
    }


def _campaign_links(found: Results) -> list[Link]:
    names = sorted({line.campaign for line in found.items} | ({found.campaign} if found.campaign else set()))

    def link(name: str | None) -> Link:
        query = query_of(found.choice, advertiser=found.advertiser, campaign=name)
        return Link(f"?{query}", name or ALL, name == found.campaign)

    return [link(None), *map(link, names)]


def sentence(found: Results) -> str:
    """The answer to "what did I get?"."""
    total, choice = found.total, found.choice
    if not total.impression_count:
        return f"Nothing was shown on {choice.site.domain} {words.span_of(choice)}."
    seen = "" if total.viewability is None else f", {words.percent(total.viewability, 0)} of them seen,"
    return (
        f"{words.counted(total.impression_count, 'impression')}{seen} and "
        f"{words.counted(total.click_count, 'click')} on {choice.site.domain} {words.span_of(choice)}."
    )


def tiles(found: Results) -> list[Tile]:
    """Six numbers; trends are of complete days."""
    total, currency = found.total, found.choice.site.currency
    days = [totals for day, totals in found.days if day < found.choice.today]
    reach = sum(line.frequency.reach for line in found.reach)
    mean = found.reach[0].frequency.average if len(found.reach) == 1 else None
    frequency = f"seen {cut_words.mean(mean)} times each" if mean else "of each campaign, added"
    return [
        Tile(
            "Impressions",
            words.count(total.impression_count),
            "Ads that began to be drawn",
            None,
            spark([day.impression_count for day in days]),
        ),
        Tile(
            "Viewability",
            words.percent(total.viewability),
            "Half in view for a second, of those that could be measured (MRC)",
            None,
            spark([day.viewability for day in days]),
        ),
        Tile(
            "Clicks",
            words.count(total.click_count),
            "Readers who followed the ad",
            None,
            spark([day.click_count for day in days]),
        ),
        Tile(
            "CTR",
            words.percent(total.ctr, 2),
            "Clicks among impressions",
            None,
            spark([day.ctr for day in days]),
        ),
        Tile("Reach", words.count(reach), f"Browsers since the start, {frequency}", None, None),
        Tile(
            "Cost",
            words.money(total.revenue_micros, currency),
            "What the counted events cost",
            None,
            spark([day.revenue_micros for day in days]),
        ),
    ]


def summary(found: Results) -> str:
    """What the chart shows, for those who do not see it."""
    days = [(day, totals) for day, totals in found.days if totals.impression_count]
    if not days:
        return "No impressions in this period."
    day, most = max(days, key=lambda pair: pair[1].impression_count)
    best = f"{words.day_name(day)} with {words.count(most.impression_count)}"
    return f"{words.counted(len(days), 'day')} with impressions; the best was {best}."


def result_rows(found: Results) -> list[Row]:
    """One row for each day and line item that had anything."""
    return [
        {
            "day": row.day.isoformat(),
            "campaign": row.campaign,
            "line_item": row.line_item,
            **cut_row(row.totals),
        }
        for row in found.rows
    ]


def results_json(found: Results) -> Row:
    """What was asked, the rows, and the same by slot, by dimension and by reach."""
    return {
        **asked(found.choice),
        "advertiser": found.advertiser,
        "campaign": found.campaign,
        "rows": result_rows(found),
        "total": cut_row(found.total),
        "slots": [{"slot": name, **cut_row(totals)} for name, totals in found.slots],
        **{
            one.by: [
                {one.by: line.value, "kind": line.named.value, **cut_row(line.totals)} for line in one.lines
            ]
            for one in found.breakdowns
        },
        "reach": [reach_line(line) for line in found.reach],
    }
