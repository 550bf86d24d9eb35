"""Models of the catalog → what the API's description (OpenAPI 3.1) says of its objects and requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI

from adserver.api.shapes import PARENT_KEYS
from adserver.catalog.plan import CHILDREN, MODELS

Json = dict[str, Any]
_REF = "#/components/schemas/{model}"
_ONCE: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text of your own: a request that is sent again with it is done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[ -~]+$"},
}
_ETAG: Json = {"description": "The version, for `If-Match`.", "schema": {"type": "string"}}


class Described(FastAPI):
    """An application whose description knows the catalog's objects, the token, and what headers do."""

    def openapi(self) -> Json:
        """Made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            parts = document["components"]
            parts["schemas"] |= {
                name: schema for kind in MODELS for name, schema in _schemas_of(kind, parts["schemas"])
            }
            parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            document["security"] = [{"token": []}]
            for methods in document["paths"].values():
                for method, operation in methods.items():
                    if method != "get":
                        operation.setdefault("parameters", []).append(_ONCE)
            self.openapi_schema = document
        return self.openapi_schema


def body_of(kind: str, *, change: bool = False) -> Json:
    """What a route says of its body: a new object, or a merge patch (RFC 7396)."""
    name = _name(kind) + ("Change" if change else "Ask")
    return {"requestBody": {"required": True, "content": _content(_ref(name))}}


def answer_of(status: int, kind: str) -> dict[int | str, Json]:
    """What a route says of an answer with one object."""
    return {status: {"headers": {"ETag": _ETAG}, "content": _content(_ref(_name(kind)))}}


def listing_of(kind: str) -> dict[int | str, Json]:
    """What a route says of an answer with many."""
    items = {"type": "array", "items": _ref(_name(kind))}
    return {200: {"content": _content({"properties": {"items": items}})}}


def _content(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _ref(name: str) -> Json:
    return {"$ref": _REF.format(model=name)}


def _name(kind: str) -> str:
    return MODELS[kind].__name__


def _schemas_of(kind: str, known: Json) -> Iterator[tuple[str, Json]]:
    """The object as it is told, as it is added, and as it is changed; and what these are made of."""
    schema = MODELS[kind].model_json_schema(ref_template=_REF)
    for name, inner in schema.pop("$defs", {}).items():
        if name not in {_name(one) for one in MODELS} | known.keys():
            yield name, inner
    keys = {key: value for key, value in schema["properties"].items() if key not in CHILDREN[kind]}
    above: Json = {"type": "string", "maxLength": 200, "description": "What it is in, by its full name."}
    parent = {PARENT_KEYS[kind]: above} if kind in PARENT_KEYS else {}
    told: Json = {"version": {"type": "integer"}}
    if kind == "line_item":
        told["state"] = {"enum": ["live", "paused", "scheduled", "ended"]}
    whole = {"type": "object", "description": schema.get("description", "")}
    yield _name(kind), {**whole, "properties": {**keys, **parent, **told}, "required": ["name", "version"]}
    needed = [*schema.get("required", ()), *parent]
    yield (
        f"{_name(kind)}Ask",
        {**whole, "properties": {**keys, **parent}, "required": needed, "additionalProperties": False},
    )
    patches = {key: _or_default(value) for key, value in keys.items() if key != "name"}
    yield f"{_name(kind)}Change", {**whole, "properties": patches}


def _or_default(schema: Json) -> Json:
    """The value of a key in a merge patch: of an object also a part, and null for the default."""
    parts = schema.get("anyOf", [schema])
    loose = [{"type": "object"} if "$ref" in part else part for part in parts]
    return {"anyOf": [*loose, {"type": "null"}]} if {"type": "null"} not in loose else {"anyOf": loose}
