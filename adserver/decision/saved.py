"""What was learned ⇄ bytes that survive a restart.

Page samples are page requests as they came (site, section, topics, slots asked for…), without anything of the
visitor but country and device class. A checksum goes before it: a bit that was turned over on its way could
make a bid that looks like any other.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b

import msgspec

from adserver.decision.context import Ask, Context
from adserver.decision.pacing import Memory
from adserver.decision.steering import Learned
from adserver.decision.traffic import Level
from adserver.decision.week import Sample

_FORMAT = 2
_CHECK_BYTES = 8


class _Sample(msgspec.Struct, array_like=True):
    at: datetime
    site: str
    section: str | None
    topics: list[str]
    values: dict[str, str | list[str]] | None
    country: str | None
    device: str | None
    url: str | None
    theme: str | None
    asks: tuple[Ask, ...]
    network: bool = True


class _Memory(msgspec.Struct, array_like=True):
    item_id: int
    x: float
    opportunities: float
    hours: float
    haste: float


class _Saved(msgspec.Struct):
    format: int
    memories: list[_Memory]
    level: tuple[float, float]
    samples: list[_Sample]


_decoder = msgspec.msgpack.Decoder(_Saved)


def pack(learned: Learned) -> bytes:
    """Everything learned that the log cannot say again: traffic profiles and rates come from its counts."""
    samples = [
        _Sample(
            sample.at,
            context.site,
            context.section,
            list(context.topics),
            {key: v if isinstance(v, str) else list(v) for key, v in context.values.items()}
            if context.values
            else None,
            context.country,
            context.device,
            context.url,
            context.theme,
            sample.asks,
            context.network,
        )
        for sample in learned.samples
        for context in (sample.context,)
    ]
    memories = [
        _Memory(item_id, m.x, m.opportunities, m.hours, m.haste) for item_id, m in learned.memories.items()
    ]
    level = (learned.level.count, learned.level.hours)
    body = msgspec.msgpack.encode(_Saved(_FORMAT, memories, level, samples))
    return _check(body) + body


def _check(body: bytes) -> bytes:
    return blake2b(body, digest_size=_CHECK_BYTES).digest()


def unpack(value: bytes | None) -> Learned:
    """What `pack` wrote. Anything else, such as another version's, is as if nothing had been learned."""
    check, body = (value or b"")[:_CHECK_BYTES], (value or b"")[_CHECK_BYTES:]
    if check != _check(body):
        return Learned()
    try:
        saved = _decoder.decode(body)
    except (msgspec.DecodeError, ValueError):
        return Learned()
    if saved.format != _FORMAT:
        return Learned()
    return Learned(
        memories={m.item_id: Memory(m.x, m.opportunities, m.hours, m.haste) for m in saved.memories},
        level=Level(*saved.level),
        samples=[
            Sample(
                s.at,
                Context(
                    s.site,
                    s.section,
                    tuple(s.topics),
                    s.values,
                    s.country,
                    s.device,
                    s.url,
                    s.theme,
                    network=s.network,
                ),
                s.asks,
            )
            for s in saved.samples
        ],
    )
