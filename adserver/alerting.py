"""A running server, each morning → what is unusual on its sites, by mail and to a webhook, once each day."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from adserver.accounts.mail import Mail
from adserver.catalog.model import Site
from adserver.clock import Clock, to_day, to_ms
from adserver.engines.sqlite_claims import Claims
from adserver.measurement.alerts import AlertSource
from adserver.settings import Settings
from dashboards.alert_words import mail_text, subject_of, webhook_body

_log = structlog.get_logger()
_LOOK_SECONDS = 300
Sites = Callable[[], Sequence[Site]]


class Alerting:
    """Looks at each site once its day is over, and tells. Of several workers, one tells."""

    def __init__(self, settings: Settings, source: AlertSource, clock: Clock, sites: Sites) -> None:
        """`sites`: those of the catalog in service."""
        self._settings = settings
        self._source = source
        self._clock = clock
        self._sites = sites
        self._mail = Mail(settings)
        self._told: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
            except Exception:
                _log.exception("alerts not looked for; they are tried again")

    async def look(self) -> None:
        """Tell what is unusual on sites of which nobody has been told today."""
        now = self._clock()
        for site in self._sites():
            local = now.astimezone(site.zone)
            today = to_day(local.date())
            if local.hour < self._settings.alert_hour or self._told.get(site.name) == today:
                continue
            try:
                await self._look_at(site, today, to_ms(now))
            except Exception:
                # Such as a site that left the catalog meanwhile: the others are looked at all the same.
                _log.exception("alerts of a site not read; they are tried again", site=site.name)

    async def _look_at(self, site: Site, today: int, now_ms: int) -> None:
        alerts = await self._source.read(site.name)
        mine = await asyncio.to_thread(self._claim, f"alerts.{site.name}", today, now_ms)
        self._told[site.name] = today
        if mine and alerts.found:
            self._tell(subject_of(alerts), mail_text(alerts, self._settings.base_url))
            await self._post(webhook_body(alerts, self._settings.base_url))

    def _claim(self, name: str, today: int, at_ms: int) -> bool:
        with Claims(self._settings.db) as claims:
            return claims.claim(name, today, at_ms)

    def _tell(self, subject: str, text: str) -> None:
        for to in self._settings.alert_to:
            self._mail.send(to, subject, text)

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
