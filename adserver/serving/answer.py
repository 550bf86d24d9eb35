"""A question about a page → the JSON that answers it: for each slot, why line items serve there or do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import Any

import msgspec

from adserver.catalog.model import Catalog
from adserver.clock import to_ms
from adserver.consent.allowed import Storage
from adserver.decision.context import Reason
from adserver.decision.explain import BidVerdict, Explanation, Score, SlotExplained, Verdict, explain
from adserver.decision.frequency import parts_of
from adserver.decision.look import Look, look
from adserver.decision.page import Decider
from adserver.decision.tally import TallyKey
from adserver.money import format_micros
from adserver.serving.consent import Consents, site_rule
from adserver.serving.fill import context_of
from adserver.serving.question import Question
from adserver.settings import Settings

#: Figures are shown to a millionth of a currency unit.
_DECIMALS = 6


def look_for(
    decider: Decider, key: TallyKey, question: Question, settings: Settings, now: datetime, rng: Random
) -> Look:
    """Decide the page that is asked about as the next request for it would be; nothing changes by it."""
    request = question.request
    index, country = decider.index, question.country
    site = index.sites.get(request.site)
    rule = site_rule(site.site, settings) if site else None
    allowed = Consents(settings).allowed(request.consent, b"", rule, country)
    context = context_of(request, country, question.device, settings, index, allowed)
    kept = request.tally if allowed.storage is Storage.KEEP else None
    tally = None if kept is None else key.read(parts_of(kept)[0], to_ms(now) // 1000)
    elsewhen = question.at is not None
    return look(decider, context, question.asks(settings), now, rng, tally, elsewhen=elsewhen)


def explain_question(looked: Look, catalog: Catalog, question: Question, settings: Settings) -> Explanation:
    """What is asked for of a page that was looked at; `catalog` is the one that it was decided by."""
    found = explain(
        looked, catalog, limit=question.limit, slot=question.slot, item=question.item, told=question.told
    )
    beyond = question.request.slots[settings.max_slots_per_page :]
    sentence = f"Stays empty: a page may ask for at most {settings.max_slots_per_page} slots."
    shed = [
        SlotExplained(ask.slot, None, (), None, None, Reason.TOO_MANY_SLOTS, sentence, {}, (), (), 0)
        for ask in beyond
        if question.slot in (None, ask.slot)
    ]
    return Explanation(
        found.catalog, found.at, found.context, found.stored, found.site, [*found.slots, *shed]
    )


def answer_question(looked: Look, catalog: Catalog, question: Question, settings: Settings) -> bytes:
    """The whole answer as JSON. May take a second where there are a hundred thousand line items."""
    return encode(explain_question(looked, catalog, question, settings))


def encode(explained: Explanation) -> bytes:
    """An explanation as JSON; amounts of money are decimal text, scores and eCPMs are numbers."""
    context = explained.context
    page = {
        "url": context.url or None,
        "section": context.section,
        "topics": list(context.topics),
        "values": dict(context.values or {}),
        "country": context.country,
        "device": context.device,
        "theme": context.theme,
        "tally_kept": explained.stored,
        "network_allowed": context.network,
    }
    return msgspec.json.encode(
        {
            "catalog": explained.catalog,
            "at": explained.at,
            "site": context.site,
            "currency": explained.site.currency if explained.site else None,
            "timezone": explained.site.timezone if explained.site else None,
            "page": page,
            "slots": [dict(_slot(slot)) for slot in explained.slots],
        }
    )


def _slot(slot: SlotExplained) -> Iterator[tuple[str, Any]]:
    yield "slot", slot.slot
    if slot.winner is None:
        yield "winner", None
    elif slot.creative is None:
        yield "winner", {"bid": slot.winner}
    else:
        yield "winner", {"line_item": slot.winner, "creative": slot.creative}
    yield "reason", slot.reason
    yield "sentence", slot.sentence
    yield "floor", None if slot.floor_micros is None else format_micros(slot.floor_micros)
    yield "sizes", list(slot.sizes)
    yield "counts", dict(slot.counts)
    yield "bids", [_bid(bid) for bid in slot.bids]
    yield "line_items", [_line_item(verdict) for verdict in slot.line_items]
    yield "left_off", slot.left_off


def _bid(bid: BidVerdict) -> dict[str, Any]:
    return {
        "bid": bid.bid,
        "cpm": format_micros(bid.cpm_micros),
        "size": bid.size,
        "rule": bid.rule,
        "sentence": bid.sentence,
    }


def _line_item(verdict: Verdict) -> dict[str, Any]:
    return {
        "line_item": verdict.line_item,
        "campaign": verdict.campaign,
        "advertiser": verdict.advertiser,
        "tier": verdict.tier,
        "price": verdict.price,
        "rule": verdict.rule,
        "sentence": verdict.sentence,
        "score": _score(verdict.score) if verdict.score else None,
    }


def _score(score: Score) -> dict[str, float | None]:
    parts = {
        "score": score.score,
        "bid": score.bid,
        "ecpm": score.ecpm,
        "rate": score.rate,
        "multiplier": score.multiplier,
    }
    return {name: None if part is None else round(part, _DECIMALS) for name, part in parts.items()}
