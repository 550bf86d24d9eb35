"""Consent in, storing out: whatever cannot be judged is a refusal."""

from __future__ import annotations

import pytest

from adserver.serving.consent import may_store
from adserver.serving.wire import Consent


@pytest.mark.parametrize("consent", [None, Consent(), Consent(gpc=False)])
def test_where_nothing_is_said_a_tally_is_kept(consent: Consent | None) -> None:
    assert may_store(consent)
    assert may_store(consent, b"0")


@pytest.mark.parametrize(
    "consent",
    [
        Consent(gpc=True),
        Consent(tcf="CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA"),
        Consent(tcf=""),
        Consent(gpp="DBAA"),
        Consent(gpp=""),
    ],
)
def test_a_refusal_or_what_cannot_be_judged_yet_keeps_none(consent: Consent) -> None:
    assert not may_store(consent)


@pytest.mark.parametrize("consent", [None, Consent()])
def test_the_browsers_own_header_is_enough(consent: Consent | None) -> None:
    assert not may_store(consent, b"1")
    assert not may_store(consent, b" 1 ")
