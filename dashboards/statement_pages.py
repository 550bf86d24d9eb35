"""A closed month of a site → what each advertiser owes: its page, and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from adserver.measurement.report import Choice, Site
from adserver.measurement.statement import WHOLE_PPM, Booking, Line, Statement
from dashboards.exports import Row, statement_rows
from dashboards.frame import TEMPLATES, Link, frame_of, query_of

#: So many months can be chosen, the last one first.
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one advertiser in one booking."""

    booking: Booking
    correction: bool
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Owed:
    """What one advertiser owes: as closed, and each correction since."""

    advertiser: str
    parts: tuple[Part, ...]

    @property
    def revenue_micros(self) -> int:
        """All parts together."""
        return sum(line.revenue_micros for part in self.parts for line in part.lines)


def owed(found: Statement) -> list[Owed]:
    """Advertisers by name, each with its parts in the order in which they were booked."""
    bookings = [found.closed, *found.corrections]
    names = sorted({line.advertiser for booking in bookings for line in booking.lines})
    return [
        Owed(
            name,
            tuple(
                Part(booking, number > 0, lines)
                for number, booking in enumerate(bookings)
                if (lines := tuple(line for line in booking.lines if line.advertiser == name))
            ),
        )
        for name in names
    ]


def month_or_last(text: str, choice: Choice) -> str:
    """A month of a query (empty: not given) → the month; else the last one that is over."""
    return text or f"{_month_before(choice.today):%Y-%m}"


def statement_page(
    choice: Choice, month: str, found: Statement | None, sites: Sequence[Site], advertiser: str = ""
) -> str:
    """The page of one month; with an `advertiser`, of what it is sent (`Statement.of`)."""
    kept = {"month": month, **({"advertiser": advertiser} if advertiser else {})}
    query = query_of(choice, **kept)
    frame = frame_of(choice, sites, "statement", kept)
    parts = owed(found) if found else []
    names = [one.advertiser for one in parts]
    return TEMPLATES.get_template("statement.html").render(
        **{**frame, "query": query, "slot_links": []},
        title=f"{choice.site.domain}: statement {month}{advertiser and f' for {advertiser}'}",
        advertiser=advertiser,
        everybody=f"?{query_of(choice, month=month)}",
        alone=[f"?{query_of(choice, month=month, advertiser=name)}" for name in names],
        share=None if found is None or found.share_ppm == WHOLE_PPM else found.share_ppm / WHOLE_PPM,
        found=found,
        month=month,
        named=f"{date.fromisoformat(f'{month}-01'):%B %Y}",
        months=_months(choice, month, advertiser),
        owed=parts,
        pending_micros=sum(line.revenue_micros for line in found.pending) if found else 0,
    )


def _months(choice: Choice, month: str, advertiser: str) -> list[Link]:
    links, day = [], choice.today
    for _ in range(_MONTHS):
        day = _month_before(day)
        links.append(
            Link(
                f"?{query_of(choice, month=f'{day:%Y-%m}', advertiser=advertiser or None)}",
                f"{day:%B %Y}",
                f"{day:%Y-%m}" == month,
            )
        )
    return links


def _month_before(day: date) -> date:
    return day.replace(day=1) - timedelta(days=1)


def statement_json(month: str, choice: Choice, found: Statement | None) -> Row:
    """Whether the month is closed, its rows, and its total without what is pending."""
    return {
        "site": choice.site.name,
        "month": month,
        "currency": choice.site.currency if found is None else found.currency,
        "closed_at": None if found is None else found.closed.at.isoformat(),
        "rows": [] if found is None else list(statement_rows(found)),
        "revenue_micros": None if found is None else found.revenue_micros,
        "revenue_share": None if found is None else found.share_ppm / WHOLE_PPM,
        "publisher_micros": None if found is None else found.publisher_micros,
    }
