"""What a page says of its reader's consent → what the real server fills, and gives the browser to keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.consent.writing import GOOGLE, gpp, tcf, us_national, vendors_by_bits
from tests.newsroom import catalog_of, line_item, server

CAPPED = line_item("capped", "price", "300x250", price={"cpm": "5"}, caps=[{"impressions": 3, "per": "1d"}])
NETWORK = line_item("adsense", "network", "300x250", price={"cpm": "2"})
HOUSE = line_item("own", "house", "300x250")
CATALOG = catalog_of(CAPPED, NETWORK, HOUSE)
COUNTRY = "CF-IPCountry"

VENDORS = vendors_by_bits([GOOGLE])
GRANTED = {"tcf": tcf(consents=range(1, 11), vendors=VENDORS)}
NO_VENDOR = {"tcf": tcf(consents=range(1, 11))}
REFUSED = {"tcf": tcf(consents=range(2, 11), vendors=VENDORS)}
IN_US = {"gpp": gpp({7: us_national(2, 2, 2, gpc=0)}), "gpp_sid": [7]}
OUT_US = {"gpp": gpp({7: us_national(2, 2, 1)}), "gpp_sid": [7]}
GPC_US = {"gpp": gpp({7: us_national(2, 2, 2, gpc=1)}), "gpp_sid": [7]}


def asked(
    client: TestClient, headers: dict[str, str] | None = None, **request: Any
) -> tuple[str | None, str | None, str]:
    """Asks for one slot → who fills it, what the browser keeps (None: as it was), and the network."""
    body = {"site": "daily", "slots": [{"slot": "side"}], "tally": "", **request}
    answer = client.post("/v1/fill", json=body, headers=headers or {})
    assert answer.status_code == 200
    (fill,) = answer.json()["fills"]
    tally: str | None = answer.json()["tally"]
    return fill.get("line_item"), tally, answer.json()["network"]


@pytest.mark.parametrize(
    ("consent", "country", "filled", "network"),
    [
        (GRANTED, "DE", "capped", "personalised"),
        (GRANTED, "NP", "capped", "personalised"),
        (NO_VENDOR, "DE", "capped", "none"),
        (REFUSED, "DE", "own", "none"),
        (REFUSED, "NP", "own", "none"),
        (None, "DE", "own", "none"),
        (None, "GB", "own", "none"),
        (None, "NP", "capped", "personalised"),
        (None, "US", "capped", "personalised"),
        (None, "XX", "own", "none"),
        (IN_US, "US", "capped", "personalised"),
        (OUT_US, "US", "adsense", "non_personalised"),
        (GPC_US, "US", "adsense", "non_personalised"),
        (IN_US, "DE", "own", "none"),
        ({"gpc": True}, "US", "adsense", "non_personalised"),
        ({"gpc": True}, "DE", "own", "none"),
        ({"tcf": "nonsense"}, "NP", "own", "none"),
    ],
)
def test_refused_granted_or_missing_by_country(
    tmp_path: Path, consent: dict[str, Any] | None, country: str, filled: str, network: str
) -> None:
    with server(tmp_path / "a.db", CATALOG, country_header=COUNTRY) as client:
        headers, said = {COUNTRY: country}, {} if consent is None else {"consent": consent}
        found, tally, told = asked(client, headers, **said)
        assert (found, told) == (filled, network)
        assert bool(tally) == (filled == "capped"), "what is kept is kept of capped line items only"
        if filled != "capped":
            _, kept, _ = asked(client, {COUNTRY: "NP"})
            assert kept
            assert asked(client, headers, tally=kept, **said)[1] == "", "what was stored is removed"


def test_the_sites_own_rule_decides_what_a_missing_answer_means(tmp_path: Path) -> None:
    consent = {"missing": "deny", "countries": ["NP"]}
    catalog = catalog_of(CAPPED, NETWORK, HOUSE, consent=consent)
    with server(tmp_path / "a.db", catalog, country_header=COUNTRY) as client:
        assert asked(client, {COUNTRY: "NP"})[0] == "own"
        assert asked(client, {COUNTRY: "DE"})[0] == "capped"
        assert asked(client)[0] == "own", "an unknown country may be the one that is listed"


def test_without_any_way_to_know_countries_pages_without_a_consent_tool_keep_a_tally(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        assert asked(client)[0] == "capped"


def test_a_consent_tool_that_did_not_answer_stores_nothing_and_removes_nothing(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        line_item, tally, _ = asked(client)
        assert line_item == "capped" and tally
        assert asked(client, consent={"tcf": ""}, tally=tally) == ("own", None, "none")
        assert asked(client, consent={"gpp": "", "gpp_sid": []}, tally=tally) == ("own", None, "none")
        assert asked(client, consent={"gpc": True}, tally=tally) == ("adsense", "", "non_personalised")
        assert asked(client, consent={"tcf": "", "gpc": True}, tally=tally) == ("own", "", "none")


def test_the_browsers_own_header_is_enough(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        assert asked(client, {"Sec-GPC": "1"}) == ("adsense", "", "non_personalised")
        assert asked(client, {"Sec-GPC": "1"}, consent=GRANTED) == ("adsense", "", "non_personalised")
        assert asked(client, {"Sec-GPC": "0"})[0] == "capped"


def test_explain_says_that_consent_keeps_a_network_and_caps_away(tmp_path: Path) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        page = {"site": "daily", "slots": [{"slot": "side"}], "tally": "", "consent": REFUSED}
        answer = client.get(
            "/api/v1/explain", params={"page": json.dumps(page)}, headers={"host": "127.0.0.1"}
        ).json()
        assert answer["page"]["tally_kept"] is False
        assert answer["page"]["network_allowed"] is False
        (slot,) = answer["slots"]
        rules = {found["line_item"]: found["rule"] for found in slot["line_items"]}
        assert rules == {"capped": "no_consent_to_count", "adsense": "no_consent_to_network", "own": "won"}
        sentences = {found["line_item"]: found["sentence"] for found in slot["line_items"]}
        assert "this reader did not allow" in sentences["adsense"]


@pytest.mark.parametrize("consent", [{"gpp_sid": [7.5]}, {"tcf": 1}, {"gpp_sid": "7"}, "yes"])
def test_what_no_page_means_is_told_to_its_developer(tmp_path: Path, consent: object) -> None:
    with server(tmp_path / "a.db", CATALOG) as client:
        body = {"site": "daily", "slots": [{"slot": "side"}], "consent": consent}
        answer = client.post("/v1/fill", json=body)
        assert answer.status_code == 400 and "consent" in answer.text
