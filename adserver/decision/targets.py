"""Targets of line items → the bitmap of those that the facts of a page request pass.

Bit i of a bitmap stands for line item i, and behind these for each group in a target: groups are rows like
line items, and what holds for them is carried to the line items that they belong to. A fact that no line item
tells from others is left out of a request's key, so that what is remembered by key is bounded by the catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

from adserver.catalog.model import LineItem
from adserver.catalog.targeting import (
    MOST_FACT_CHARS,
    Facts,
    page_address,
    segments,
    url_segments,
)
from adserver.decision import bitmap
from adserver.decision.dimension import Column, Dimension, Value
from adserver.decision.groups import Branches, Row, add_groups
from adserver.decision.patterns import Patterns, Segments

#: What line items tell apart of a request: numbers of the section patterns that match; topics; numbers of the
#: url patterns that match, None when the address is unknown; country and device, None when unknown and ""
#: when no line item names them; keys with their values.
TargetKey = tuple[
    tuple[int, ...],
    tuple[str, ...],
    tuple[int, ...] | None,
    str | None,
    str | None,
    tuple[tuple[str, str], ...],
]

#: How many sections and addresses are remembered with the patterns that they match.
_MOST_SECTIONS = 1024
_MOST_ADDRESSES = 4096

#: What is wanted and what is not, in one dimension.
_Sides = tuple[Column, Column]
_PLACE = ("site", "slot")
_FACTS = ("section", "topic", "url", "country", "device", "values")


class Targets:
    """The targets of line items, compiled."""

    def __init__(self, items: Sequence[LineItem]) -> None:
        self._item_count = len(items)
        rows: list[Row] = [item.target for item in items]
        self._site, self._slot = (Dimension(*sides, len(items)) for sides in _sides(_PLACE, rows))
        self._branches: Branches = add_groups(rows)
        self._row_count, self._everyone = len(rows), (1 << len(rows)) - 1
        section, topic, url, country, device, values = _sides(_FACTS, rows)
        self._section, sections = self._patterned(section, segments)
        self._url, addresses = self._patterned(url, url_segments)
        self._topic, self._country, self._device = (
            Dimension(*sides, self._row_count) for sides in (topic, country, device)
        )
        self._values = {
            key: Dimension(*sides, self._row_count) for key, sides in sorted(_by_key(values).items())
        }
        self._sections = lru_cache(_MOST_SECTIONS)(sections.matching)
        self._addresses = lru_cache(_MOST_ADDRESSES)(lambda url: _matching(addresses, url))
        self._no_address = None if self._url.known else ()
        self._countries, self._other_country = _folded(self._country)
        self._devices, self._other_device = _folded(self._device)
        self._explained: tuple[TargetKey, tuple[tuple[str, bytes], ...]] | None = None

    def _patterned(self, sides: _Sides, split: Callable[[str], Segments]) -> tuple[Dimension, Patterns]:
        """A dimension whose values are the numbers of patterns, and what finds these."""
        patterns = dict.fromkeys(str(text) for column in sides for texts in column.lists for text in texts)
        numbers: dict[Value, int] = {pattern: number for number, pattern in enumerate(patterns)}
        wanted, unwanted = (
            Column(column.rows, [[numbers[text] for text in texts] for texts in column.lists])
            for column in sides
        )
        return Dimension(wanted, unwanted, self._row_count), Patterns(list(map(split, patterns)))

    def site(self, name: str) -> int:
        """Bitmap of the line items that may serve on a site."""
        return self._site.wanting((name,)) & self._site.bearing((name,))

    def slot(self, name: str) -> int:
        """Bitmap of the line items that may serve in slots of a name."""
        return self._slot.wanting((name,)) & self._slot.bearing((name,))

    def key(
        self,
        section: str | None,
        topics: Sequence[str],
        values: Mapping[str, str | Sequence[str]] | None,
        url: str | None,
        country: str | None,
        device: str | None,
        sensitive: Container[str],
    ) -> TargetKey:
        """The facts of a page request that some line item tells apart, and its topics in `sensitive`."""
        known = self._topic.known
        told = [topic for topic in topics if topic in known or topic in sensitive]
        return (
            self._sections(section[:MOST_FACT_CHARS]) if section else (),
            tuple(sorted(set(told)) if len(told) > 1 else told),
            self._addresses(url[:MOST_FACT_CHARS]) if url and self._url.known else self._no_address,
            self._countries.get(country, self._other_country),
            self._devices.get(device, self._other_device),
            self._told(values) if values and self._values else (),
        )

    def _told(self, values: Mapping[str, str | Sequence[str]]) -> tuple[tuple[str, str], ...]:
        told: list[tuple[str, str]] = []
        for key, given in values.items():
            dimension = self._values.get(key)
            if dimension is not None:
                texts = (given,) if isinstance(given, str) else given
                told += [(key, text) for text in texts if text in dimension.known]
        return tuple(sorted(set(told)) if len(told) > 1 else told)

    def topics(self, key: TargetKey) -> tuple[str, ...]:
        """The topics in a key."""
        return key[1]

    def passing(self, key: TargetKey) -> int:
        """Bitmap of the line items whose targets a request passes; site, slot and hours apart."""
        bits = self._everyone
        for _, passed in self._rules(key):
            bits &= passed
        for _, passed in self._branches.passed(bits, self._row_count):
            bits &= passed
        return bits

    def first_failed(self, position: int, key: TargetKey) -> str | None:
        """The first rule that a request fails for a line item, such as `"not.country"`; None if it passes."""
        assert 0 <= position < self._item_count, "there is no line item at this position"
        explained = self._explained
        if explained is None or explained[0] != key:
            explained = self._explained = (key, tuple(self._explain(key)))
        return next((rule for rule, passed in explained[1] if not bitmap.has(passed, position)), None)

    def _explain(self, key: TargetKey) -> Iterator[tuple[str, bytes]]:
        bits = self._everyone
        for rule, passed in self._rules(key):
            bits &= passed
            yield rule, bitmap.to_bytes(passed, self._row_count)
        for rule, passed in self._branches.passed(bits, self._row_count):
            yield rule, bitmap.to_bytes(passed, self._row_count)

    def _rules(self, key: TargetKey) -> Iterator[tuple[str, int]]:
        """Each rule that is in some target, with the rows that pass it."""
        for name, dimension, values in self._given(key):
            if dimension.wanted.rows:
                yield name, dimension.wanting(values)
            if dimension.unwanted.rows:
                yield f"not.{name}", dimension.bearing(values)

    def _given(self, key: TargetKey) -> Iterator[tuple[str, Dimension, Iterable[str | int] | None]]:
        """Each dimension with what a request has in it; None is unknown."""
        section, topics, url, country, device, values = key
        yield "section", self._section, section
        yield "topic", self._topic, topics
        yield "url", self._url, url
        yield "country", self._country, None if country is None else (country,)
        yield "device", self._device, None if device is None else (device,)
        for name, dimension in self._values.items():
            yield f"values.{name}", dimension, [text for key_name, text in values if key_name == name]


def _sides(names: Sequence[str], rows: Sequence[Row]) -> Iterator[_Sides]:
    """For each dimension what rows list in it and what they exclude."""
    excluding = [i for i, row in enumerate(rows) if row.exclude]
    wanted = _columns(names, range(len(rows)), rows)
    unwanted = _columns(names, excluding, [rows[i].exclude for i in excluding])
    return zip(wanted, unwanted, strict=True)


def _columns(names: Sequence[str], positions: Sequence[int], facts: Sequence[Facts | None]) -> list[Column]:
    """All dimensions in one go: what takes time is to fetch a hundred thousand objects from memory."""
    columns = [Column([], []) for _ in names]
    for position, lists in zip(positions, map(attrgetter(*names), facts), strict=True):
        for column, values in zip(columns, lists, strict=True):
            if values is not None:
                column.rows.append(position)
                column.lists.append(values)
    return columns


def _by_key(sides: tuple[Column, Column]) -> Mapping[str, _Sides]:
    """The tables of key-values, taken apart by key."""
    found: dict[str, _Sides] = {}
    for side, column in enumerate(sides):
        tables: Iterable[tuple[int, Any]] = zip(*column, strict=True)
        for position, table in tables:
            for key, texts in table.items():
                part = found.setdefault(key, (Column([], []), Column([], [])))[side]
                part.rows.append(position)
                part.lists.append(texts)
    return found


def _matching(addresses: Patterns, url: str) -> tuple[int, ...] | None:
    address = page_address(url)
    return addresses.matching(address) if address else None


def _folded(dimension: Dimension) -> tuple[dict[str | None, str | None], str | None]:
    """Facts that are told apart, each as itself, and what all others are: one where nobody looks."""
    if not dimension.known:
        return {}, None
    return {None: None, **{str(value): str(value) for value in dimension.known}}, ""
