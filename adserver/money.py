"""Decimal text ⇄ integer micros: money is counted in millionths of the site's currency, never in floats."""

from __future__ import annotations

import re

MICROS = 1_000_000
#: Highest amount accepted anywhere (one billion units), so that sums of a long log stay inside 64 bits.
MAX_MICROS = 10**9 * MICROS
_AMOUNT = re.compile(r"(-?)([0-9]{1,10})(?:\.([0-9]{1,20}))?")


def parse_micros(text: str) -> int:
    """Decimal text such as `"4.50"` → micros (4500000).

    Raises ValueError, with a sentence, for anything that is not a plain non-negative decimal of at most six
    places and at most one billion.
    """
    match = _AMOUNT.fullmatch(text)
    if not match:
        raise ValueError(f'{text[:40]!r} is not an amount such as "4.50"')
    sign, whole, part = match.groups(default="")
    if sign:
        raise ValueError(f"{text!r} is not an amount of zero or more")
    if len(part) > 6:
        raise ValueError(f"{text!r} has more than six decimal places")
    micros = int(whole) * MICROS + int(part.ljust(6, "0"))
    if micros > MAX_MICROS:
        raise ValueError(f"{text!r} is more than {MAX_MICROS // MICROS}")
    return micros


def format_micros(micros: int, places: int = 2) -> str:
    """Micros → decimal text with at least `places` decimals and no digit lost: 4500000 → `"4.50"`."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS)
    digits = f"{part:06d}".rstrip("0").ljust(places, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
