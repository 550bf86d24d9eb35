"""The week or month that is over on a site → its report as a mail, to those whom the operator names."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

from adserver.accounts.mail import Mail
from adserver.catalog.model import Site
from adserver.measurement.pace import Paces
from adserver.measurement.report import Reports
from adserver.mornings import Tell
from adserver.settings import Settings
from dashboards.mail_pages import ReportMail, report_mail

#: A server that was down that morning tells so many days later at most.
_LATE_DAYS = 2
_MONDAY_TO_SUNDAY = timedelta(days=7)


class ReportMails:
    """Told on Mondays (`weekly`), or on the first of each month."""

    def __init__(
        self, settings: Settings, reports: Reports, paces: Paces, mail: Mail, *, weekly: bool
    ) -> None:
        self.name = "report.week" if weekly else "report.month"
        self._weekly = weekly
        self._settings = settings
        self._reports = reports
        self._paces = paces
        self._mail = mail

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
        return partial(self._send, report_mail(report, pace, self._settings.base_url))

    async def _send(self, mail: ReportMail) -> None:
        for to in self._settings.report_to:
            self._mail.send(to, mail.subject, mail.text, mail.html)
