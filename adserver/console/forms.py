"""The form of a request → its fields as text, within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request

#: Key → the values given under it.
Form = Mapping[str, list[str]]
_MOST_FIELDS = 2_000


async def form_of(request: Request) -> Form:
    """All fields of a form, files left out."""
    async with request.form(max_files=0, max_fields=_MOST_FIELDS) as form:
        given: dict[str, list[str]] = {}
        for key, value in form.multi_items():
            if isinstance(value, str):
                given.setdefault(key, []).append(value)
    return given


def one(form: Form, key: str) -> str:
    """The first value under a key; empty when there is none."""
    return form.get(key, [""])[0]


def number(form: Form, key: str) -> int | None:
    """A whole number that is not negative; None for anything else."""
    text = one(form, key).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
