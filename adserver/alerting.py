"""The day that is over on a site → what was unusual on it, by mail and to a webhook."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from datetime import date, datetime
from typing import Any

import structlog

from adserver.accounts.mail import Mail
from adserver.catalog.model import Site
from adserver.measurement.alerts import Alerts, AlertSource
from adserver.mornings import Tell
from adserver.settings import Settings
from dashboards.alert_words import mail_text, subject_of, webhook_body

_log = structlog.get_logger()


class Alerting:
    """Told each morning."""

    name = "alerts"

    def __init__(self, settings: Settings, source: AlertSource, mail: Mail) -> None:
        self._settings = settings
        self._source = source
        self._mail = mail

    def due(self, local: datetime) -> date | None:
        """The day that has begun, from the hour on at which alerts are told."""
        return local.date() if local.hour >= self._settings.alert_hour else None

    async def prepare(self, site: Site, day: date) -> Tell | None:
        """Tell what was unusual yesterday, if anything was."""
        alerts = await self._source.read(site.name)
        return (lambda: self._tell(alerts)) if alerts.found else None

    async def _tell(self, alerts: Alerts) -> None:
        subject, text = subject_of(alerts), mail_text(alerts, self._settings.base_url)
        for to in self._settings.alert_to:
            self._mail.send(to, subject, text)
        await self._post(webhook_body(alerts, self._settings.base_url))

    async def _post(self, body: dict[str, Any]) -> None:
        if self._settings.alert_webhook:
            try:
                await asyncio.to_thread(self._send, json.dumps(body).encode())
            except (OSError, ValueError) as error:
                _log.error("the webhook for alerts did not take one", error=type(error).__name__)

    def _send(self, body: bytes) -> None:
        assert self._settings.alert_webhook, "nothing is sent where there is no webhook"
        url = self._settings.alert_webhook.get_secret_value()
        request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310  (checked)
        with _OPENER.open(request, timeout=self._settings.alert_timeout_seconds) as answer:
            answer.read(1)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The operator named one address: whoever answers there does not send us to others."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
