"""The form of a request → its fields as text, within bounds."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import UploadFile
from starlette.requests import Request

from adserver.errors import InvalidInput

#: Key → the values given under it.
Form = Mapping[str, list[str]]
_MOST_FIELDS = 2_000


async def form_of(request: Request, *, most_bytes: int = 1_000_000, files: bool = False) -> Form:
    """All fields of a form; with `files`, a file that is UTF-8 text is a field too. Raises InvalidInput."""
    most_files = 1 if files else 0
    async with request.form(max_files=most_files, max_fields=_MOST_FIELDS, max_part_size=most_bytes) as form:
        given: dict[str, list[str]] = {}
        for key, value in form.multi_items():
            if isinstance(value, str):
                given.setdefault(key, []).append(value)
            elif value.filename:
                given.setdefault(key, []).append(await _text_of(value, most_bytes))
    return given


async def _text_of(file: UploadFile, most_bytes: int) -> str:
    content = await file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InvalidInput.one("", "file", f"is longer than {most_bytes} bytes")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidInput.one("", "file", "is not UTF-8 text; save it as CSV UTF-8") from None


def one(form: Form, key: str) -> str:
    """The first value under a key; empty when there is none."""
    return form.get(key, [""])[0]


def number(form: Form, key: str) -> int | None:
    """A whole number that is not negative; None for anything else."""
    text = one(form, key).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
