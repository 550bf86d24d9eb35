"""A word that is not known → the known word that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[object]) -> str:
    """`"; did you mean 'section'?"` when one of the known words looks alike, else nothing."""
    matches = get_close_matches(word, sorted(map(str, known)), n=1)
    return f"; did you mean {matches[0]!r}?" if matches else ""
