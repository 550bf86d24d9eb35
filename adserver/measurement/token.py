"""A fill ⇄ a signed token of 80 characters: the only thing an event may be counted from.

Keyed BLAKE2b (RFC 7693) over a packed struct, in base64url. Signing costs under a microsecond, so each slot
of each page gets its own. 60 bytes are 80 characters without padding bits: one token has one spelling.

Its bytes, big-endian: format (1), price model (1), slot (4), line item (4), creative (4), price in micros
(8), catalog version (4), size (4); then, of each fill its own, fill id (8) and facts (8); 14 of signature.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from hashlib import blake2b
from typing import NamedTuple

from adserver.catalog.model import PriceModel

_FORMAT = 2
_STEM = ">BBIIIqII"
_PACKED = struct.Struct(_STEM + "QQ")
_unpack = _PACKED.unpack_from
_PACKED_STEM, _PACKED_REST = struct.Struct(_STEM), struct.Struct(">QQ")
_MAC_BYTES = 14
TOKEN_CHARS = (_PACKED.size + _MAC_BYTES) * 4 // 3
_TO_URL = bytes.maketrans(b"+/", b"-_")
#: The standard alphabet's own two characters become ones that strict decoding refuses.
_FROM_URL = bytes.maketrans(b"-_+/", b"+/!!")
#: Price models by their codes, which are stored; never reorder them. 0: without a price.
MODELS: tuple[PriceModel | None, ...] = (None, *PriceModel)
MODEL_CODES = {model: code for code, model in enumerate(MODELS)}

#: A fill id is milliseconds since 1970 (41 bits), the number of the node (10) and a count within the ms (12).
_NODE_BITS, _COUNT_BITS = 10, 12
NODE_COUNT = 1 << _NODE_BITS
_AT_SHIFT = _NODE_BITS + _COUNT_BITS


class FillToken(NamedTuple):
    """What a token proves: which creative of which line item filled which slot, at what price, and when.

    `size` and `facts` are what its events are cut by in reports (`decision.facts`).
    """

    fill: int
    slot_id: int
    item_id: int
    creative_id: int
    model: PriceModel | None
    price_micros: int
    catalog_version: int
    size: int = 0
    facts: int = 0

    @property
    def at_ms(self) -> int:
        """When the fill was decided, in milliseconds since 1970."""
        return filled_ms(self.fill)


def filled_ms(fill: int) -> int:
    """The time, in milliseconds since 1970, with which a fill's id begins."""
    return fill >> _AT_SHIFT


#: A token's bytes before the fill id: the same for every fill of one slot with one creative.
Stem = bytes


def stem_of(token: FillToken) -> Stem:
    """All of a token but its fill id and facts, packed once for many fills."""
    return _PACKED_STEM.pack(
        _FORMAT,
        MODEL_CODES[token.model],
        token.slot_id,
        token.item_id,
        token.creative_id,
        token.price_micros,
        token.catalog_version,
        token.size,
    )


class FillIds:
    """Time-ordered 63-bit ids, unique among nodes with different numbers, even when the clock steps back."""

    def __init__(self, node: int) -> None:
        self.node = node % NODE_COUNT
        self._last = 0

    def next(self, at_ms: int) -> int:
        """A new id for a fill decided at a time; when a millisecond is used up, the next one's."""
        stamp = at_ms << _COUNT_BITS
        if stamp <= self._last:
            stamp = self._last + 1
        self._last = stamp
        at, count = stamp >> _COUNT_BITS, stamp & ((1 << _COUNT_BITS) - 1)
        return at << _AT_SHIFT | self.node << _COUNT_BITS | count

    def ahead_ms(self, now_ms: int) -> int:
        """How far the newest id is ahead of the clock: much, when that was set back. Negative: it is not."""
        return (self._last >> _COUNT_BITS) - now_ms


class TokenKey:
    """Signs and reads fill tokens with one secret of 16 to 64 bytes."""

    def __init__(self, secret: bytes) -> None:
        assert 16 <= len(secret) <= 64, (
            "BLAKE2b takes keys of up to 64 bytes, and less than 16 can be guessed"
        )
        self._keyed = blake2b(key=secret, digest_size=_MAC_BYTES, person=b"adserver-fill")

    def sign(self, stem: Stem, fill: int, facts: int) -> bytes:
        """The text of a token for one fill, ASCII and safe in a URL path."""
        packed = stem + _PACKED_REST.pack(fill, facts)
        return binascii.b2a_base64(packed + self._mac(packed), newline=False).translate(_TO_URL)

    def read(self, text: str) -> FillToken | None:
        """What a token proves, or None for anything that this key did not sign."""
        if len(text) != TOKEN_CHARS:
            return None
        try:
            signed = binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL), strict_mode=True)
        except ValueError:
            return None
        if not hmac.compare_digest(signed[_PACKED.size :], self._mac(signed[: _PACKED.size])):
            return None
        form, model, slot, item, creative, price_micros, version, size, fill, facts = _unpack(signed)
        if form != _FORMAT:
            return None
        values = (fill, slot, item, creative, MODELS[model], price_micros, version, size, facts)
        return tuple.__new__(FillToken, values)

    def _mac(self, packed: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(packed)
        return keyed.digest()
