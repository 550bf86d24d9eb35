"""What is known of a request or a fill → why it is invalid traffic: the rules, each with its source.

Events are marked, not dropped. What is marked earns nothing, counts towards no goal and teaches nothing;
reports show it beside what counts. The categories are those of General Invalid Traffic (GIVT) in MRC,
"Invalid Traffic Detection and Filtration Standards Addendum" (2020), which IAB's guidelines refer to.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import NamedTuple

from adserver.measurement.event import Validity

_MRC = "MRC, Invalid Traffic Detection and Filtration Standards Addendum (2020), General Invalid Traffic: "
_ACTIVITY = f"{_MRC}activity-based filtration using transaction parameters"


class Facts(NamedTuple):
    """What the rules look at in one request, each False where nothing is wrong."""

    head: bool = False
    prefetch: bool = False
    no_user_agent: bool = False
    bot: bool = False
    datacentre: bool = False
    burst: bool = False
    scanner: bool = False


class Rule(NamedTuple):
    """One reason, a sentence for people, where it is written, and how it is seen in a request.

    `applies` is None for what is seen in the log only, from other events of the fill.
    """

    validity: Validity
    sentence: str
    source: str
    applies: Callable[[Facts], bool] | None = None

    @property
    def name(self) -> str:
        """The reason as reports and metrics spell it."""
        return self.validity.name.lower()


#: Rules of invalid traffic, in the order in which they are asked; the first that applies is the reason.
RULES = (
    Rule(
        Validity.SCANNER,
        "A newsletter’s link that a mail filter opened: by HEAD, by its name, or several at once",
        f"{_MRC}bots and spiders or other crawlers",
        attrgetter("scanner"),
    ),
    Rule(
        Validity.HEAD,
        "Asked for with HEAD, as link scanners do; nobody sees the answer",
        f"{_MRC}bots and spiders or other crawlers",
        attrgetter("head"),
    ),
    Rule(
        Validity.PREFETCH,
        "Fetched or rendered ahead by the browser (Sec-Purpose, Purpose, X-Purpose, X-Moz)",
        f"{_MRC}pre-fetch or browser pre-rendered traffic",
        attrgetter("prefetch"),
    ),
    Rule(
        Validity.NO_USER_AGENT,
        "No user agent, which every browser sends",
        f"{_MRC}non-browser user-agent headers or other forms of unknown browsers",
        attrgetter("no_user_agent"),
    ),
    Rule(
        Validity.BOT,
        "The user agent is that of a known bot, crawler or program",
        f"{_MRC}bots and spiders or other crawlers",
        attrgetter("bot"),
    ),
    Rule(
        Validity.DATACENTRE,
        "From an address of the operator’s list of data centres",
        f"{_MRC}known invalid data-center traffic",
        attrgetter("datacentre"),
    ),
    Rule(
        Validity.BURST,
        "More from one address in a short time than readers cause",
        _ACTIVITY,
        attrgetter("burst"),
    ),
    Rule(Validity.NO_IMPRESSION, "A click before any impression of its fill", _ACTIVITY),
    Rule(
        Validity.EXCLUDED,
        "Marked by hand as invalid, by time, slot or line item (`adserver refilter`)",
        f"{_ACTIVITY}; removal of what is found to be invalid afterwards",
    ),
    Rule(Validity.TOO_SOON, "A click sooner after the impression than anybody can aim", _ACTIVITY),
)
#: Reasons that are no invalid traffic: repeats, and what the settings and the line item's limits leave out.
OTHERS = (
    Rule(
        Validity.DUPLICATE,
        "Reported again: each kind of event counts once per fill",
        "README, What is counted",
    ),
    Rule(Validity.LATE, "Later after its fill than counts", "README, What is counted"),
    Rule(Validity.FUTURE, "Of a fill that is ahead of the server’s clock", "README, What is counted"),
    Rule(Validity.OVER_GOAL, "Beyond the line item’s goal or budget", "README, What is counted"),
    Rule(Validity.NO_CLICK, "An order that no click of its fill led to", "README, Conversions"),
    Rule(Validity.ORDER_COUNTED, "An order that was counted before", "README, Conversions"),
)
BY_VALIDITY = {rule.validity: rule for rule in RULES + OTHERS}
_IN_REQUESTS = tuple((rule.applies, rule.validity) for rule in RULES if rule.applies)


def judge(facts: Facts) -> Validity:
    """The first rule that applies, or VALID."""
    if any(facts):
        for applies, validity in _IN_REQUESTS:
            if applies(facts):
                return validity
    return Validity.VALID
