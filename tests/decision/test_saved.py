"""What was learned survives a restart as it was, and damaged bytes are as if nothing had been learned."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adserver.decision.context import Ask, Context
from adserver.decision.pacing import Memory
from adserver.decision.saved import pack, unpack
from adserver.decision.steering import Learned
from adserver.decision.traffic import Level
from adserver.decision.week import Sample
from tests.decision.deciding import serve, steering_of
from tests.newsroom import NOW, catalog_of, line_item

numbers = st.floats(-1e6, 1e6)
texts = st.none() | st.text(max_size=10)
contexts = st.builds(
    Context,
    site=st.text(max_size=10),
    section=texts,
    topics=st.lists(st.text(max_size=5), max_size=3).map(tuple),
    values=st.none()
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.lists(st.text(max_size=5), max_size=2)),
    country=texts,
    device=texts,
    url=texts,
    theme=texts,
    bids=st.just(()),
)
asks = st.builds(
    Ask,
    slot=st.text(max_size=10),
    sizes=st.none() | st.lists(st.text(max_size=9), max_size=3).map(tuple),
    width=st.none() | st.integers(-(2**60), 2**60),
)
instants = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
memories = st.dictionaries(st.integers(0, 2**40), st.builds(Memory, numbers, numbers, numbers, numbers))
samples = st.lists(st.builds(Sample, instants, contexts, st.lists(asks, max_size=3).map(tuple)), max_size=5)


def facts(learned: Learned) -> tuple[object, ...]:
    """What is saved of it, in a form that compares."""
    shown = [(s.at, s.context._replace(values=dict(s.context.values or {})), s.asks) for s in learned.samples]
    return learned.memories, (learned.level.count, learned.level.hours), shown


@settings(max_examples=100, deadline=None)
@given(memories=memories, samples=samples, level=st.tuples(numbers, numbers))
def test_what_was_packed_is_unpacked(
    memories: dict[int, Memory], samples: list[Sample], level: tuple[float, float]
) -> None:
    learned = Learned(memories=memories, level=Level(*level), samples=samples)
    assert facts(unpack(pack(learned))) == facts(learned)


def test_a_restart_goes_on_where_it_was() -> None:
    """Bids, haste, level and samples of a server that was in service for an hour."""
    flight = {"start": NOW - timedelta(days=1), "end": NOW + timedelta(days=9)}
    item = line_item(
        "one", "guaranteed", "728x90", price={"cpm": "1"}, goal={"impressions": 10_000}, **flight
    )
    catalog, now = catalog_of(item, line_item("own", "house", "728x90")), NOW
    before = steering_of(catalog, now)
    for minute in range(60):
        now = NOW + timedelta(minutes=minute)
        for _ in range(5):
            before.note(Context("daily", "world"), (Ask("top"),), now)
            serve(before, Context("daily", "world"), [Ask("top")], now, Random(minute))
        before.tick(now)
    after = steering_of(catalog, now, unpack(pack(before.remember())))
    assert after.pacing.x.tolist() == before.pacing.x.tolist()
    assert after.pacing.haste.tolist() == before.pacing.haste.tolist()
    assert after.pacing.memories() == before.pacing.memories()
    assert after.learned.level.per_hour == before.learned.level.per_hour
    assert after.pacing.x.tolist() != steering_of(catalog, now).pacing.x.tolist()


WHOLE = pack(
    Learned(
        memories={7: Memory(0.5, 10.0, 2.0, 1.5)},
        level=Level(100.0, 3.0),
        samples=[Sample(NOW, Context("daily", "world", ("tea",), {"a": "x"}), (Ask("top", ("728x90",)),))],
    )
)
NOTHING = facts(Learned())


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 7))
def test_a_part_of_it_is_nothing(cut: int) -> None:
    assert facts(unpack(WHOLE[:cut])) == NOTHING


@settings(max_examples=300, deadline=None)
@given(place=st.integers(0, len(WHOLE) - 1), by=st.integers(1, 255))
def test_a_single_damaged_byte_makes_it_nothing(place: int, by: int) -> None:
    """Also where it would still be a number: a bid of e⁷⁰⁰ is worse than none."""
    damaged = bytearray(WHOLE)
    damaged[place] ^= by
    assert facts(unpack(bytes(damaged))) == NOTHING


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.binary(min_size=1, max_size=20).map(lambda more: WHOLE + more))
def test_other_bytes_are_nothing(value: bytes) -> None:
    assert facts(unpack(value)) == NOTHING


def with_checksum(body: bytes) -> bytes:
    """Bytes that arrived as they were sent, by whichever version."""
    return blake2b(body, digest_size=8).digest() + body


def test_nothing_and_another_format_are_nothing() -> None:
    assert facts(unpack(None)) == NOTHING
    empty = {"memories": [], "level": [1.0, 1.0], "samples": []}
    read = [unpack(with_checksum(msgspec.msgpack.encode({"format": n, **empty}))) for n in (1, 2)]
    assert [learned.level.count for learned in read] == [0, 1]
    for body in (b"", b"\x91" * 5000, msgspec.msgpack.encode({"format": 2})):
        assert facts(unpack(with_checksum(body))) == NOTHING
