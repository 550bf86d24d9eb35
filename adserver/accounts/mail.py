"""An address and a few words → a mail over the operator's SMTP server (RFC 5321, RFC 8314)."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from types import MappingProxyType
from urllib.parse import unquote, urlsplit

import structlog

from adserver.settings import Settings

_log = structlog.get_logger()
_PORTS = {"smtp": 587, "smtps": 465}


class Mail:
    """Sends in the background: nobody waits for a mail server, or learns by waiting who has an account."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def is_there(self) -> bool:
        """Whether the operator has named a server."""
        return self._settings.smtp_url is not None

    def send(
        self,
        to: str,
        subject: str,
        text: str,
        html: str | None = None,
        pictures: Mapping[str, bytes] = MappingProxyType({}),
    ) -> None:
        """Send a mail soon, as text and perhaps as HTML; what fails is logged, without what it says.

        `pictures`: PNG by the name under which the HTML shows them, as `cid:name` (RFC 2392).
        """
        task = asyncio.get_running_loop().create_task(self._send(to, subject, text, html, pictures))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send(
        self, to: str, subject: str, text: str, html: str | None, pictures: Mapping[str, bytes]
    ) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self._settings.mail_from, to, subject
        message.set_content(text)
        if html is not None:
            message.add_alternative(html, subtype="html")
            _, shown = message.iter_parts()
            for name, png in pictures.items():
                shown.add_related(png, "image", "png", cid=f"<{name}>", disposition="inline")
        try:
            await asyncio.to_thread(self._deliver, message)
        except (OSError, smtplib.SMTPException) as error:
            _log.error("a mail was not sent", error=f"{type(error).__name__}: {error}")

    def _deliver(self, message: EmailMessage) -> None:
        assert self._settings.smtp_url, "a mail is sent where there is no server"
        server = urlsplit(self._settings.smtp_url.get_secret_value())
        host, port = server.hostname or "", server.port or _PORTS[server.scheme]
        seconds, context = self._settings.smtp_timeout_seconds, ssl.create_default_context()
        if server.scheme == "smtps":
            client: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=seconds, context=context)
        else:
            client = smtplib.SMTP(host, port, timeout=seconds)
        with client:
            client.ehlo()
            if server.scheme == "smtp" and client.has_extn("starttls"):
                client.starttls(context=context)
            if server.username:
                # Never in the clear: a server that offers no TLS is not told the password.
                if not isinstance(client.sock, ssl.SSLSocket):
                    raise smtplib.SMTPException("the server offers no TLS, so the password was not sent")
                client.login(unquote(server.username), unquote(server.password or ""))
            client.send_message(message)
