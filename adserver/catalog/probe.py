"""A target alone → a line item that has it and nothing else, to ask what it would match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from adserver.catalog.faults import validation_findings
from adserver.catalog.keys import to_faults
from adserver.catalog.model import Catalog, LineItem
from adserver.errors import Fault, InvalidInput

_NAME = "probe"
_PREFIX = f"advertiser.{_NAME}.campaign.{_NAME}.line_item.{_NAME}."


def probe(target: Mapping[str, Any], allow_topics: Sequence[str] = ()) -> LineItem:
    """`target` and `allow_topics` as in the catalog file. Raises InvalidInput with every fault."""
    body = {"name": _NAME, "tier": "house", "target": target, "allow_topics": allow_topics}
    try:
        return LineItem.model_validate(body)
    except ValidationError:
        raise InvalidInput(_faults(body)) from None


def _faults(body: Mapping[str, Any]) -> list[Fault]:
    """What is wrong, in the words for a whole catalog."""
    campaign = {"name": _NAME, "line_item": [body]}
    tables = {"advertiser": [{"name": _NAME, "campaign": [campaign]}]}
    try:
        Catalog.model_validate(tables)
    except ValidationError as error:
        faults = to_faults(tables, validation_findings(error), "")
        return [Fault("", fault.key.removeprefix(_PREFIX), fault.problem) for fault in faults]
    raise AssertionError("what is wrong with a line item is wrong in a catalog")
