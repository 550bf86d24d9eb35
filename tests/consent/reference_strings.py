"""What the reference implementations read in consent strings → the same under our names, to compare with.

`reference/strings.json.gz` is made by `reference/make.mjs`, from npm's @iabtcf/core and @iabgpp/cmpapi.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any

from adserver.consent.bits import Ids
from adserver.consent.tcf import TcString

_FILE = Path(__file__).parent / "reference" / "strings.json.gz"
#: The corpus that others published; it is measured against, not copied (its own README).
MATERIAL = Path(__file__).parents[3] / "shared" / "material" / "tcf_strings.json"


@cache
def reference() -> dict[str, list[dict[str, Any]]]:
    """All of the file: `tcf` and `gpp`."""
    found: dict[str, list[dict[str, Any]]] = json.loads(gzip.decompress(_FILE.read_bytes()))
    return found


def material() -> list[dict[str, Any]]:
    """The published strings with every field that the reference reads; empty where they are not there."""
    found: list[dict[str, Any]] = json.loads(MATERIAL.read_bytes()) if MATERIAL.exists() else []
    return found


def in_reference_words(tc: TcString) -> dict[str, Any]:
    """Every field of a string under the name that the reference has for it; sets are rising lists."""
    restricted: dict[tuple[int, int], set[int]] = {}
    for purpose, kind, vendors in tc.restrictions:
        restricted.setdefault((purpose, int(kind)), set()).update(vendors.listed())
    publisher = tc.publisher
    return {
        "version": tc.version,
        "created": _iso(tc.created_at),
        "lastUpdated": _iso(tc.updated_at),
        "cmpId": tc.cmp_id,
        "cmpVersion": tc.cmp_version,
        "consentScreen": tc.consent_screen,
        "consentLanguage": tc.consent_language,
        "vendorListVersion": tc.vendor_list_version,
        "policyVersion": tc.policy_version,
        "isServiceSpecific": tc.is_service_specific,
        "useNonStandardStacks": tc.use_non_standard_texts,
        "specialFeatureOptins": tc.special_features.listed(),
        "purposeConsents": tc.purpose_consents.listed(),
        "purposeLegitimateInterests": tc.purpose_interests.listed(),
        "purposeOneTreatment": tc.purpose_one_treatment,
        "publisherCountryCode": tc.publisher_country,
        "vendorConsents": tc.vendor_consents.listed(),
        "vendorLegitimateInterests": tc.vendor_interests.listed(),
        "vendorsDisclosed": (tc.disclosed or Ids()).listed(),
        "vendorsAllowed": (tc.allowed or Ids()).listed(),
        "publisherConsents": publisher.consents.listed(),
        "publisherLegitimateInterests": publisher.interests.listed(),
        "numCustomPurposes": publisher.custom_consents.size,
        "publisherCustomConsents": publisher.custom_consents.listed(),
        "publisherCustomLegitimateInterests": publisher.custom_interests.listed(),
        "publisherRestrictions": [
            {"purposeId": purpose, "type": kind, "vendors": sorted(vendors)}
            for (purpose, kind), vendors in restricted.items()
            if vendors
        ],
    }


def unpacked(read: dict[str, Any]) -> dict[str, Any]:
    """A reading of the file, in which sets are hexadecimal numbers of bits, with rising lists instead."""
    restrictions = [{**one, "vendors": _listed(one["vendors"])} for one in read["publisherRestrictions"]]
    plain = {name: _listed(value) if name in _SETS else value for name, value in read.items()}
    return {**plain, "publisherRestrictions": restrictions}


_SETS = frozenset(
    """
    specialFeatureOptins purposeConsents purposeLegitimateInterests vendorConsents vendorLegitimateInterests
    vendorsDisclosed vendorsAllowed publisherConsents publisherLegitimateInterests publisherCustomConsents
    publisherCustomLegitimateInterests
    """.split()
)


def _listed(text: str) -> list[int]:
    bits = int(text, 16)
    return [place for place in range(bits.bit_length()) if bits >> place & 1]


def _iso(at: Any) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
