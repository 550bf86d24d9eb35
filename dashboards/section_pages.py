"""What a section of a site is worth → its page, and rows for JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adserver.measurement.report import Site, Totals
from adserver.measurement.section_report import SectionReport
from dashboards import words
from dashboards.exports import Row, asked, cut_row
from dashboards.figures import delivery_by_day
from dashboards.frame import TEMPLATES, Link, frame_of, query_of
from dashboards.pages import Tile
from dashboards.sparks import spark

COLUMNS = ("section", "day", *cut_row(Totals()))


def section_page(found: SectionReport, sites: Sequence[Site]) -> str:
    """The page of one section, or of all."""
    choice = found.choice
    kept = {"section": found.section} if found.section else {}
    names = [line.value for line in found.every.lines if line.value]

    def link(name: str | None) -> Link:
        return Link(f"?{query_of(choice, section=name)}", name or "All sections", name == found.section)

    frame = frame_of(choice, sites, "sections", kept)
    return TEMPLATES.get_template("sections.html").render(
        **{**frame, "query": query_of(choice, **kept)},
        title=f"{choice.site.domain}: {found.section or 'sections'}",
        found=found,
        sentence=sentence(found),
        tiles=tiles(found),
        figure=delivery_by_day(found.days, choice.today),
        section_links=[link(None), *map(link, names)],
        conversions=found.total.conversion_count > 0,
        few_requests=words.FEW_REQUESTS,
    )


def sentence(found: SectionReport) -> str:
    """What the section earned, and how much of the site that is."""
    choice, total = found.choice, found.total
    where = f"Section {found.section}" if found.section else f"The sections of {choice.site.domain}"
    earned = words.money(total.revenue_micros, choice.site.currency)
    whole = found.every.total.revenue_micros
    part = f", {words.percent(total.revenue_micros / whole, 0)} of all" if found.section and whole else ""
    seen = words.counted(total.impression_count, "impression")
    return f"{where} earned {earned}{part} from {seen} {words.span_of(choice)}."


def tiles(found: SectionReport) -> list[Tile]:
    """Six numbers; trends are of complete days."""
    total, currency = found.total, found.choice.site.currency
    days = [totals for day, totals in found.days if day < found.choice.today]
    earned, ecpm = words.money(total.revenue_micros, currency), words.money(total.ecpm_micros, currency)

    def tile(label: str, value: str, meaning: str, of: Callable[[Totals], float | None]) -> Tile:
        return Tile(label, value, meaning, None, spark([of(day) for day in days]))

    seen, clicked = words.count(total.impression_count), words.count(total.click_count)
    return [
        tile("Revenue", earned, "What the counted events earned", lambda day: day.revenue_micros),
        tile("eCPM", ecpm, "Revenue of a thousand impressions", lambda day: day.ecpm_micros),
        tile("Impressions", seen, "Ads that began to be drawn", lambda day: day.impression_count),
        tile(
            "Viewability",
            words.percent(total.viewability),
            "Viewable among measurable impressions",
            lambda day: day.viewability,
        ),
        tile("Clicks", clicked, "Readers who followed an ad", lambda day: day.click_count),
        tile("CTR", words.percent(total.ctr, 2), "Clicks among impressions", lambda day: day.ctr),
    ]


def section_rows(found: SectionReport) -> list[Row]:
    """One row a day."""
    return [
        {"section": found.section or "", "day": day.isoformat(), **cut_row(totals)}
        for day, totals in found.days
    ]


def section_json(found: SectionReport) -> Row:
    """What was asked, the days, and the same by slot and campaign."""
    return {
        **asked(found.choice),
        "section": found.section,
        "rows": section_rows(found),
        "total": cut_row(found.total),
        "slots": [{"slot": name, **cut_row(totals)} for name, totals in found.slots],
        "campaigns": [
            {"advertiser": advertiser, "campaign": name, **cut_row(totals)}
            for advertiser, name, totals in found.campaigns
        ],
    }
