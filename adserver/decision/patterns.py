"""Patterns with `*`, numbered → which of them a text matches.

A catalog may hold many thousands of patterns, and a page's address is often new. So none is tried that cannot
match: exact texts and prefixes are looked up, and of the others only those tried whose rarest four letters
are in the text. There are no regular expressions: a pattern is matched segment by segment, each at its first
place after the one before, so the time that it takes cannot explode.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

_GRAM_CHARS = 4

#: The texts between the stars of a pattern.
Segments = tuple[str, ...]


class Patterns:
    """Patterns, known by their place in the sequence."""

    def __init__(self, patterns: Sequence[Segments]) -> None:
        self._exact: dict[str, list[int]] = {}
        self._prefixes: dict[str, list[int]] = {}
        self._seeded: dict[str, list[tuple[int, Segments]]] = {}
        self._always: list[tuple[int, Segments]] = []
        general: list[tuple[int, Segments]] = []
        for number, parts in enumerate(patterns):
            if len(parts) == 1:
                self._exact.setdefault(parts[0], []).append(number)
            elif len(parts) == 2 and not parts[1]:
                self._prefixes.setdefault(parts[0], []).append(number)
            else:
                general.append((number, parts))
        self._lengths = sorted(set(map(len, self._prefixes)))
        self._seed(general)

    def _seed(self, general: Sequence[tuple[int, Segments]]) -> None:
        frequency = Counter(gram for _, parts in general for gram in _grams(parts))
        for number, parts in general:
            gram = min(_grams(parts), key=frequency.__getitem__, default=None)
            found = self._always if gram is None else self._seeded.setdefault(gram, [])
            found.append((number, parts))

    def matching(self, text: str) -> tuple[int, ...]:
        """Numbers of the patterns that the text matches, ascending."""
        found = list(self._exact.get(text, ()))
        for length in self._lengths:
            if length > len(text):
                break
            found += self._prefixes.get(text[:length], ())
        found += (number for number, parts in self._possible(text) if matches(text, parts))
        return tuple(sorted(found))

    def _possible(self, text: str) -> Iterator[tuple[int, Segments]]:
        yield from self._always
        if self._seeded:
            for gram in _grams((text,)):
                yield from self._seeded.get(gram, ())


def matches(text: str, parts: Segments) -> bool:
    """Whether a text is the segments in their order with anything, or nothing, in place of each star."""
    if len(parts) == 1:
        return text == parts[0]
    first, *middle, last = parts
    here, end = len(first), len(text) - len(last)
    if here > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in middle:
        found = text.find(part, here, end)
        if found < 0:
            return False
        here = found + len(part)
    return True


def _grams(parts: Segments) -> set[str]:
    """All runs of four characters in the segments."""
    return {
        part[start : start + _GRAM_CHARS] for part in parts for start in range(len(part) - _GRAM_CHARS + 1)
    }
