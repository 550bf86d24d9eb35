"""User agents: bots are known, browsers are none, and what was met once is remembered."""

from __future__ import annotations

import pytest

from adserver.demo.traffic import _DEVICES
from adserver.serving.agents import agent_of
from tests.newsroom import BROWSER

_WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
READERS = [
    BROWSER,
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    f"Mozilla/5.0 (Linux; Android 10; K) {_WEBKIT} Chrome/142.0.0.0 Mobile Safari/537.36",
    f"Mozilla/5.0 (Linux; Android 14; SM-S921B) {_WEBKIT} "
    "SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Safari/605.1.15",
    *(device.agent for device in _DEVICES),
]
BOTS = [
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "Mozilla/5.0 (compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT} HeadlessChrome/142.0.0.0 Safari/537.36",
    "curl/8.5.0",
    "python-requests/2.32.3",
    "Go-http-client/2.0",
]


@pytest.mark.parametrize("agent", READERS)
def test_a_browser_is_no_bot(agent: str) -> None:
    assert not agent_of(agent.encode()).bot


@pytest.mark.parametrize("agent", BOTS)
def test_a_bot_is_known(agent: str) -> None:
    assert agent_of(agent.encode()).bot


@pytest.mark.parametrize("agent", [b"", b"\xff\xfe\0", b"(" * 10_000, b"Mozilla/5.0 " + b"a " * 5_000])
def test_any_bytes_are_an_agent(agent: bytes) -> None:
    assert agent_of(agent) is agent_of(agent)
