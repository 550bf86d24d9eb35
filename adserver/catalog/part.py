"""What was given for an object of the catalog → the object, or every fault in it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError


class Part(BaseModel):
    """Common to every object of the catalog: frozen, and an unknown key is a fault, never ignored.

    Rules about which keys go together are checked on what was given, so that they are reported together with
    faults in the values (pydantic alone would report them only once every value is right).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """Sentences about keys that are missing or do not go together, from the keys given."""
        yield from ()

    @model_validator(mode="wrap")
    @classmethod
    def _report_every_fault(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong = list(cls.missing_or_extra(value)) if isinstance(value, dict) else []
        if not wrong:
            return handler(value)
        faults = [InitErrorDetails(type=PydanticCustomError(RULE, text), input=value) for text in wrong]
        try:
            handler(value)
        except ValidationError as error:
            faults = [*map(_detail, error.errors(include_url=False)), *faults]
        raise ValidationError.from_exception_data(cls.__name__, faults)


#: Type of the errors that `Part.missing_or_extra` makes.
RULE = "catalog_rule"


def _detail(fault: Any) -> InitErrorDetails:
    """One of pydantic's reported errors → what it can be reported from again."""
    kind = PydanticCustomError(RULE, fault["msg"]) if fault["type"] == RULE else fault["type"]
    return InitErrorDetails(type=kind, loc=fault["loc"], input=fault["input"], ctx=fault.get("ctx", {}))
