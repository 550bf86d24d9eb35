"""Numbers → what people read: amounts, percent, changes, dates and the sentences of a report.

Only the screen rounds; files keep every digit (dashboards/exports.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import log

from adserver.measurement.report import PRESETS, Choice, Comparison, Report, Totals
from adserver.money import MICROS

SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹"}
WITHOUT_CENTS = {"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"}
NONE = "–"
HEADER_BIDS = (
    "Filled requests that went to a bid of the page’s own header bidding; "
    "what these earn is in the bidder’s reports"
)
#: Rates of fewer requests than this say little; they are shown in grey.
FEW_REQUESTS = 200

TIERS = {
    "sponsorship": "Sponsorship",
    "guaranteed": "Guaranteed",
    "price": "Price",
    "network": "Network",
    "house": "House",
    "": "Other",
}


def symbol(currency: str) -> str:
    """What stands before an amount: `$`, or the currency's code and a space that does not break."""
    return SYMBOLS.get(currency, f"{currency}\u00a0")


def money(micros: int | None, currency: str) -> str:
    """Micros → `$1,234.50`, rounded half up to the currency's smallest unit."""
    if micros is None:
        return NONE
    places = 0 if currency in WITHOUT_CENTS else 2
    unit = MICROS // 10**places
    whole, part = divmod((2 * micros + unit) // (2 * unit), 10**places)
    return f"{symbol(currency)}{whole:,}" + (f".{part:0{places}d}" if places else "")


def count(number: int) -> str:
    """12345 → `12,345`."""
    return f"{number:,}"


def less(number: int) -> str:
    """What is taken away: 12345 → `−12,345`, 0 → a dash."""
    return f"−{number:,}" if number else NONE


def counted(number: int, noun: str) -> str:
    """1, `click` → `1 click`; 2 → `2 clicks`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def estimated(totals: Totals, currency: str) -> str:
    """How much of what networks earned is no fact yet: ` ($3.00 estimated)`, ` (estimated)` or nothing."""
    if not totals.network_estimate_micros:
        return ""
    if totals.network_estimate_micros == totals.network_micros:
        return " (estimated)"
    return f" ({money(totals.network_estimate_micros, currency)} estimated)"


def percent(rate: float | None, places: int = 1) -> str:
    """0.973 → `97.3%`."""
    return NONE if rate is None else f"{100 * rate:.{places}f}%"


@dataclass(frozen=True, slots=True)
class Change:
    """A difference in words, and whether it is up (1), down (-1) or level (0)."""

    text: str
    direction: int


def amount_change(now: int | None, earlier: int | None) -> Change | None:
    """Amounts change in per cent of the earlier one; None where there is no earlier one to compare with."""
    if now is None or not earlier:
        return None
    difference = 100 * (now - earlier) / earlier
    return _signed(difference, 0 if abs(difference) >= 10 else 1, "%")


def rate_change(now: float | None, earlier: float | None, places: int = 1) -> Change | None:
    """Rates change in percentage points."""
    if now is None or earlier is None:
        return None
    return _signed(100 * (now - earlier), places, "\u00a0pp")


def _signed(difference: float, places: int, unit: str) -> Change:
    size = f"{abs(difference):,.{places}f}"
    if float(size.replace(",", "")) == 0:
        return Change(f"±0{unit}", 0)
    return Change(f"{'+' if difference > 0 else '−'}{size}{unit}", 1 if difference > 0 else -1)


def day_name(day: date) -> str:
    """`Tue 24 Nov 2026`."""
    return f"{day:%a} {day.day} {day:%b %Y}"


def day_range(first: date, last: date) -> str:
    """`18–24 Nov 2026`, with no part said twice."""
    if first == last:
        return day_name(first)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{last.day} {last:%b %Y}"
    year = "" if first.year == last.year else f" {first.year}"
    return f"{first.day} {first:%b}{year} – {last.day} {last:%b %Y}"


def span_of(choice: Choice) -> str:
    """How the period is said within a sentence."""
    match choice.preset:
        case "today" | "yesterday":
            return choice.preset
        case "this-month" | "last-month":
            return f"in {choice.period.first:%B %Y}"
        case str(name):
            return f"in the {PRESETS[name].title.lower()}"
        case None:
            return _during(choice.period.first, choice.period.last)


def _during(first: date, last: date) -> str:
    return f"on {day_name(first)}" if first == last else f"during {day_range(first, last)}"


def headline(report: Report) -> tuple[str, str]:
    """The answer to "what did we earn, is it normal?" as two sentences; the second may be empty."""
    total, currency = report.total, report.choice.site.currency
    who = "You" if report.choice.slot is None else f"Slot {report.choice.slot}"
    earned = (
        f"{who} earned {money(total.revenue_micros, currency)} from "
        f"{counted(total.impression_count, 'impression')} {span_of(report.choice)}."
    )
    return earned, "" if report.comparison is None else _compared(report.comparison, currency)


def _compared(comparison: Comparison, currency: str) -> str:
    change = amount_change(comparison.totals.revenue_micros, comparison.earlier_totals.revenue_micros)
    if change is None:
        return ""
    earlier = day_range(comparison.earlier.first, comparison.earlier.last)
    was = money(comparison.earlier_totals.revenue_micros, currency)
    days = len(comparison.period)
    subject = f"The {days} complete days earned" if days > 1 else "The complete day earned"
    if change.direction == 0:
        return f"{subject} the same as {earlier} ({was})."
    more = "more" if change.direction > 0 else "less"
    why = _why(comparison.totals, comparison.earlier_totals)
    return f"{subject} {change.text.lstrip('+−')} {more} than {earlier} ({was}){why}."


def _why(now: Totals, earlier: Totals) -> str:
    """Which factor of revenue, requests × RPM, changed it most; empty where one of them is not known."""
    pairs = (
        ("requests", now.request_count, earlier.request_count),
        ("RPM", now.rpm_micros, earlier.rpm_micros),
    )
    factors = [(abs(log(a / b)), name, amount_change(a, b)) for name, a, b in pairs if a and b]
    if len(factors) < len(pairs):
        return ""
    _, name, change = max(factors, key=lambda factor: factor[0])
    assert change, "what can be divided can be compared"
    words = ("more requests", "fewer requests") if name == "requests" else ("a higher RPM", "a lower RPM")
    return f", mostly for {words[change.direction < 0]} ({change.text})" if change.direction else ""


def comparison_note(report: Report) -> str:
    """Which days the changes compare."""
    comparison = report.comparison
    if report.choice.compared == "none":
        return ""
    if comparison is None:
        return "Today is not over, so nothing is compared yet."
    now = day_range(comparison.period.first, comparison.period.last)
    earlier = day_range(comparison.earlier.first, comparison.earlier.last)
    if comparison.earlier_totals == Totals():
        when = _during(comparison.earlier.first, comparison.earlier.last)
        return f"Nothing was counted {when}, so nothing is compared."
    same = "the same weekdays" if len(comparison.period) > 1 else "the same weekday"
    return f"Changes compare {now} with {earlier}: complete days, {same}."


def chart_summary(report: Report) -> str:
    """What the chart shows, for those who do not see it."""
    currency = report.choice.site.currency
    days = [line for line in report.days if line.totals.revenue_micros]
    if not days:
        return "No revenue in this period."
    best = max(days, key=lambda line: line.totals.revenue_micros)
    if len(report.days) == 1:
        return f"{day_name(best.day)}: {money(best.totals.revenue_micros, currency)}."
    complete = [line.totals.revenue_micros for line in days if not line.partial]
    mean = f", {money(sum(complete) // len(complete), currency)} on average" if complete else ""
    return (
        f"{counted(len(days), 'day')} with revenue{mean}; "
        f"the best was {day_name(best.day)} with {money(best.totals.revenue_micros, currency)}."
    )


def moment(choice: Choice) -> str:
    """When was asked, on the site's clock: `Tue 24 Nov 2026, 15:37`."""
    local = choice.asked_at.astimezone(choice.period.zone)
    return f"{day_name(local.date())}, {local:%H:%M}"


def freshness(choice: Choice) -> str:
    """When the newest event came, in the site's time zone."""
    if choice.last_event_at is None:
        return "no event yet"
    local = choice.last_event_at.astimezone(choice.period.zone)
    day = "today" if local.date() == choice.today else day_name(local.date())
    return f"last event {day}, {local:%H:%M}"


def age(seconds: float | None) -> str:
    """How long ago the newest event came: `last event 3 s ago`."""
    if seconds is None:
        return "no event yet"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"last event {int(seconds // size)} {unit} ago"
    return f"last event {int(seconds)} s ago"


def auctions(total: Totals) -> str:
    """What came of auctions that were held elsewhere."""
    return (
        f"Auctions elsewhere asked for these slots {counted(total.auction_count, 'time')} and got "
        f"{counted(total.bid_count, 'bid')}; they are not among the requests. "
        "Bids that won count as impressions."
    )


def signed_money(micros: int, currency: str) -> str:
    """A difference: `+$1.20`, `−$0.30`, `±$0.00`."""
    sign = "+" if micros > 0 else "−" if micros < 0 else "±"
    return f"{sign}{money(abs(micros), currency)}"


def chart_total(report: Report) -> str:
    """How revenue is made up of tiers: `Guaranteed $12.10, network $2.44.`; empty for one tier alone."""
    tiers: dict[str, int] = {}
    for line in report.days:
        for tier, micros in (line.tiers or {}).items():
            tiers[tier] = tiers.get(tier, 0) + micros
    if len(tiers) < 2:
        return ""
    parts = [
        f"{TIERS[tier].lower()} {money(micros, report.choice.site.currency)}"
        for tier, micros in tiers.items()
    ]
    said = ", ".join(parts)
    return f"{said[:1].upper()}{said[1:]}."
