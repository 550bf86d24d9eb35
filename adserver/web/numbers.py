"""A number in an address → an int, in routes as `{version:number}`; longer ones than ours find no page.

Starlette's own `int` takes any digits, and Python refuses to read more than 4,300 of them.
"""

from __future__ import annotations

from starlette.convertors import Convertor, register_url_convertor


class _Number(Convertor[int]):
    regex = "[0-9]{1,15}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


def register() -> None:
    """Make `number` known to routes."""
    register_url_convertor("number", _Number())
