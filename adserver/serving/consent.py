"""What a reader allowed → whether anything may be stored in the browser, and so whether there is a tally.

Invariant 14 of the design: without consent to store, nothing is stored, and line items with visitor caps do
not serve. Until consent strings are decoded, one that is given, even an empty one, cannot be judged and
counts as a refusal; a page that gives none says that its readers need not be asked.
"""

from __future__ import annotations

from adserver.serving.wire import Consent


def may_store(consent: Consent | None, sec_gpc: bytes = b"") -> bool:
    """False for Global Privacy Control and wherever a TCF or GPP string is given, True where nothing is said.

    `sec_gpc`: the request's own header, which a browser with that control sends whatever the page's script
    says (W3C, Global Privacy Control, "The Sec-GPC Header Field").
    """
    if sec_gpc.strip() == b"1":
        return False
    return consent is None or (not consent.gpc and consent.tcf is None and consent.gpp is None)


def is_unanswered(consent: Consent | None) -> bool:
    """Whether the page's consent tool did not answer: nothing is stored, and what is stored is left alone."""
    return consent is not None and not consent.gpc and "" in (consent.tcf, consent.gpp)
