"""What is unusual on a site → a sentence for each, with the address of the report that explains it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from adserver.measurement.alerts import Alert, Alerts, Why
from dashboards.frame import query_of
from dashboards.words import counted, money, percent

_ABOUT = {Why.REVENUE: "revenue", Why.FILL: "fill rate"}


def subject_of(alerts: Alerts) -> str:
    """The subject of a mail: the site, and what it is about."""
    about = dict.fromkeys(_ABOUT.get(one.why, one.subject) for one in alerts.found)
    return f"{alerts.choice.site.domain}: {', '.join(about)}"[:180]


def sentence_of(alert: Alert, alerts: Alerts) -> str:
    """What was found, and what is usual."""
    day = alerts.choice.period.first
    when, like = f"{day:%A} {day.day} {day:%B}", f"{day:%A}s"
    match alert.why:
        case Why.REVENUE:
            found, usual = (
                money(round(micros), alerts.choice.site.currency) for micros in (alert.found, alert.usual)
            )
            return f"Revenue on {when} was {found}; {like} usually bring {usual}."
        case Why.FILL:
            return (
                f"On {when}, {percent(alert.found)} of requests were filled; "
                f"on {like} it is usually {percent(alert.usual)}."
            )
        case Why.SILENT:
            asked, usual = counted(round(alert.found), "request"), counted(round(alert.usual), "request")
            return (
                f"Slot {alert.subject} had {asked} on {when}; {like} usually have {usual}. Is its tag gone?"
            )
        case Why.LATE:
            part = percent(alert.found / alert.usual, 0)
            return (
                f"Line item {alert.subject} will have delivered about {round(alert.found):,} of "
                f"{round(alert.usual):,} at its end ({part})."
            )


def address_of(alert: Alert, alerts: Alerts, base: str) -> str:
    """The report that explains it."""
    if alert.why is Why.LATE:
        return f"{base}/reports/delivery?{urlencode({'site': alerts.choice.site.name})}"
    slot = alert.subject if alert.why is Why.SILENT else None
    return f"{base}/reports/?{query_of(alerts.choice, slot=slot)}"


def mail_text(alerts: Alerts, base: str) -> str:
    """The text of a mail."""
    lines = [f"{sentence_of(one, alerts)}\n{address_of(one, alerts, base)}\n" for one in alerts.found]
    return "\n".join(lines)


def webhook_body(alerts: Alerts, base: str) -> dict[str, Any]:
    """The same for programs; money in micros, rates in [0, 1]. `text` is what chat programs show."""
    rows = [
        {
            "kind": str(one.why),
            "subject": one.subject,
            "found": one.found,
            "usual": one.usual,
            "sentence": sentence_of(one, alerts),
            "url": address_of(one, alerts, base),
        }
        for one in alerts.found
    ]
    return {
        "site": alerts.choice.site.name,
        "day": alerts.choice.period.first.isoformat(),
        "text": f"{subject_of(alerts)}\n\n{mail_text(alerts, base)}",
        "alerts": rows,
    }
