"""Fields → consent strings, as a consent tool writes them; the opposite of what is tested."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

_DICT = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#: 2026-06-01 in tenths of a second since 1970: after the day from which TCF 2.3 holds.
JUNE_2026 = 17_802_720_000
#: 2025-06-01.
JUNE_2025 = 17_487_360_000
#: Google Advertising Products, on the Global Vendor List.
GOOGLE = 755

Ranges = Sequence[tuple[int, int]]


def number(value: int, width: int) -> str:
    """A number as so many bits."""
    assert 0 <= value < 1 << width, f"{value} does not fit into {width} bits"
    return f"{value:0{width}b}"


def ids(held: Collection[int], size: int) -> str:
    """A set as bits, the first for 1."""
    return "".join("1" if place in held else "0" for place in range(1, size + 1))


def base64url(bits: str) -> str:
    """Bits as text, filled up with zeros."""
    bits += "0" * (-len(bits) % 6)
    return "".join(_DICT[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6))


def vendors_by_bits(held: Collection[int]) -> str:
    """A set of vendors, a bit for each up to the largest."""
    size = max(held, default=0)
    return number(size, 16) + "0" + ids(held, size)


def ranges(entries: Ranges) -> str:
    """Ranges of vendors; of one where both ends are the same."""
    written = [
        "0" + number(start, 16) if start == end else "1" + number(start, 16) + number(end, 16)
        for start, end in entries
    ]
    return number(len(entries), 12) + "".join(written)


def vendors_by_ranges(entries: Ranges) -> str:
    """A set of vendors as ranges."""
    return number(max((end for _, end in entries), default=0), 16) + "1" + ranges(entries)


def tcf(
    *,
    consents: Collection[int] = (),
    interests: Collection[int] = (),
    vendors: str = vendors_by_bits(()),
    vendor_interests: str = vendors_by_bits(()),
    restrictions: Iterable[tuple[int, int, Ranges]] = (),
    disclosed: str | None = None,
    publisher: Collection[int] | None = None,
    created: int = JUNE_2025,
    version: int = 2,
) -> str:
    """A string of TCF 2; vendors are those of `vendors_by_…`, restrictions (purpose, kind, vendors)."""
    dates = number(created, 36) * 2
    head = number(version, 6) + dates + number(31, 12) + number(1, 12) + number(0, 6) + number(3, 6) * 2
    flags = number(120, 12) + number(5, 6) + "1" + "0" + ids((), 12)
    written = [number(purpose, 6) + number(kind, 2) + ranges(held) for purpose, kind, held in restrictions]
    core = head + flags + ids(consents, 24) + ids(interests, 24) + "0" + number(3, 6) * 2
    segments = [core + vendors + vendor_interests + number(len(written), 12) + "".join(written)]
    if disclosed is not None:
        segments.append(number(1, 3) + disclosed)
    if publisher is not None:
        segments.append(number(3, 3) + ids(publisher, 24) + ids((), 24) + number(0, 6))
    return ".".join(map(base64url, segments))


def fibonacci(value: int) -> str:
    """A number from 1 on in Fibonacci coding."""
    terms = [1, 2]
    while terms[-1] <= value:
        terms.append(terms[-1] + terms[-2])
    code = ""
    for term in reversed(terms):
        taken = value >= term
        value -= term * taken
        code = ("1" if taken else "0") + code
    return code.rstrip("0") + "1"


def gpp(sections: dict[int, str]) -> str:
    """A GPP string with these sections, each id on its own."""
    offsets = [number - before for before, number in zip((0, *sections), sections, strict=False)]
    entries = "".join("0" + fibonacci(offset) for offset in offsets)
    header = number(3, 6) + number(1, 6) + number(len(sections), 12) + entries
    return "~".join([base64url(header), *sections.values()])


def us_national(
    sale: int = 0, sharing: int = 0, targeted: int = 0, *, child: int = 0, gpc: int | None = None
) -> str:
    """Section 7 in version 2: opt-outs are 0 (not applicable), 1 (opted out) or 2 (not)."""
    opt_outs = "".join(number(value, 2) for value in (sale, sharing, targeted))
    core = number(2, 6) + "01" * 6 + opt_outs + "00" * 16 + number(child, 2) * 3 + "00" + "01" + "00" * 2
    segments = [base64url(core)] + ([] if gpc is None else [base64url(number(1, 2) + number(gpc, 1))])
    return ".".join(segments)


def canada(*, express: Collection[int] = (), implied: Collection[int] = ()) -> str:
    """Section 5 in version 1, without vendors."""
    dates = number(JUNE_2026, 36) * 2
    head = number(1, 6) + dates + number(31, 12) + number(1, 12) + number(0, 6) + number(3, 6) * 2
    flags = number(120, 12) + number(5, 6) + "0" + ids((), 12)
    core = head + flags + ids(express, 24) + ids(implied, 24) + vendors_by_bits(()) * 2 + number(0, 12)
    return base64url(core)
