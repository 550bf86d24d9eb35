"""User agents: bots are known, browsers are none, and what was met once is remembered."""

from __future__ import annotations

import json
import time
import timeit
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from adserver.decision.facts import BROWSERS
from adserver.demo.traffic import _DEVICES
from adserver.serving.agents import _BROWSERS, agent_of
from adserver.serving.outside.mail import PROGRAMS
from tests.newsroom import BROWSER

MATERIAL = Path(__file__).parents[3] / "shared" / "material" / "user_agents_bot.ndjson"
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
    f"Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) {_WEBKIT} "
    "Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36 Instagram 406.0.0.58.159 Android",
    f"Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) {_WEBKIT} "
    "Version/4.0 Chrome/142.0.0.0 Mobile Safari/537.36 Viber/25.8.0",
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
    "Viber",
    "Viber/12.8.0.1 CFNetwork/1121.2.2 Darwin/19.3.0",
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


@cache
def real_agents() -> dict[str, list[str]]:
    """User agents that others collected, by where they come from."""
    found = defaultdict(list)
    with MATERIAL.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            found[line["source"]].append(line["ua"])
    return found


@pytest.mark.skipif(not MATERIAL.exists(), reason="../shared/material is not there")
@pytest.mark.parametrize(
    ("source", "least", "most"),
    [
        # Crawlers of two collections that nobody here tuned to.
        ("jaybizzle-crawlers", 0.95, 1),
        ("isbot-crawlers", 0.95, 1),
        # Agents of devices of twenty years.
        ("crawlerdetect-devices-10k", 0, 0.006),
        # Browsers of today, with their share of real traffic.
        ("npm-user-agents", 0, 0),
    ],
)
def test_of_real_agents_crawlers_are_known_and_readers_are_not_marked(
    source: str, least: float, most: float
) -> None:
    agents = real_agents()[source]
    marked = [agent for agent in agents if agent_of(agent.encode()).bot]
    assert len(agents) > 100
    assert least <= len(marked) / len(agents) <= most, f"{len(marked)} of {len(agents)}: {marked[:20]}"


def test_an_agent_that_was_met_costs_little_more_than_a_look_into_a_table() -> None:
    """Beside a control that does as much with the same bytes, because times are the machine's."""
    known = dict.fromkeys((agent.encode() for agent in READERS), 1)
    texts = [bytes(bytearray(agent)) for agent in known]

    def seconds(look_up: str, times: int = 1_000) -> float:
        # Bytes of a request are new each time, and their hash is not known yet.
        code = f"for text in texts: {look_up}(bytes(bytearray(text)))"
        names = {"texts": texts, "known": known.get, "agent_of": agent_of}
        return timeit.timeit(code, timer=time.thread_time, globals=names, number=times)

    # Of the processor and in turns, so that what else the machine does meets neither, or both alike.
    turns = [(seconds("known"), seconds("agent_of")) for _ in range(10)]
    control, ours = (min(times) for times in zip(*turns, strict=True))
    each = len(texts) * 1_000
    print(
        f"a look-up of an agent takes {1e9 * ours / each:.0f} ns, the control {1e9 * control / each:.0f} ns"
    )
    assert ours < 2 * control


@pytest.mark.parametrize(
    ("agent", "browser"),
    [
        (READERS[0], "chrome"),
        (READERS[1], "edge"),
        (READERS[3], "samsung"),
        (READERS[4], "firefox"),
        (READERS[5], "safari"),
        (READERS[7], "instagram"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/148.0.0.0 Mobile/15E148 Safari/604.1", "chrome"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 GSA/439.4 Mobile/15E148 Safari/604.1", "google_app"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_WEBKIT} Chrome/130.0.0.0 Safari/537.36 OPR/115.0", "opera"),
        ("SuperBrowser/1.0", "other"),
        (" ", None),
    ],
)
def test_a_browser_is_known_by_its_own_mark(agent: str, browser: str | None) -> None:
    assert agent_of(agent.encode()).browser == browser


def test_every_browser_that_is_told_apart_has_a_code() -> None:
    assert {name for name, _ in _BROWSERS} | {name for name, _ in PROGRAMS} | {"other", None} == set(BROWSERS)
