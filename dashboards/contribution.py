"""A report's campaigns → what each adds to the change of revenue, as bars to the left and right of zero."""

from __future__ import annotations

from dataclasses import dataclass

from adserver.measurement.report import Report, Totals
from dashboards import words
from dashboards.sparks import Bar, bar

#: So many campaigns have a line, those that changed most; what is left is summed in one more.
_MOST_LINES = 12


@dataclass(frozen=True, slots=True)
class Line:
    """One campaign, or all others."""

    name: str
    owner: str
    archived: bool
    earlier_micros: int
    now_micros: int
    bar: Bar

    @property
    def change_micros(self) -> int:
        """What it adds, or takes."""
        return self.now_micros - self.earlier_micros


@dataclass(frozen=True, slots=True)
class Contribution:
    """Lines whose changes add up to that of revenue, the one that added most first, and a summary."""

    lines: tuple[Line, ...]
    change_micros: int
    sentence: str


def contribution(report: Report) -> Contribution | None:
    """None where nothing is compared, or nothing was counted before."""
    compared = report.comparison
    if compared is None or not report.campaigns or compared.earlier_totals == Totals():
        return None
    ranked = sorted(range(len(report.campaigns)), key=lambda n: -abs(report.campaigns[n].change_micros))
    rest = [report.campaigns[number] for number in ranked[_MOST_LINES:]]
    found = [
        (line.name or "Other", line.advertiser, line.archived, line.earlier_totals, line.totals)
        for line in (report.campaigns[number] for number in sorted(ranked[:_MOST_LINES]))
    ]
    parts = [(*one[:3], one[3].revenue_micros, one[4].revenue_micros) for one in found]
    if rest:
        earlier = sum(line.earlier_totals.revenue_micros for line in rest)
        now = sum(line.totals.revenue_micros for line in rest)
        parts.append((words.counted(len(rest), "other campaign"), "", False, earlier, now))
    most = max(abs(now - earlier) for *_, earlier, now in parts)
    lines = tuple(Line(*part, bar(part[4] - part[3], most)) for part in parts)
    change = sum(line.change_micros for line in lines)
    return Contribution(lines, change, _sentence(lines, change, report.choice.site.currency))


def _sentence(lines: tuple[Line, ...], change: int, currency: str) -> str:
    up = max(lines, key=lambda line: line.change_micros)
    down = min(lines, key=lambda line: line.change_micros)
    said = f"Revenue changed by {words.signed_money(change, currency)}"
    if up.change_micros > 0:
        said += f"; {up.name} added most, {words.money(up.change_micros, currency)}"
    if down.change_micros < 0:
        said += f"; {down.name} took most, {words.money(-down.change_micros, currency)}"
    return f"{said}."
