"""JSON and CSV of a report: exact, readable by any reader of RFC 4180, and never a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import date
from html.parser import HTMLParser

import pytest

from adserver.measurement.cuts import Breakdown, CutLine, Named
from adserver.measurement.report import (
    CampaignLine,
    CatalogChange,
    Choice,
    Comparison,
    DayLine,
    Period,
    Report,
    Site,
    SlotLine,
    Totals,
)
from dashboards import exports
from dashboards.cut_pages import section_of
from dashboards.pages import report_page
from tests.dashboards.payloads import payloads
from tests.dashboards.world import NOW, site

TOTALS = Totals(
    *(1000, 900, 800, 700, 350, 3, 1_234_567),
    network_impression_count=30,
    unfilled_count=8,
    no_answer_count=2,
    network_micros=34_567,
    network_estimate_micros=4_567,
)
BENIGN = "article-top"


def report_named(*names: str, domain: str = "daily.example", reason: str = "no_eligible") -> Report:
    """A report whose slots, domain and reason are whatever somebody typed."""
    known = Site.model_validate(site("daily", "Asia/Kathmandu"))
    typed = known.model_copy(update={"domain": domain, "slot": ()})
    choice = Choice(typed, Period(known.zone, date(2026, 11, 1), date(2026, 11, 2)), None, NOW)
    slots = tuple(SlotLine(name, TOTALS, archived=False) for name in names)
    days = (DayLine(choice.period.first, TOTALS, partial=False), DayLine(choice.period.last, Totals(), False))
    compared = Comparison(choice.period, choice.period.compared_with(), TOTALS, TOTALS, days)
    campaigns = tuple(CampaignLine(name, name, False, TOTALS, Totals()) for name in names)
    changes = (CatalogChange(1, NOW, names),)
    return Report(choice, TOTALS, days, slots, ((reason, 100),), (), compared, campaigns, changes=changes)


def page_of(report: Report, typed: str) -> str:
    """The page of a report, with a section and a line item that somebody typed."""
    lines = (CutLine(Named.VALUE, typed, TOTALS), CutLine(Named.UNKNOWN, "", TOTALS))
    breakdown = Breakdown(report.choice, "section", typed, lines, TOTALS + TOTALS)
    return report_page(report, section_of(breakdown), [], "http://here.example/")


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag + " " + " ".join(name for name, _ in attrs))

    def handle_data(self, text: str) -> None:
        self.text += text


def test_rows_are_exact() -> None:
    (row,) = exports.slot_rows(report_named(BENIGN))
    assert row == {
        "slot": "article-top",
        "archived": False,
        "request_count": 1000,
        "fill_count": 900,
        "fill_rate": 0.9,
        "impression_count": 800,
        "measurable_count": 700,
        "viewable_count": 350,
        "viewability": 0.5,
        "click_count": 3,
        "ctr": 0.00375,
        "conversion_count": 0,
        "ecpm_micros": 1_543_209,
        "ecpm": "1.543209",
        "rpm_micros": 1_234_567,
        "rpm": "1.234567",
        "revenue_micros": 1_234_567,
        "revenue": "1.234567",
        "gross_request_count": 1000,
        "gross_impression_count": 800,
        "gross_click_count": 3,
        "gross_conversion_count": 0,
        "header_bid_count": 0,
        "auction_count": 0,
        "bid_count": 0,
        "direct_revenue_micros": 1_200_000,
        "direct_revenue": "1.20",
        "network_revenue_micros": 34_567,
        "network_revenue": "0.034567",
        "network_estimate_micros": 4_567,
        "network_estimate": "0.004567",
        "network_request_count": 40,
        "network_unfilled_count": 8,
        "network_no_answer_count": 2,
        "network_fill_rate": 0.75,
        "video_start_count": 0,
        "video_complete_count": 0,
        "video_completion_rate": None,
    }


def test_csv_has_amounts_as_text_with_their_currency() -> None:
    text = exports.as_csv(exports.slot_rows(report_named(BENIGN)), exports.SLOT_COLUMNS, "USD")
    assert text == (
        "slot,archived,request_count,fill_count,fill_rate,impression_count,measurable_count,viewable_count,"
        "viewability,click_count,ctr,conversion_count,ecpm,rpm,revenue,"
        "gross_request_count,gross_impression_count,gross_click_count,gross_conversion_count,header_bid_count,"
        "auction_count,bid_count,direct_revenue,network_revenue,network_estimate,"
        "network_request_count,network_unfilled_count,network_no_answer_count,network_fill_rate,"
        "video_start_count,video_complete_count,video_completion_rate,currency\r\n"
        "article-top,false,1000,900,0.900000,800,700,350,0.500000,3,0.003750,0,1.543209,1.234567,1.234567,"
        "1000,800,3,0,0,0,0,1.20,0.034567,0.004567,40,8,2,0.750000,0,0,,USD\r\n"
    )


def test_a_ratio_without_a_divisor_is_empty_in_csv_and_null_in_json() -> None:
    rows = [{"slot": "x", "archived": True, **exports.totals_row(Totals())}]
    assert rows[0]["ctr"] is None
    assert (
        exports.as_csv(rows, exports.SLOT_COLUMNS, "USD").splitlines()[1]
        == "x,true,0,0,,0,0,0,,0,,0,,,0.00,0,0,0,0,0,0,0,0.00,0.00,0.00,0,0,0,,0,0,,USD"
    )


def test_csv_without_rows_still_has_its_header() -> None:
    assert exports.as_csv([], exports.REVENUE_COLUMNS, "USD").startswith("day,partial,request_count")


def test_names_come_back_from_csv_and_none_is_a_formula() -> None:
    names = payloads()
    rows = [{"slot": name, "archived": False, **exports.totals_row(TOTALS)} for name in names]
    text = exports.as_csv(rows, exports.SLOT_COLUMNS, "USD")
    cells = [row[0] for row in csv.reader(io.StringIO(text, newline=""))][1:]
    assert len(cells) == len(names)
    for name, cell in zip(names, cells, strict=True):
        assert cell in (name, f"'{name}")
        assert not cell.startswith(exports.FORMULA_STARTS)


def test_no_name_adds_a_tag_or_an_attribute_to_the_page() -> None:
    typed = payloads()
    for first in range(0, len(typed), 20):
        some = typed[first : first + 20]
        expected = Tags(page_of(report_named(*[BENIGN] * len(some), reason="unheard_of"), BENIGN))
        report = report_named(*some, domain=some[0], reason=some[-1])
        found = Tags(page_of(report, some[0]))
        assert "table id" in found.seen
        assert found.seen == expected.seen
        text = re.sub(r"\s", "", found.text)
        assert all(re.sub(r"\s", "", payload) in text for payload in some)


@pytest.mark.parametrize("rows", [exports.revenue_rows, exports.slot_rows])
def test_json_says_what_was_asked_and_adds_up(rows: Callable[[Report], list[exports.Row]]) -> None:
    body = exports.as_json(report_named(BENIGN), rows(report_named(BENIGN)))
    assert (body["site"], body["currency"], body["timezone"]) == ("daily", "USD", "Asia/Kathmandu")
    assert (body["from"], body["to"]) == ("2026-11-01", "2026-11-02")
    assert body["total"]["revenue_micros"] == 1_234_567
    assert body["unfilled"] == [{"reason": "no_eligible", "request_count": 100}]
