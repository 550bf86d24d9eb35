"""The week or month that is over on a site → its report as a mail, to those whom the operator names."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

import structlog

from adserver.accounts.mail import Mail
from adserver.catalog.model import Site
from adserver.measurement.pace import Pace, Paces
from adserver.measurement.report import Report, Reports
from adserver.mornings import Tell
from adserver.settings import Settings
from dashboards.mail_pages import report_mail
from dashboards.pages import chart_page
from dashboards.printing import NotPrinted, Printer

_log = structlog.get_logger()

#: A server that was down that morning tells so many days later at most.
_LATE_DAYS = 2
_MONDAY_TO_SUNDAY = timedelta(days=7)


class ReportMails:
    """Told on Mondays (`weekly`), or on the first of each month."""

    def __init__(
        self,
        settings: Settings,
        reports: Reports,
        paces: Paces,
        mail: Mail,
        printer: Printer | None,
        *,
        weekly: bool,
    ) -> None:
        """`printer` None: revenue is shown by bars, without a picture."""
        self.name = "report.week" if weekly else "report.month"
        self._weekly = weekly
        self._settings = settings
        self._reports = reports
        self._paces = paces
        self._mail = mail
        self._printer = printer

    def due(self, local: datetime) -> date | None:
        """The first day after the week or month that is over."""
        if local.hour < self._settings.report_hour:
            return None
        today = local.date()
        day = today - timedelta(days=today.weekday()) if self._weekly else today.replace(day=1)
        return day if (today - day).days <= _LATE_DAYS else None

    async def prepare(self, site: Site, day: date) -> Tell | None:
        """Send the report of the days before; None where nothing was asked for in them."""
        last = day - timedelta(days=1)
        first = day - _MONDAY_TO_SUNDAY if self._weekly else last.replace(day=1)
        choice = self._reports.choose(site=site.name, first=first.isoformat(), last=last.isoformat())
        assert choice, "a site that is known can be chosen"
        report = await self._reports.read(choice)
        if not report.total.request_count:
            return None
        pace = await self._paces.read(choice, None)
        return partial(self._send, report, pace)

    async def _send(self, report: Report, pace: Pace) -> None:
        mail = report_mail(report, pace, self._settings.base_url, await self._chart(report))
        for to in self._settings.report_to:
            self._mail.send(to, mail.subject, mail.text, mail.html, mail.pictures)

    async def _chart(self, report: Report) -> bytes | None:
        if self._printer is None:
            return None
        try:
            return await self._printer.picture(chart_page(report), "/reports/")
        except NotPrinted as error:
            _log.warning("a report is sent without its picture", error=str(error))
            return None
