"""A browser → a window of it whose tabs are shown and hidden as a reader does it.

Playwright makes every page of its own believe that it is in front and has the focus. The tabs here are in a
profile that it does not know, and are spoken to through the browser's own protocol.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from playwright.sync_api import Browser, CDPSession, Page

from tests.newsroom import BROWSER


class Tabs:
    """One window, empty at first; make it by `window_of`. Tabs are told apart by their session."""

    def __init__(self, session: CDPSession, idle: Page, context: str) -> None:
        self._session = session
        self._idle = idle
        self._context = context
        self._targets: dict[str, str] = {}
        self._numbers = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        session.on("Target.receivedMessageFromTarget", self._received)

    def _received(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message

    def open(self, url: str = "about:blank") -> str:
        """Open a tab in front of the others."""
        made = self._session.send(
            "Target.createTarget", {"url": "about:blank", "browserContextId": self._context}
        )
        attached = self._session.send(
            "Target.attachToTarget", {"targetId": made["targetId"], "flatten": False}
        )
        tab = str(attached["sessionId"])
        self._targets[tab] = made["targetId"]
        self._ask(tab, "Emulation.setUserAgentOverride", {"userAgent": BROWSER})
        self._ask(tab, "Page.navigate", {"url": url})
        return tab

    def show(self, tab: str) -> None:
        """Bring a tab to the front; the others are hidden then."""
        self._session.send("Target.activateTarget", {"targetId": self._targets[tab]})

    def evaluate(self, tab: str, expression: str) -> Any:
        """What an expression, or its promise, is in a tab."""
        asked = {"expression": expression, "awaitPromise": True, "returnByValue": True}
        answer = self._ask(tab, "Runtime.evaluate", asked)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _ask(self, tab: str, method: str, asked: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        message = json.dumps({"id": number, "method": method, "params": asked})
        self._session.send("Target.sendMessageToTarget", {"sessionId": tab, "message": message})
        while number not in self._answers:
            self.wait(10)
        answer = self._answers.pop(number)
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def wait(self, ms: int) -> None:
        """Let the browser go on for some time."""
        self._idle.wait_for_timeout(ms)


@contextmanager
def window_of(browser: Browser) -> Iterator[Tabs]:
    """A new window, closed at the end."""
    session = browser.new_browser_cdp_session()
    # Playwright hears of the other tabs only while it waits for a page of its own.
    idle = browser.new_page()
    context = str(session.send("Target.createBrowserContext")["browserContextId"])
    try:
        yield Tabs(session, idle, context)
    finally:
        session.send("Target.disposeBrowserContext", {"browserContextId": context})
        idle.close()
        session.detach()
