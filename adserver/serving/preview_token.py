"""A creative and a time ⇄ a signed token of 32 characters, by which a preview of it is opened until then."""

from __future__ import annotations

import binascii
import hmac
import struct
from hashlib import blake2b
from typing import NamedTuple

_PACKED = struct.Struct(">IQ")
_MAC_BYTES = 12
_CHARS = (_PACKED.size + _MAC_BYTES) * 4 // 3
_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_+/", b"+/!!")


class Preview(NamedTuple):
    """What an address opens: a creative, by id, until a time in seconds since 1970."""

    creative_id: int
    until: int


class PreviewKey:
    """Signs and reads the tokens in the addresses, with the secret that signs fills and a mark of its own."""

    def __init__(self, secret: bytes) -> None:
        self._keyed = blake2b(key=secret, digest_size=_MAC_BYTES, person=b"adserver-look")

    def sign(self, preview: Preview) -> str:
        """The token."""
        packed = _PACKED.pack(*preview)
        return binascii.b2a_base64(packed + self._mac(packed), newline=False).translate(_TO_URL).decode()

    def read(self, text: str) -> Preview | None:
        """What a token opens; None for what this key did not sign."""
        if len(text) != _CHARS or not text.isascii():
            return None
        try:
            signed = binascii.a2b_base64(text.encode().translate(_FROM_URL), strict_mode=True)
        except binascii.Error:
            return None
        packed = signed[: _PACKED.size]
        whole = hmac.compare_digest(signed[_PACKED.size :], self._mac(packed))
        return Preview(*_PACKED.unpack(packed)) if whole else None

    def _mac(self, packed: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(packed)
        return keyed.digest()
