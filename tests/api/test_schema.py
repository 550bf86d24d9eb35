"""The API is what its description says: requests made up from it, by tokens of every role (schemathesis)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.console.office import PEOPLE, Office, office

#: Requests made up for each operation and role.
EXAMPLES = 2
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("schema") / "ads.db") as open_office:
        yield open_office


@schemathesis.serializer("application/toml")
def _as_it_is(_: Any, value: Any) -> bytes:
    return str(value).encode("utf-8", "replace")


@pytest.mark.parametrize("email", PEOPLE)
def test_no_answer_is_a_fault_or_undocumented(place: Office, email: str) -> None:
    scopes = ("read", "write", "reports", "users")
    headers = dict(place.with_token(email, *scopes).headers)
    schema = schemathesis.openapi.from_url(f"{place.url}/api/v1/openapi.json", headers=headers)
    schema.config.update(base_url=f"{place.url}/api/v1")
    found: list[Any] = list(schema.get_all_operations())
    operations = [one.ok() for one in found]
    assert len(operations) > 50
    refused, done = [], 0
    for operation in operations:
        # One of them revokes tokens, also the one that asks.
        fresh = dict(place.with_token(email, *scopes).headers)
        statuses = _try(operation, fresh)
        done += any(200 <= status < 300 for status in statuses)
        if statuses == {401}:
            refused.append(operation.label)
    assert refused == []
    assert done >= (20 if email.startswith("admin") else 5), f"only {done} operations were ever done"


def _try(operation: Any, headers: dict[str, str]) -> set[int]:
    """The statuses that made-up requests were answered with."""
    statuses: set[int] = set()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    ask()
    return statuses


def test_the_description_knows_the_catalogs_keys_and_how_to_ask(place: Office) -> None:
    document = place.with_token("admin@news.example", "read").get("/api/v1/openapi.json").json()
    shapes = document["components"]["schemas"]
    assert shapes["LineItem"]["properties"]["state"]["enum"] == ["live", "paused", "scheduled", "ended"]
    assert {"name", "tier", "campaign"} <= set(shapes["LineItemAsk"]["required"])
    assert "creative" not in shapes["LineItemAsk"]["properties"]
    assert {"type": "null"} in shapes["LineItemChange"]["properties"]["price"]["anyOf"]
    assert document["security"] == [{"token": []}]
    added = document["paths"]["/line_items"]["post"]
    assert "Idempotency-Key" in [one["name"] for one in added["parameters"]]
    assert "ETag" in added["responses"]["201"]["headers"]
