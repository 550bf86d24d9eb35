"""Sections of a GPP string about privacy in the United States → what the reader opted out of.

Sources: IAB Tech Lab, "US Privacy String" 1.0, and the sections of the Global Privacy Platform that follow
the Multi-State Privacy Agreement: the national one, in two versions, and those of single states. Their core
is a version and then fields of two bits: 0 for not applicable, 1 for yes or opted out, 2 for no.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from adserver.consent.bits import Bits, Unreadable

_USP = re.compile(r"1[YN-]([YN-])[YN-]")
_OPTED_OUT = 1
_GPC = 1


class UsChoice(NamedTuple):
    """What a reader said. `sharing` is part of the national section and California's only."""

    sale: bool = False
    sharing: bool = False
    targeted: bool = False
    """Of advertising that is targeted by what is known of the reader from elsewhere."""
    gpc: bool = False
    """Global Privacy Control, as the page found it when the string was made."""
    known_child: bool = False

    @property
    def opted_out(self) -> bool:
        """Whether anything in it forbids to store or to pass on; a child has not chosen, and cannot."""
        return any(self)


class Layout(NamedTuple):
    """Fields of two bits in a core: before the opt-outs, the opt-outs by name, and how many after them."""

    before: int
    opt_outs: tuple[str, ...]
    sensitive: int
    child: int
    after: int
    segments: bool = True
    """Whether further segments begin with their type. Those that do not are about sensitive facts only."""

    @property
    def fields(self) -> int:
        """How many there are in all."""
        return self.before + len(self.opt_outs) + self.sensitive + self.child + self.after


_ALL = ("sale", "sharing", "targeted")
_CALIFORNIA = ("sale", "sharing")
_STATE = ("sale", "targeted")
_LATEST = Layout(5, _STATE, 0, 1, 1, segments=False)

#: (section id, its version) → where the fields are.
LAYOUTS: Mapping[tuple[int, int], Layout] = {
    (7, 1): Layout(6, _ALL, 12, 2, 4),  # national
    (7, 2): Layout(6, _ALL, 16, 3, 4),
    (8, 1): Layout(3, _CALIFORNIA, 9, 2, 4),
    (9, 1): Layout(3, _STATE, 8, 1, 3),  # Virginia
    (10, 1): Layout(3, _STATE, 7, 1, 3),  # Colorado
    (11, 1): Layout(4, _STATE, 8, 1, 3),  # Utah
    (12, 1): Layout(3, _STATE, 8, 3, 3),  # Connecticut
    (13, 1): Layout(3, _STATE, 8, 3, 4),  # Florida
    (14, 1): Layout(3, _STATE, 8, 3, 4),  # Montana
    (15, 1): Layout(3, _STATE, 11, 3, 4),  # Oregon
    (16, 1): Layout(3, _STATE, 8, 1, 4),  # Texas
    (17, 1): Layout(3, _STATE, 9, 5, 4),  # Delaware
    (18, 1): Layout(4, _STATE, 8, 1, 3),  # Iowa
    (19, 1): Layout(3, _STATE, 8, 1, 4),  # Nebraska
    (20, 1): Layout(3, _STATE, 8, 3, 4),  # New Hampshire
    (21, 1): Layout(3, _STATE, 10, 5, 4),  # New Jersey
    (22, 1): Layout(3, _STATE, 8, 1, 4),  # Tennessee
    (23, 1): Layout(3, _STATE, 8, 1, 4),  # Minnesota
    (24, 1): Layout(5, _STATE, 0, 0, 1),  # Maryland
    (25, 1): _LATEST,  # Indiana
    (26, 1): _LATEST,  # Kentucky
    (27, 1): _LATEST,  # Rhode Island
}
SECTIONS = frozenset(section for section, _ in LAYOUTS)


def decode_usp(text: str) -> UsChoice:
    """A US Privacy string, "1YNN": version, notice given, opted out of sale, agreement. Raises Unreadable."""
    found = _USP.fullmatch(text)
    if not found:
        raise Unreadable("the US Privacy string is not four characters such as 1YNN")
    return UsChoice(sale=found[1] == "Y")


def decode_us(section: int, text: str) -> UsChoice:
    """A section of `SECTIONS`: its core, and in any order its further segments. Raises Unreadable."""
    core, *others = text.split(".", 2)
    where = f"section {section}"
    bits = Bits(core, where)
    version = bits.number(6)
    layout = LAYOUTS.get((section, version))
    if layout is None:
        raise Unreadable(f"{where} has the unknown version {version}")
    fields = bits.numbers((2,) * layout.fields)
    start = layout.before
    child = start + len(layout.opt_outs) + layout.sensitive
    chosen = dict(zip(layout.opt_outs, fields[start:], strict=False))
    if 3 in chosen.values():
        raise Unreadable(f"{where} has an opt-out that is neither yes nor no")
    if len(others) > 1:
        raise Unreadable(f"{where} has more than two segments")
    return UsChoice(
        **{name: value == _OPTED_OUT for name, value in chosen.items()},
        gpc=layout.segments and any(_gpc(other, where) for other in others),
        known_child=any(fields[child : child + layout.child]),
    )


def _gpc(text: str, where: str) -> bool:
    """The segment that says whether Global Privacy Control was on."""
    bits = Bits(text, where)
    kind, given = bits.numbers((2, 1))
    if kind != _GPC:
        raise Unreadable(f"{where} has a segment of type {kind}")
    return bool(given)
