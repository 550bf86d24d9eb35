"""A typed page request → the JSON that fills its slots, each fill with its signed token."""

from __future__ import annotations

import msgspec
from starlette.types import Scope

from adserver.clock import bucket_of_ms, to_ms
from adserver.decision.context import Ask, BidFill, Context, Fill, NoFill, Reason
from adserver.decision.tally import Tally
from adserver.measurement.log import FILLED
from adserver.money import format_micros
from adserver.serving.consent import may_store
from adserver.serving.parts import Parts
from adserver.serving.visitor import device_of
from adserver.serving.wire import FillRequest, bids_of
from adserver.settings import Settings

#: Outcome under which a slot that went to a header bid is counted.
HEADER_BID = "header_bid"


def answer_fill(parts: Parts, request: FillRequest, scope: Scope) -> bytes:
    """Decide the page and encode the answer. Counts each slot that is known; nothing waits for a disk."""
    now = parts.clock()
    now_ms = to_ms(now)
    bound = parts.settings.max_slots_per_page
    asks, steering = request.slots[:bound], parts.steering
    context, gpc = _context(parts, request, scope)
    # A page that sends no tally cannot keep one, and so counts as one that may not.
    kept = request.tally if may_store(request.consent, gpc) else None
    tally = None if kept is None else parts.tally_key.read(kept, now_ms // 1000)
    page = steering.decider.decide(context, asks, now, parts.rng, tally)
    subjects = steering.decider.serve(page, now)
    steering.note(context, asks, now)
    bucket = bucket_of_ms(now_ms)
    count_request, answers = parts.log.count_request, []
    for decision in page.decisions:
        if isinstance(decision, Fill):
            count_request(bucket, decision.slot_id, FILLED)
            answers.append(_encode_fill(parts, decision, now_ms))
        elif isinstance(decision, BidFill):
            count_request(bucket, decision.slot_id, HEADER_BID)
            answers.append(_encode_bid(decision))
        else:
            if decision.slot_id is not None:
                count_request(bucket, decision.slot_id, decision.reason)
            answers.append(_encode_no_fill(decision))
    answers.extend(_encode_no_fill(_unfilled(ask, Reason.TOO_MANY_SLOTS)) for ask in request.slots[bound:])
    return _join(
        parts.live.version, parts.ids.next(now_ms), _tally_text(parts, tally, subjects, now_ms), answers
    )


def _tally_text(parts: Parts, tally: Tally | None, subjects: list[int], now_ms: int) -> bytes:
    """What the browser is to keep, as JSON: empty where nothing may be kept, unchanged where nothing came."""
    if tally is None:
        return b'""'
    if subjects:
        tally.add(subjects, now_ms // 1000)
    if not tally.changed:
        return b'"%b"' % tally.text.encode()
    return b'"%b"' % parts.tally_key.write(tally, parts.live.index.caps, now_ms // 1000)


def answer_errors(parts: Parts, request: FillRequest) -> bytes:
    """The answer when deciding failed: every slot stays empty, and the page goes on."""
    answers = [_encode_no_fill(_unfilled(ask, Reason.ERROR)) for ask in request.slots]
    return _join(parts.live.version, 0, msgspec.json.encode(request.tally or ""), answers)


def _context(parts: Parts, request: FillRequest, scope: Scope) -> tuple[Context, bytes]:
    """The facts of a page request, and what its header says of Global Privacy Control."""
    headers, client, agent, gpc = scope["headers"], scope.get("client"), b"", b""
    for name, value in headers:
        if name == b"user-agent":
            agent = value
        elif name == b"sec-gpc":
            gpc = value
    country = parts.country_of(headers, client[0] if client else None)
    return context_of(request, country, device_of(agent), parts.settings), gpc


def context_of(request: FillRequest, country: str | None, device: str | None, settings: Settings) -> Context:
    """The facts of a page request, with what is known of its visitor."""
    page = request.page
    return Context(
        request.site,
        page.section,
        page.topics,
        page.values,
        country,
        device,
        page.url,
        request.theme,
        bids_of(request, settings) if request.bids else (),
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


def _encode_bid(fill: BidFill) -> bytes:
    bid = fill.bid
    won = {"slot": fill.slot, "bid": bid.bid, "cpm": format_micros(bid.cpm_micros), "size": bid.size}
    return msgspec.json.encode({**won, "label": fill.label})


def _join(version: int, request_id: int, tally: bytes, answers: list[bytes]) -> bytes:
    """The whole answer; `tally` is JSON."""
    head = b'{"request":"%x","catalog":%d,"tally":%b,"fills":[' % (request_id, version, tally)
    return head + b",".join(answers) + b"]}"
