"""Texts that somebody asks with about a page → one checked question, or everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from adserver.catalog.model import Catalog
from adserver.catalog.nearest import nearest
from adserver.catalog.targeting import COUNTRIES, DEVICES
from adserver.decision.context import Ask
from adserver.errors import Fault, InvalidInput
from adserver.serving.wire import FillRequest, Unreadable, read_fill
from adserver.settings import Settings

#: What may be asked with; only `page` must be there.
KEYS = ("page", "at", "slot", "item", "country", "device", "limit")
_AT = 'is not a time such as "2026-11-24T09:00:00+05:45"'
#: msgspec says where a fault is as "… - at `$.slots[0].slot`".
_WHERE = re.compile(r"^The body cannot be read: (.*?)(?: - at `\$\.?(.*)`)?\.$", re.DOTALL)
#: Among so many line items one that is spelt alike is looked for; among more it would take too long.
_MOST_COMPARED = 2_000
#: Site of a page → the line items, by name, that the one who asks may be told of there; None: all.
Told = Callable[[str], frozenset[str] | None]
_EARLIEST, _LATEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Question:
    """A page request, and what of its explanation is wanted."""

    request: FillRequest
    at: datetime | None
    """None: now."""
    slot: str | None
    item: str | None
    country: str | None
    """Of the visitor, as it would be found from the address or a proxy's header; None: not known."""
    device: str | None
    limit: int
    """Most line items that are listed for a slot."""
    told: frozenset[str] | None
    """The only line items that the answer may name; None: all."""

    def asks(self, settings: Settings) -> Sequence[Ask]:
        """The slots that are decided: as many as a page may have."""
        return self.request.slots[: settings.max_slots_per_page]


def read_question(
    given: Mapping[str, str], catalog: Catalog, settings: Settings, told: Told = lambda _: None
) -> Question:
    """Check all of it. Raises InvalidInput; keys are those of `KEYS`, and `page.…` inside the page.

    A time without an offset is in the time zone of the page's site.
    """
    faults = [Fault("", key, f"is not known{nearest(key, KEYS)}") for key in given if key not in KEYS]
    asked = {key: text for key, text in given.items() if text}
    request, at, limit = None, None, settings.explained_items
    try:
        request = _page(asked.get("page", ""), settings)
    except InvalidInput as error:
        faults += error.faults
    names = told(request.site if request else "")
    faults += _unknown_names(asked, request, catalog, names)
    if "at" in asked:
        try:
            at = _instant(asked["at"], request, catalog)
        except ValueError as error:
            faults.append(Fault("", "at", str(error)))
    if "limit" in asked:
        most = settings.max_explained_items
        if re.fullmatch("[0-9]{1,9}", asked["limit"]) and 1 <= int(asked["limit"]) <= most:
            limit = int(asked["limit"])
        else:
            faults.append(Fault("", "limit", f"{asked['limit'][:40]!r} is not a number from 1 to {most}"))
    if faults or request is None:
        raise InvalidInput(faults)
    country, device = asked.get("country"), asked.get("device")
    return Question(request, at, asked.get("slot"), asked.get("item"), country, device, limit, names)


def _page(text: str, settings: Settings) -> FillRequest:
    """Raises InvalidInput."""
    body = text.encode("utf-8", "surrogateescape")
    if not body:
        raise InvalidInput.one("", "page", "is missing: the JSON that a page sends to /v1/fill")
    if len(body) > settings.max_body_bytes:
        raise InvalidInput.one("", "page", f"is longer than {settings.max_body_bytes} bytes")
    try:
        return read_fill(body, settings)
    except Unreadable as error:
        found = _WHERE.match(str(error))
        problem, where = (found[1], found[2]) if found else (str(error), None)
        raise InvalidInput.one("", f"page.{where}" if where else "page", problem) from None


def _unknown_names(
    asked: Mapping[str, str], request: FillRequest | None, catalog: Catalog, told: frozenset[str] | None
) -> Iterator[Fault]:
    """Names that would only find nothing."""
    slot, item, country, device = (asked.get(key) for key in ("slot", "item", "country", "device"))
    if slot and request:
        names = [ask.slot for ask in request.slots]
        if slot not in names:
            yield Fault("", "slot", f"{slot[:200]!r} is not asked for by this page{nearest(slot, names)}")
    if item and (request or told is None):
        items = told if told is not None else {item.name for _, _, item in catalog.line_items()}
        if item not in items:
            problem = f"{item[:200]!r} is not a line item of the catalog"
            meant = nearest(item[:200], items) if len(items) <= _MOST_COMPARED else ""
            yield Fault("", "item", problem + meant)
    if country and country not in COUNTRIES:
        yield Fault("", "country", f'{country[:40]!r} is not an ISO 3166-1 alpha-2 code such as "NP"')
    if device and device not in DEVICES:
        yield Fault("", "device", f"{device[:40]!r} is not one of {', '.join(DEVICES)}")


def _instant(text: str, request: FillRequest | None, catalog: Catalog) -> datetime:
    """Raises ValueError with a sentence."""
    # In a query a plus sign that nobody encoded is a space.
    text = re.sub(r"(?<=\d) (?=\d\d:\d\d$)", "+", text) if "T" in text else text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} {_AT}") from None
    if at.tzinfo is None:
        zone = next((site.zone for site in catalog.site if request and site.name == request.site), None)
        if zone is None:
            raise ValueError(f"{text!r} has no offset such as +05:45, and the page's site is not known")
        at = at.replace(tzinfo=zone)
    if not _EARLIEST <= at < _LATEST:
        raise ValueError(f"{text!r} is not between the years {_EARLIEST.year} and {_LATEST.year}")
    return at.astimezone(UTC)
