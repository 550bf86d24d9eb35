"""A typed page request → the JSON that fills its slots, each fill with its signed token."""

from __future__ import annotations

import msgspec
from starlette.types import Scope

from adserver.clock import bucket_of_ms, to_ms
from adserver.decision.context import Ask, Context, Fill, NoFill, Reason
from adserver.measurement.log import FILLED
from adserver.serving.parts import Parts
from adserver.serving.visitor import device_of
from adserver.serving.wire import FillRequest


def answer_fill(parts: Parts, request: FillRequest, scope: Scope) -> bytes:
    """Decide the page and encode the answer. Counts each slot that is known; nothing waits for a disk."""
    now = parts.clock()
    now_ms = to_ms(now)
    bound = parts.settings.max_slots_per_page
    live = parts.live
    decisions = live.decider.decide(_context(parts, request, scope), request.slots[:bound], now, parts.rng)
    bucket = bucket_of_ms(now_ms)
    count_request, answers = parts.log.count_request, []
    for decision in decisions:
        if isinstance(decision, Fill):
            count_request(bucket, decision.slot_id, FILLED)
            answers.append(_encode_fill(parts, decision, now_ms))
        else:
            if decision.slot_id is not None:
                count_request(bucket, decision.slot_id, decision.reason)
            answers.append(_encode_no_fill(decision))
    answers.extend(_encode_no_fill(_unfilled(ask, Reason.TOO_MANY_SLOTS)) for ask in request.slots[bound:])
    return _join(live.version, parts.ids.next(now_ms), answers)


def answer_errors(parts: Parts, request: FillRequest) -> bytes:
    """The answer when deciding failed: every slot stays empty, and the page goes on."""
    answers = [_encode_no_fill(_unfilled(ask, Reason.ERROR)) for ask in request.slots]
    return _join(parts.live.version, 0, answers)


def _context(parts: Parts, request: FillRequest, scope: Scope) -> Context:
    headers, client, agent = scope["headers"], scope.get("client"), b""
    for name, value in headers:
        if name == b"user-agent":
            agent = value
            break
    return Context(
        site=request.site,
        section=request.page.section,
        topics=request.page.topics,
        values=request.page.values,
        country=parts.country_of(headers, client[0] if client else None),
        device=device_of(agent),
    )


def _encode_fill(parts: Parts, fill: Fill, now_ms: int) -> bytes:
    head, middle, stem = parts.live.fragments(fill)
    token = parts.key.sign(stem, parts.ids.next(now_ms))
    if middle is None:
        return b'%b%b"}' % (head, token)
    return b'%b%b%b%b"}' % (head, token, middle, token)


def _encode_no_fill(decision: NoFill) -> bytes:
    return msgspec.json.encode({"slot": decision.slot, "reason": decision.reason})


def _unfilled(ask: Ask, reason: Reason) -> NoFill:
    return NoFill(ask.slot, None, reason)


def _join(version: int, request_id: int, answers: list[bytes]) -> bytes:
    head = b'{"request":"%x","catalog":%d,"tally":"","fills":[' % (request_id, version)
    return head + b",".join(answers) + b"]}"
