"""Forms ask for what a kind of creative, or a tier, has: just as the catalog allows."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.catalog.creative import Creative
from adserver.catalog.model import LineItem, Tier
from adserver.catalog.plan import CHILDREN, MODELS
from adserver.console.field_list import FIELDS, FURTHER
from adserver.console.fields import Inputs, patch_of, shown
from adserver.editing.edits import merged
from adserver.errors import InvalidInput

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


KATHMANDU = ZoneInfo("Asia/Kathmandu")


@pytest.mark.parametrize("kind", MODELS)
def test_every_key_that_the_catalog_has_can_be_set(kind: str) -> None:
    fields = {field.key for field in FIELDS[kind]}
    keys = set(MODELS[kind].model_fields) - {"name", *CHILDREN[kind]}
    assert fields - {FURTHER} <= keys
    assert FURTHER in fields or keys <= fields


def sent(kind: str, body: dict[str, Any], *, touch: Callable[[str, str], str] = lambda _, text: text) -> Any:
    """What a browser sends of a form, each input touched by a function of its name and text."""
    inputs: dict[str, str] = {}
    for field in shown(kind, body, KATHMANDU):
        area = field.field.kind in ("lines", "caps", "area", "media", "target", "further")
        for name, text in field.inputs.items():
            text = text.replace("\r\n", "\n").replace("\r", "\n")
            inputs[name] = touch(name, text.replace("\n", "\r\n" if area else ""))
    return {name: [text] for name, text in inputs.items()}


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
labels = st.lists(texts, max_size=4)


@given(labels, labels, texts, st.dictionaries(texts, labels, max_size=2), texts)
def test_a_form_that_nobody_touched_sets_nothing(
    some: list[str], more: list[str], text: str, values: dict[str, list[str]], html: str
) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "line_item": {
            "tier": "price",
            "start": "2026-11-01T00:00:00.123456Z",
            "labels": some,
            "allow_topics": more,
            "target": {"section": some, "values": values, "any": [{"topic": more}]},
            "disclosure": {"sponsor": text, "payer": html},
        },
        "creative": {"kind": "html", "size": "300x250", "html": html, "alt": None, "attributes": [6]},
        "site": {"exclude_topics": some, "seller": {"name": text}, "ads_txt": more},
        "slot": {"sizes": ["300x250"], "label": text},
    }
    for kind, body in bodies.items():
        form = sent(kind, body)
        merged_again = merged(body, patch_of(kind, form, body, KATHMANDU))
        assert merged_again == {key: value for key, value in body.items() if value is not None} or (
            merged_again == body
        )


@given(labels)
def test_a_line_that_is_added_leaves_the_others_as_they_are(some: list[str]) -> None:
    one_line = [text for text in some if "\n" not in text and "\r" not in text]
    body = {"tier": "house", "labels": one_line}
    form = sent("line_item", body, touch=lambda name, text: f"{text}\r\n new " if name == "labels" else text)
    assert patch_of("line_item", form, body, KATHMANDU) == {"labels": [*one_line, "new"]}


def test_further_settings_are_those_without_a_field() -> None:
    def given_further(text: str, body: dict[str, Any]) -> Any:
        form = sent("site", body, touch=lambda name, was: text if name == FURTHER else was)
        return patch_of("site", form, body, KATHMANDU)

    body = {"domain": "a.example", "consent": {"missing": "deny", "countries": ["NP"]}, "ads_txt": ["x"]}
    again = {"consent": {"missing": "allow"}, "seller": {"name": "A"}}
    patched = merged(body, given_further(json.dumps(again), body))
    assert patched == {"domain": "a.example", **again}
    assert merged(body, given_further("", body)) == {"domain": "a.example"}
    for text, problem in (
        ("{", "are not JSON"),
        ("[" * 100_000, "are not JSON"),
        ("[]", "are not an object"),
        ('{"domain": "b.example"}', "domain has a field of its own"),
    ):
        with pytest.raises(InvalidInput, match=problem):
            given_further(text, body)


def test_what_is_told_of_a_political_advertisement_makes_it_one() -> None:
    def told(**texts: str) -> Any:
        inputs: Inputs = {f"disclosure-{key}": text for key, text in texts.items()}
        body = {"name": "a", "disclosure": {"sponsor": "Tea Board", "payer": "X"}}
        form = sent("advertiser", body, touch=lambda name, was: inputs.get(name, was))
        return merged(body, patch_of("advertiser", form, body, KATHMANDU)).get("disclosure")

    assert told(payer="") == {"sponsor": "Tea Board"}
    assert told(sponsor="", payer="") is None
    political = told(notice="https://vote.example/notice", vote="Ward 4")
    assert political["political"] is True and political["sponsor"] == "Tea Board"
