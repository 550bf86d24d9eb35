"""Decimal text ⇄ integer micros: money is counted in millionths of the site's currency, never in floats."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

MICROS = 1_000_000
#: Highest amount accepted anywhere (one billion units), so that sums of a long log stay inside 64 bits.
MAX_MICROS = 10**9 * MICROS


def parse_micros(text: str) -> int:
    """Decimal text such as `"4.50"` → micros (4500000).

    Raises ValueError, with a sentence, for anything that is not a plain non-negative decimal of at most six
    places and at most one billion.
    """
    if not text.isascii() or len(text) > 32:
        raise ValueError(f'{text!r} is not an amount such as "4.50"')
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f'{text!r} is not an amount such as "4.50"') from None
    if not amount.is_finite() or amount.is_signed():
        raise ValueError(f"{text!r} is not an amount of zero or more")
    if amount * MICROS > MAX_MICROS:
        raise ValueError(f"{text!r} is more than {MAX_MICROS // MICROS}")
    micros = amount * MICROS
    if micros != micros.to_integral_value():
        raise ValueError(f"{text!r} has more than six decimal places")
    return int(micros)


def format_micros(micros: int, places: int = 2) -> str:
    """Micros → decimal text with at least `places` decimals and no digit lost: 4500000 → `"4.50"`."""
    sign = "-" if micros < 0 else ""
    whole, part = divmod(abs(micros), MICROS)
    digits = f"{part:06d}".rstrip("0").ljust(places, "0")
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
