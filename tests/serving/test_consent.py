"""What page, browser, site and country say together → what may be stored, and how a network may be asked."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.consent import ASKED_FIRST
from adserver.consent.allowed import Allowed, Network, Storage
from adserver.serving.consent import Consents, SiteRule, site_rule
from adserver.serving.wire import Consent
from adserver.settings import Settings
from tests.consent.writing import GOOGLE, gpp, tcf, us_national, vendors_by_bits
from tests.newsroom import catalog_of

CONSENTS = Consents(Settings())
VENDORS = vendors_by_bits([GOOGLE])
GRANTED = tcf(consents=range(1, 11), vendors=VENDORS)
NO_PROFILE = tcf(consents={1, 2, 7, 9, 10}, vendors=VENDORS)
REFUSED = tcf(consents=range(2, 11), vendors=VENDORS)
IN_US, OUT_US = gpp({7: us_national(2, 2, 2)}), gpp({7: us_national(2, 1, 2)})

ALL = Allowed(Storage.KEEP, Network.PERSONALISED)
BASIC = Allowed(Storage.KEEP, Network.NON_PERSONALISED)
OPTED_OUT = Allowed(Storage.REMOVE, Network.NON_PERSONALISED)
NOTHING = Allowed(Storage.REMOVE, Network.NONE)
UNKNOWN = Allowed(Storage.LEAVE, Network.NONE)


def rule(told: bool = True, **consent: Any) -> SiteRule:
    """The rule of a site with this `consent` key."""
    settings = Settings(country_header="CF-IPCountry" if told else None)
    return site_rule(catalog_of(consent=consent).site[0], settings)


DEFAULT = rule()


@pytest.mark.parametrize("country", ["DE", "US", "NP", "GB", None])
@pytest.mark.parametrize(
    ("consent", "allowed"),
    [
        (Consent(tcf=GRANTED), ALL),
        (Consent(tcf=NO_PROFILE), BASIC),
        (Consent(tcf=REFUSED), NOTHING),
        (Consent(tcf="COw4XqLOw4XqLAAAAAENAXC"), NOTHING),
        (Consent(gpp=gpp({2: GRANTED})), ALL),
        (Consent(gpp=gpp({2: REFUSED})), NOTHING),
        (Consent(tcf=GRANTED, gpp=gpp({2: REFUSED})), NOTHING),
        (Consent(tcf=GRANTED, gpp=OUT_US), OPTED_OUT),
        (Consent(tcf=GRANTED, gpp=OUT_US, gpp_sid=(2,)), NOTHING),
        (Consent(gpp="DBAA~"), NOTHING),
        (Consent(tcf=""), UNKNOWN),
        (Consent(gpp=""), UNKNOWN),
        (Consent(tcf="", gpp=gpp({2: GRANTED})), UNKNOWN),
        (Consent(tcf=REFUSED, gpp=""), NOTHING),
        (Consent(tcf=GRANTED, gpc=True), OPTED_OUT),
        (Consent(tcf="", gpc=True), NOTHING),
    ],
)
def test_an_answer_holds_everywhere(consent: Consent, allowed: Allowed, country: str | None) -> None:
    for each in (DEFAULT, rule(missing="deny"), rule(missing="allow")):
        assert CONSENTS.allowed(consent, b"", each, country) == allowed
    assert CONSENTS.allowed(consent, b"0", None, country) in (
        allowed,
        CONSENTS.allowed(consent, b"", None, "DE"),
    )


@pytest.mark.parametrize(
    ("country", "missing", "in_us", "out_us"),
    [
        ("NP", ALL, ALL, OPTED_OUT),
        ("US", ALL, ALL, OPTED_OUT),
        ("DE", NOTHING, NOTHING, NOTHING),
        ("GB", NOTHING, NOTHING, NOTHING),
        (None, NOTHING, ALL, OPTED_OUT),
    ],
)
@pytest.mark.parametrize("silent", [None, Consent(), Consent(gpp="DBAA"), Consent(gpp_sid=(7,))])
def test_where_nothing_is_said_site_and_country_decide(
    country: str | None, missing: Allowed, in_us: Allowed, out_us: Allowed, silent: Consent | None
) -> None:
    assert CONSENTS.allowed(silent, b"", DEFAULT, country) == missing
    assert CONSENTS.allowed(Consent(gpp=IN_US, gpp_sid=(7,)), b"", DEFAULT, country) == in_us
    assert CONSENTS.allowed(Consent(gpp=OUT_US), b"", DEFAULT, country) == out_us
    assert CONSENTS.allowed(silent, b"1", DEFAULT, country) == missing.and_also(OPTED_OUT)
    assert CONSENTS.allowed(silent, b"", None, country) == NOTHING
    assert CONSENTS.allowed(silent, b"", rule(missing="allow"), country) == ALL
    assert CONSENTS.allowed(silent, b"", rule(missing="deny"), country) == NOTHING


def test_a_server_that_never_knows_a_country_does_not_deny_everybody() -> None:
    assert CONSENTS.allowed(None, b"", rule(told=False), None) == ALL
    assert CONSENTS.allowed(None, b"", rule(told=False, missing="deny", countries=["DE"]), None) == NOTHING


def test_a_us_answer_is_none_where_it_does_not_hold() -> None:
    strict = rule(missing="deny")
    assert CONSENTS.allowed(Consent(gpp=IN_US), b"", strict, "US") == ALL
    assert CONSENTS.allowed(Consent(gpp=IN_US), b"", strict, "NP") == NOTHING


def test_the_network_is_the_one_that_the_site_names() -> None:
    other = tcf(consents=range(1, 11), vendors=vendors_by_bits([42]))
    assert CONSENTS.allowed(Consent(tcf=other), b"", rule(network_vendor=42), "DE") == ALL
    assert CONSENTS.allowed(Consent(tcf=other), b"", DEFAULT, "DE") == Allowed(Storage.KEEP, Network.NONE)


def test_what_is_too_long_is_not_read() -> None:
    short = Consents(Settings(max_consent_chars=len(GRANTED)))
    assert short.allowed(Consent(tcf=GRANTED), b"", DEFAULT, "DE") == ALL
    assert short.allowed(Consent(tcf=GRANTED + "A"), b"", DEFAULT, "DE") == NOTHING
    assert short.allowed(Consent(tcf=GRANTED, gpp=IN_US), b"", DEFAULT, "US") == NOTHING
    assert CONSENTS.allowed(Consent(gpp=IN_US, gpp_sid=(7,) * 101), b"", DEFAULT, "US") == NOTHING


texts = (
    st.none() | st.sampled_from(["", GRANTED, NO_PROFILE, REFUSED, "x", IN_US, OUT_US]) | st.text(max_size=9)
)
said = st.builds(
    Consent, tcf=texts, gpp=texts, gpp_sid=st.lists(st.integers(-1, 9)).map(tuple), gpc=st.booleans()
)


@given(said, st.sampled_from([b"", b"0", b"1", b" 1", b"x"]), st.sampled_from(["DE", "US", "NP", None]))
def test_whatever_is_said_opting_out_and_readers_who_are_asked_first_are_respected(
    consent: Consent, header: bytes, country: str | None
) -> None:
    for each in (DEFAULT, rule(missing="allow")):
        allowed = CONSENTS.allowed(consent, header, each, country)
        if consent.gpc or header.strip() == b"1" or REFUSED in (consent.tcf, consent.gpp):
            assert allowed.storage is Storage.REMOVE and allowed.network is not Network.PERSONALISED
        if consent.tcf == "x":
            assert allowed == NOTHING
        if each is DEFAULT and country in ASKED_FIRST and allowed.storage is Storage.KEEP:
            assert consent.tcf in (GRANTED, NO_PROFILE), "nobody is assumed to have said yes"


def test_a_string_that_was_read_is_not_read_again() -> None:
    consent = Consent(tcf=GRANTED)
    CONSENTS.allowed(consent, b"", DEFAULT, "DE")
    fastest = min(_nanoseconds(consent) for _ in range(50))
    print(f"remembered: {fastest / 1000:.2f} µs")
    assert fastest < 10_000, "ten times what it takes, on a busy machine"


def _nanoseconds(consent: Consent, times: int = 100) -> float:
    started = perf_counter_ns()
    for _ in range(times):
        CONSENTS.allowed(consent, b"", DEFAULT, "DE")
    return (perf_counter_ns() - started) / times
