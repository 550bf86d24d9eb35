"""A request for one slot, from where `tag.js` does not run → its fill with its token, or why it stays empty.

What a tag would say of the page is in the query, under the names of its attributes. Nothing is kept in the
reader's browser and no network is asked: whether the reader allows that cannot be known there.
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.datastructures import QueryParams
from starlette.types import Scope

from adserver.catalog.fields import VIDEO
from adserver.clock import bucket_of_ms, to_ms
from adserver.consent.allowed import ALLOWED, Answer
from adserver.decision.context import Ask, Fill, NoFill
from adserver.measurement.event import Validity
from adserver.serving.fill import context_of, count_slots, facts_on
from adserver.serving.parts import Parts
from adserver.serving.visitor import visitor_of
from adserver.serving.wire import FillRequest, PageFacts, bounded
from adserver.settings import Settings

#: Before the name of a key-value.
_VALUE = "value-"
_UNANSWERED = ALLOWED[Answer.UNANSWERED]


class Filled(NamedTuple):
    """A slot that was filled, and the proof of it."""

    fill: Fill
    token: str


def request_in(site: str, ask: Ask, query: QueryParams, settings: Settings) -> FillRequest:
    """`section`, `topics`, `author`, `value-…`, `url` and `theme`; the rest of a query is not looked at."""
    topics = [topic for part in query.getlist("topics") for topic in _names(part)]
    values: dict[str, str | list[str]] = {
        key.removeprefix(_VALUE): query.getlist(key) for key in query if key.startswith(_VALUE)
    }
    if author := query.get("author"):
        values["author"] = author
    page = PageFacts(query.get("url", ""), query.get("section"), topics, values)
    return bounded(FillRequest(site, [ask], page, theme=query.get("theme")), settings)


def sizes_in(query: QueryParams) -> tuple[str, ...] | None:
    """`sizes`, such as "728x90,320x50"; None for any that the slot offers."""
    sizes = tuple(size[:20] for size in _names(query.get("sizes", "")) if size != VIDEO)
    return sizes[:50] or None


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def fill_one(parts: Parts, request: FillRequest, scope: Scope) -> Filled | NoFill:
    """Decide on the one slot that is asked for, and count it."""
    now, steering = parts.clock(), parts.steering
    now_ms = to_ms(now)
    visitor = visitor_of(scope)
    found = parts.screen.page(visitor)
    country = parts.country_of(scope["headers"], visitor.address)
    device = visitor.agent.device
    context = context_of(request, country, device, parts.settings, parts.live.index, _UNANSWERED)
    page = steering.decider.decide(context, request.slots, now, parts.rng, None)
    if found is Validity.VALID:
        steering.decider.serve(page, now)
        steering.note(context, request.slots, now)
    else:
        parts.counts.count_invalid(found)
    bucket = bucket_of_ms(now_ms)
    count_slots(parts, page.decisions, bucket, found)
    (decision,) = page.decisions
    if isinstance(decision, Fill):
        facts = facts_on(parts, context, visitor, bucket, found)
        stem = parts.live.fragments(decision).stem
        return Filled(decision, parts.key.sign(stem, parts.ids.next(now_ms), facts).decode())
    assert isinstance(decision, NoFill), "no header bid was handed in"
    return decision
