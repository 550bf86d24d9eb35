"""Why line items did not serve → its page, the figure of one of them over time, and rows for JSON and CSV."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from adserver.decision.rule_names import KINDS, kind_of, rule_name
from adserver.decision.verdicts import WON
from adserver.measurement.reasons import ReasonLine, ReasonReport, ReasonTime
from adserver.measurement.report import Site
from dashboards import words
from dashboards.exports import RATIO_PLACES, Row, asked
from dashboards.figures import CONFIG, DAY_MS, MOST_TICKS, Figure, axis, date_axis, labels, layout, plain
from dashboards.frame import TEMPLATES, frame_of, query_of, why_href

COLUMNS = ("line_item", "start", "rule", "reason", "page_count", "page_share")
#: A part of fewer sampled pages than this says little.
FEW_PAGES = 20
_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of reason in a bar, in per cent of its width."""

    kind: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One line item's row."""

    line: ReasonLine
    href: str
    current: bool
    parts: Sequence[Part]
    main: str
    few: bool


def reasons_page(found: ReasonReport, sites: Sequence[Site]) -> str:
    """The page of reasons."""
    choice, chosen = found.choice, found.chosen
    kept = {"line_item": chosen.line_item} if chosen else {}
    frame = frame_of(choice, sites, "reasons", kept)
    return TEMPLATES.get_template("reasons.html").render(
        **{**frame, "query": query_of(choice, **kept)},
        title=f"{choice.site.domain}: reasons",
        found=found,
        summary=summary(found),
        shown=[_shown(line, found) for line in found.lines],
        kinds=_kinds(found),
        figure=reasons_over_time(found) if found.times else None,
        name_of=rule_name,
        kind_names=KINDS,
        time_name=lambda one: _time_name(one, found),
        why=why_href(chosen.line_item) if chosen else "",
        few_pages=FEW_PAGES,
    )


def summary(found: ReasonReport) -> str:
    """The answer to "why is it not serving?"."""
    lines = [line for line in found.lines if not line.archived]
    if not lines:
        return "No page request was looked at in this time."
    most = max(line.page_count for line in lines)
    if most < FEW_PAGES:
        looked = words.counted(most, "page request")
        return f"Only {looked} {'was' if most == 1 else 'were'} looked at in this time: too few to say much."
    silent = [line for line in lines if not line.rules.get(WON)]
    if not silent:
        least = lines[0]
        return (
            f"Every line item serves on some pages; {least.line_item} on the fewest, "
            f"{words.percent(least.served_rate, 0)} of those looked at."
        )
    some = words.counted(len(silent), "line item")
    rule, count = Counter(line.main_rule or "" for line in silent).most_common(1)[0]
    of_these = "its" if len(silent) == 1 else "the main" if count == len(silent) else "most often the main"
    return f"{some} of {len(lines)} would serve on no page; {of_these} reason: {rule_name(rule).lower()}."


def _shown(line: ReasonLine, found: ReasonReport) -> Shown:
    return Shown(
        line=line,
        href=f"?{query_of(found.choice, line_item=line.line_item)}#over-time",
        current=line == found.chosen,
        parts=_parts(line.rules),
        main=rule_name(line.main_rule) if line.main_rule else words.NONE,
        few=line.page_count < FEW_PAGES,
    )


def _by_kind(rules: Mapping[str, int]) -> dict[str, int]:
    counts = Counter[str]()
    for rule, count in rules.items():
        counts[kind_of(rule)] += count
    return {kind: counts[kind] for kind in KINDS if counts[kind]}


def _parts(rules: Mapping[str, int]) -> list[Part]:
    whole, start, parts = sum(rules.values()), 0, []
    for kind, count in _by_kind(rules).items():
        parts.append(Part(kind, f"{100 * start / whole:.2f}", f"{100 * count / whole:.2f}"))
        start += count
    return parts


def _kinds(found: ReasonReport) -> list[str]:
    met = {kind for line in found.lines for kind in _by_kind(line.rules)}
    return [kind for kind in KINDS if kind in met]


def _time_name(one: ReasonTime, found: ReasonReport) -> str:
    if not found.by_hour:
        return words.day_name(one.start.date())
    return f"{words.day_name(one.start.date())}, {one.start:%H}:00"


def reasons_over_time(found: ReasonReport) -> Figure:
    """A bar for each hour or day: the parts of the pages on which one line item served, or why not."""
    times = found.times
    by_kind = [_by_kind(one.rules) for one in times]
    sums = [sum(counts.values()) for counts in by_kind]
    # An hour's bar covers the hour, and a day's stands on the midnight that begins it, as everywhere.
    shift = timedelta(minutes=30 if found.by_hour else 0)
    x = [(one.start + shift).isoformat() for one in times]
    bars = [
        {
            "type": "bar",
            "name": KINDS[kind],
            "x": x,
            "y": [counts.get(kind, 0) / whole for counts, whole in zip(by_kind, sums, strict=True)],
            "width": 0.8 * (_HOUR_MS if found.by_hour else DAY_MS),
            "marker": {"color": f"var(--reason-{kind})", "line": {"width": 0}},
            "hoverinfo": "skip",
        }
        for kind in KINDS
        if any(kind in counts for counts in by_kind)
    ]
    parts = {**axis(5), "tickformat": ".0%", "range": [0, 1.02], "tickvals": [0, 0.25, 0.5, 0.75, 1]}
    return {
        "data": [*bars, labels(x, [1] * len(x), [_label(one, found) for one in times])],
        "layout": layout(barmode="stack", hovermode="x", xaxis=_time_axis(found), yaxis=parts),
        "config": CONFIG,
    }


def _time_axis(found: ReasonReport) -> Figure:
    period = found.choice.period
    days = date_axis([*period.days])
    if not found.by_hour:
        return days
    first, hours = datetime.combine(period.first, time()), 24 * len(period)
    return days | {
        "range": [first.isoformat(), (first + timedelta(hours=hours)).isoformat()],
        "dtick": max(-(-hours // MOST_TICKS), 3) * _HOUR_MS,
        "tickformat": "%H:00\n%-d %b",
    }


def _label(one: ReasonTime, found: ReasonReport) -> list[str]:
    whole = sum(one.rules.values())
    texts = [f"{_time_name(one, found)}: {words.counted(whole, 'sampled page')}"]
    texts += [f"{words.percent(count / whole, 0)} {rule_name(rule)}" for rule, count in one.rules.items()]
    return [plain(text) for text in texts]


def reason_rows(found: ReasonReport) -> list[Row]:
    """One row for each reason of each line item over the whole time, then those of the chosen one by time.

    `start` is empty for the whole time, else local; `page_share` is of the pages looked at, in [0, 1].
    """
    rows = [row for line in found.lines for row in _rows(line.line_item, "", line.rules)]
    if found.chosen:
        for one in found.times:
            rows += _rows(found.chosen.line_item, one.start.isoformat(), one.rules)
    return rows


def _rows(name: str, start: str, rules: Mapping[str, int]) -> list[Row]:
    whole = sum(rules.values())
    return [
        {
            "line_item": name,
            "start": start,
            "rule": rule,
            "reason": rule_name(rule),
            "page_count": count,
            "page_share": round(count / whole, RATIO_PLACES),
        }
        for rule, count in rules.items()
    ]


def reasons_json(found: ReasonReport) -> Row:
    """What was asked, and the rows."""
    return {
        **asked(found.choice),
        "chosen": found.chosen.line_item if found.chosen else None,
        "rows": reason_rows(found),
    }
