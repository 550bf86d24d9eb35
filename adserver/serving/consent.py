"""What page and browser say of a reader's consent, with site and country → what a page request may do.

Invariant 14 of the design. What each answer allows is the table in `consent/allowed.py`; of several answers
the strictest holds in each respect. An answer under a law of the United States, which allows until a reader
opts out, is none for readers elsewhere: there it only takes away from what the site makes of a missing one.
"""

from __future__ import annotations

from functools import lru_cache, reduce
from typing import NamedTuple

from adserver.catalog.model import Site
from adserver.consent.allowed import ALLOWED, Allowed, Answer, gpp_answers, tcf_answer
from adserver.consent.gpp import decode_gpp
from adserver.consent.tcf import decode_tcf
from adserver.serving.wire import Consent
from adserver.settings import Settings

_ASSUMED, _NOT_ASSUMED = ALLOWED[Answer.ASSUMED], ALLOWED[Answer.NOT_ASSUMED]
_OPTED_OUT, _UNREADABLE = ALLOWED[Answer.OPTED_OUT], ALLOWED[Answer.UNREADABLE]
_OPT_OUT_LAWS = frozenset((Answer.NOT_OPTED_OUT, Answer.OPTED_OUT))
#: Where those laws hold; None is a country that is not known, of which the page's own tool knows more.
_OPT_OUT_COUNTRIES = frozenset(("US", None))
#: No reader's browser has more sections of a GPP string in force.
_MOST_SECTIONS = 100


class SiteRule(NamedTuple):
    """A site's `consent` key, made ready for requests."""

    assumed: frozenset[str | None]
    """Countries in which a missing answer is taken for a yes."""
    vendor: int


class _Given(NamedTuple):
    """What a page's strings allow, and whether they are an answer where readers are asked first."""

    allowed: Allowed
    asked_first: bool


def site_rule(site: Site, settings: Settings) -> SiteRule:
    """What a site decides, on a server that is told readers' countries or is not."""
    told = bool(settings.country_header or settings.country_db)
    return SiteRule(site.consent.assumed_in(told=told), site.consent.network_vendor)


class Consents:
    """Judges what pages say, and remembers the strings that it has read: readers come back with theirs."""

    def __init__(self, settings: Settings) -> None:
        self._most_chars = settings.max_consent_chars
        self._read = lru_cache(maxsize=settings.max_consent_memo)(_read)

    def allowed(
        self, consent: Consent | None, sec_gpc: bytes, rule: SiteRule | None, country: str | None
    ) -> Allowed:
        """What may be done. `rule` None: the site is not known.

        `sec_gpc`: the request's own header, which a browser with Global Privacy Control sends whatever the
        page's script says (W3C, "The Sec-GPC Header Field").
        """
        given = None
        if consent is not None and (consent.tcf is not None or consent.gpp is not None):
            given = self._given(consent, rule.vendor if rule else 0)
        if given is not None and (given.asked_first or country in _OPT_OUT_COUNTRIES):
            allowed = given.allowed
        else:
            assumed = rule is not None and country in rule.assumed
            allowed = _ASSUMED if assumed else _NOT_ASSUMED
            if given is not None:
                allowed = allowed.and_also(given.allowed)
        if (consent is not None and consent.gpc) or (sec_gpc and sec_gpc.strip() == b"1"):
            return allowed.and_also(_OPTED_OUT)
        return allowed

    def _given(self, consent: Consent, vendor: int) -> _Given | None:
        tcf, gpp, in_force = consent.tcf, consent.gpp, consent.gpp_sid
        chars = len(tcf or "") + len(gpp or "")
        if chars > self._most_chars or len(in_force) > _MOST_SECTIONS:
            return _Given(_UNREADABLE, True)
        return self._read(tcf, gpp, in_force, vendor)


def _read(tcf: str | None, gpp: str | None, in_force: tuple[int, ...], vendor: int) -> _Given | None:
    """None where the strings say nothing, as a GPP string without sections. An empty one is no answer yet."""
    answers = []
    if tcf is not None:
        answers.append(tcf_answer(decode_tcf(tcf), vendor) if tcf else Answer.UNANSWERED)
    if gpp:
        answers += gpp_answers(decode_gpp(gpp), in_force, vendor)
    elif gpp is not None:
        answers.append(Answer.UNANSWERED)
    if not answers:
        return None
    allowed = reduce(Allowed.and_also, [ALLOWED[answer] for answer in answers])
    return _Given(allowed, not _OPT_OUT_LAWS.issuperset(answers))
