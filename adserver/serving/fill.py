"""A typed page request → the JSON that fills its slots, each fill with its signed token."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from starlette.types import Scope

from adserver.clock import bucket_of_ms, to_ms
from adserver.consent.allowed import Allowed, Network, Storage
from adserver.decision.context import Ask, BidFill, Context, Decision, Fill, NoFill, Reason
from adserver.decision.frequency import Frequencies
from adserver.decision.index import Index
from adserver.measurement.event import Validity
from adserver.measurement.log import FILLED, HEADER_BID, INVALID
from adserver.money import format_micros
from adserver.serving.cut_by import facts_of
from adserver.serving.kept import kept_text, read_kept
from adserver.serving.parts import Parts
from adserver.serving.visitor import Visitor, visitor_of
from adserver.serving.wire import FillRequest, bids_of
from adserver.settings import Settings


def answer_fill(parts: Parts, request: FillRequest, scope: Scope) -> bytes:
    """Decide the page and encode the answer. Counts each slot that is known; nothing waits for a disk."""
    now = parts.clock()
    now_ms = to_ms(now)
    bound = parts.settings.max_slots_per_page
    asks, steering = request.slots[:bound], parts.steering
    visitor = visitor_of(scope)
    found = parts.screen.page(visitor)
    country = parts.country_of(scope["headers"], visitor.address)
    allowed = parts.consents.allowed(
        request.consent, visitor.gpc, parts.live.consent.get(request.site), country
    )
    context = context_of(request, country, visitor.agent.device, parts.settings, parts.live.index, allowed)
    # A page that sends no tally cannot keep one, and so counts as one that may not.
    text = request.tally if allowed.storage is Storage.KEEP else None
    kept = None if text is None else read_kept(parts, text, now_ms // 1000)
    page = steering.decider.decide(context, asks, now, parts.rng, kept.tally if kept else None)
    subjects: list[int] = []
    if found is Validity.VALID:
        subjects = steering.decider.serve(page, now)
        if not request.passback:
            steering.note(context, asks, now)
    else:
        # Its events will not count: nothing is reserved for it, and no opportunity was there to learn from.
        parts.counts.count_invalid(found)
    bucket = bucket_of_ms(now_ms)
    # The slots of a passback were counted when they went to the network.
    if not request.passback:
        count_slots(parts, page.decisions, bucket, found)
    facts = facts_on(parts, context, visitor, bucket, found)
    seen = kept.seen if kept and not found else None
    answers = [_encode(parts, decision, now_ms, facts, seen) for decision in page.decisions]
    answers.extend(_encode_no_fill(_unfilled(ask, Reason.TOO_MANY_SLOTS)) for ask in request.slots[bound:])
    told = b"null" if allowed.storage is Storage.LEAVE else kept_text(parts, kept, subjects, now_ms // 1000)
    return _join(parts.live.version, parts.ids.next(now_ms), told, allowed.network, answers)


def count_slots(parts: Parts, decisions: Sequence[Decision], bucket: int, found: Validity) -> None:
    """Count each slot that is known, by what became of it."""
    for decision in decisions:
        if decision.slot_id is None:
            continue
        if found:
            outcome = f"{INVALID}{found.name.lower()}"
        elif isinstance(decision, Fill):
            outcome = FILLED
        else:
            outcome = HEADER_BID if isinstance(decision, BidFill) else decision.reason
        parts.log.count_request(bucket, decision.slot_id, outcome)


def facts_on(parts: Parts, context: Context, visitor: Visitor, bucket: int, found: Validity) -> int:
    """What all fills of the page are cut by in reports; a site that is not known has none."""
    site = parts.live.index.sites.get(context.site)
    if site is None:
        return 0
    section = parts.sections.code(context.section, learn=found is Validity.VALID)
    return facts_of(context, visitor.agent.browser, section, site.zone, bucket)


def answer_errors(parts: Parts, request: FillRequest) -> bytes:
    """The answer when deciding failed: every slot stays empty, and the page goes on."""
    answers = [_encode_no_fill(_unfilled(ask, Reason.ERROR)) for ask in request.slots]
    # As it came, so that a fault of ours forgets no cap; null where the page did not send what it may have.
    tally = msgspec.json.encode(request.tally)
    return _join(parts.live.version, 0, tally, Network.NONE, answers)


def context_of(
    request: FillRequest,
    country: str | None,
    device: str | None,
    settings: Settings,
    index: Index,
    allowed: Allowed,
) -> Context:
    """The facts of a page request, with what is known of its visitor."""
    page, site = request.page, index.sites.get(request.site)
    bids = bids_of(request, settings, site.site.currency) if request.bids and site else ()
    return Context(
        request.site,
        page.section,
        page.topics,
        page.values,
        country,
        device,
        page.url,
        request.theme,
        bids,
        allowed.network is not Network.NONE and not request.passback,
    )


def _encode(parts: Parts, decision: Decision, now_ms: int, facts: int, seen: Frequencies | None) -> bytes:
    if isinstance(decision, Fill):
        return _encode_fill(parts, decision, now_ms, facts, seen)
    return _encode_bid(decision) if isinstance(decision, BidFill) else _encode_no_fill(decision)


def _encode_fill(parts: Parts, fill: Fill, now_ms: int, facts: int, seen: Frequencies | None) -> bytes:
    head, middle, stem, item, campaign = parts.live.fragments(fill)
    if seen is not None:
        facts |= seen.add(item, campaign)
    token = parts.key.sign(stem, parts.ids.next(now_ms), facts)
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


#: How a network that fills a slot may be asked, as the page is told.
_NETWORKS = {network: network.name.lower().encode() for network in Network}


def _join(version: int, request_id: int, tally: bytes, network: Network, answers: list[bytes]) -> bytes:
    """The whole answer; `tally` is JSON."""
    told = request_id, version, tally, _NETWORKS[network]
    head = b'{"request":"%x","catalog":%d,"tally":%b,"network":"%b","fills":[' % told
    return head + b",".join(answers) + b"]}"
