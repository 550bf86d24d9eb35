"""Forms ask for what a kind of creative, or a tier, has: just as the catalog allows."""

from __future__ import annotations

import pytest

from adserver.catalog.creative import Creative
from adserver.catalog.model import LineItem, Tier
from adserver.console.fields import FIELDS

KINDS = next(field.options for field in FIELDS["creative"] if field.key == "kind")


@pytest.mark.parametrize("kind", KINDS)
def test_of_a_creative_is_hidden_what_its_kind_has_not(kind: str) -> None:
    for field in FIELDS["creative"]:
        refused = f"kind {kind} has no {field.key}" in Creative.missing_or_extra(
            {"kind": kind, field.key: "x"}
        )
        hidden = bool(field.only) and kind not in field.only.split()
        assert refused == hidden, field.key


@pytest.mark.parametrize("tier", Tier)
def test_of_a_line_item_is_hidden_what_its_tier_has_not(tier: Tier) -> None:
    for field in FIELDS["line_item"]:
        said = list(LineItem.missing_or_extra({"tier": str(tier), field.key: 1}))
        refused = any(sentence.startswith(f"{field.key} belongs to tier") for sentence in said)
        hidden = bool(field.only) and tier not in field.only.split()
        assert refused == hidden, field.key
