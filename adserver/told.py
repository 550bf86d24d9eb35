"""Settings → what a running server tells each morning."""

from __future__ import annotations

from adserver.accounts.mail import Mail
from adserver.alerting import Alerting
from adserver.mornings import Task
from adserver.report_mails import ReportMails
from adserver.settings import Settings
from dashboards.printing import printer_of
from dashboards.sources import Sources


def told_each_morning(settings: Settings, sources: Sources) -> list[Task]:
    """Whatever the operator has named somebody for."""
    mail, tasks = Mail(settings), list[Task]()
    if settings.alert_to or settings.alert_webhook:
        tasks.append(Alerting(settings, sources.alerts, mail))
    if settings.report_to:
        reports, paces = sources.reports, sources.paces
        printer = printer_of(settings)
        tasks += [
            ReportMails(settings, reports, paces, mail, printer, weekly=weekly) for weekly in (True, False)
        ]
    return tasks
