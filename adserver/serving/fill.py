"""A typed page request → the JSON that fills its slots, each fill with its signed token."""

from __future__ import annotations

import msgspec
from starlette.types import Scope

from adserver.clock import bucket_of_ms, to_ms
from adserver.decision.context import Ask, Context, Fill, NoFill, Reason
from adserver.measurement.token import FillToken
from adserver.serving.parts import Parts
from adserver.serving.visitor import device_of
from adserver.serving.wire import FillRequest, SlotAsk

#: Outcome of a decision under which a fill is counted; the others are reasons.
FILLED = "filled"


def answer_fill(parts: Parts, request: FillRequest, scope: Scope) -> bytes:
    """Decide the page and encode the answer. Counts every decision; nothing waits for a disk."""
    now = parts.clock()
    now_ms = to_ms(now)
    bound = parts.settings.max_slots_per_page
    asks = [
        Ask(ask.slot, None if ask.sizes is None else tuple(ask.sizes), ask.width)
        for ask in request.slots[:bound]
    ]
    live = parts.live
    decisions = live.decider.decide(_context(parts, request, scope), asks, now, parts.rng)
    bucket = bucket_of_ms(now_ms)
    answers = []
    for decision in decisions:
        if isinstance(decision, Fill):
            _count(parts, bucket, decision.slot_id, FILLED)
            answers.append(_encode_fill(parts, decision, now_ms))
        else:
            _count(parts, bucket, decision.slot_id, decision.reason)
            answers.append(_encode_no_fill(decision))
    answers.extend(_encode_no_fill(_unfilled(ask, Reason.TOO_MANY_SLOTS)) for ask in request.slots[bound:])
    return _join(live.version, parts.ids.next(now_ms), answers)


def answer_errors(parts: Parts, request: FillRequest) -> bytes:
    """The answer when deciding failed: every slot stays empty, and the page goes on."""
    answers = [_encode_no_fill(_unfilled(ask, Reason.ERROR)) for ask in request.slots]
    return _join(parts.live.version, 0, answers)


def _context(parts: Parts, request: FillRequest, scope: Scope) -> Context:
    headers = scope["headers"]
    agent = next((value for name, value in headers if name == b"user-agent"), b"")
    client = scope.get("client")
    return Context(
        site=request.site,
        section=request.page.section,
        topics=request.page.topics,
        values=request.page.values,
        country=parts.country_of(headers, client[0] if client else None),
        device=device_of(agent),
    )


def _count(parts: Parts, bucket: int, slot_id: int | None, outcome: str) -> None:
    decisions = parts.counts.decisions
    decisions[outcome] = decisions.get(outcome, 0) + 1
    if slot_id is not None:
        parts.log.count_request(bucket, slot_id, outcome)


def _encode_fill(parts: Parts, fill: Fill, now_ms: int) -> bytes:
    choice, live = fill.choice, parts.live
    token = parts.key.sign(
        FillToken(
            fill=parts.ids.next(now_ms),
            slot_id=fill.slot_id,
            item_id=choice.item_id,
            creative_id=choice.creative_id,
            model=choice.model,
            price_micros=choice.price_micros,
            catalog_version=live.version,
        )
    ).encode()
    head, middle = live.fragments(fill)
    if middle is None:
        return b'%b%b"}' % (head, token)
    return b'%b%b%b%b"}' % (head, token, middle, token)


def _encode_no_fill(decision: NoFill) -> bytes:
    return msgspec.json.encode({"slot": decision.slot, "reason": decision.reason})


def _unfilled(ask: SlotAsk, reason: Reason) -> NoFill:
    return NoFill(ask.slot, None, reason)


def _join(version: int, request_id: int, answers: list[bytes]) -> bytes:
    head = b'{"request":"%x","catalog":%d,"tally":"","fills":[' % (request_id, version)
    return head + b",".join(answers) + b"]}"
