"""A user agent → the device class and browser that it names, and whether it is that of a known bot.

Known are the patterns of two lists that are kept up to date by their own communities: `is-bot` (those of
npm's isbot) and `crawler-user-agents`. Of 3,720 crawlers the first finds 96 %, both together 97 %. A user
agent that was not met before costs some hundred microseconds, so what was found is remembered.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from crawleruseragents import is_crawler  # type: ignore[import-untyped]  # has no types
from is_bot import Bots  # type: ignore[import-untyped]  # has no types

_LONGEST = 500
_BOTS = Bots()
# Google Chrome Frame was a plug-in of readers' Internet Explorer.
_BOTS.exclude({"chromeframe"})
#: Marks of crawlers to `crawler-user-agents`, and yet of readers too: a build of Android 15 that phones of
#: several makers have, and the browser within Viber's app (what fetches its previews begins with that name).
_OF_READERS = re.compile(r"AP3A\.240617\.008| Viber\b")


#: Marks of browsers, of which the first that is there tells: most carry those of others, too, as MDN says
#: ("Browser detection using the user agent"). The names are those of `decision.facts`.
_BROWSERS = (
    ("edge", (b"Edg/", b"EdgA/", b"EdgiOS/", b"Edge/")),
    ("opera", (b"OPR/", b"OPT/", b"OPX/", b"Opera")),
    ("samsung", (b"SamsungBrowser/",)),
    ("yandex", (b"YaBrowser/",)),
    ("uc", (b"UCBrowser",)),
    ("vivaldi", (b"Vivaldi/",)),
    ("huawei", (b"HuaweiBrowser/",)),
    ("miui", (b"MiuiBrowser/",)),
    ("duckduckgo", (b"DuckDuckGo/", b"Ddg/")),
    ("instagram", (b"Instagram",)),
    ("facebook", (b"FBAN/", b"FBAV/", b"FB_IAB/")),
    ("google_app", (b"GSA/",)),
    ("firefox", (b"Firefox/", b"FxiOS/")),
    ("chrome", (b"Chrome/", b"CriOS/")),
    ("safari", (b"Safari/",)),
)


class Agent(NamedTuple):
    """What a user agent tells. `device`: "desktop", "mobile" or "tablet"; None when it does not say.

    `browser`: the name of one of few, or "other"; None without a user agent.
    """

    device: str | None
    browser: str | None
    bot: bool


@lru_cache(maxsize=10_000)
def agent_of(agent: bytes) -> Agent:
    """What a user agent tells. Only its first 500 bytes are looked at."""
    agent = agent[:_LONGEST]
    text = agent.decode("latin-1")
    return Agent(
        _device_of(agent), _browser_of(agent), _BOTS.is_bot(text) or is_crawler(_OF_READERS.sub("", text))
    )


def _device_of(agent: bytes) -> str | None:
    """The device class, by the marks that MDN names ("Browser detection using the user agent").

    `Mobi` for phones; Android without it, and iPads, for tablets.
    """
    if b"iPad" in agent or b"Tablet" in agent or (b"Android" in agent and b"Mobi" not in agent):
        return "tablet"
    if b"Mobi" in agent or b"iPhone" in agent:
        return "mobile"
    if any(mark in agent for mark in (b"Windows NT", b"Macintosh", b"X11", b"CrOS", b"Linux x86_64")):
        return "desktop"
    return None


def _browser_of(agent: bytes) -> str | None:
    if not agent.strip():
        return None
    return next((name for name, marks in _BROWSERS if any(mark in agent for mark in marks)), "other")
