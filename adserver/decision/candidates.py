"""Index, page facts and slot → the line items eligible there, ranked, and remembered for like pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from math import inf
from typing import NamedTuple

import numpy as np

from adserver.catalog.fields import VIDEO
from adserver.catalog.model import Tier
from adserver.decision import bitmap
from adserver.decision.arrays import Floats, Ints
from adserver.decision.auction import AuctionAsk
from adserver.decision.context import Ask, Choice, Fill, NoFill, PictureAsk, Reason
from adserver.decision.index import Contender, Index, IndexedSlot, PageKey
from adserver.decision.sponsors import Voices
from adserver.decision.standing import RESTING, Standing

#: So many of the best are ranked at first; the rest only for a page on which none of them is free.
_TOP = 24


class Ranking(NamedTuple):
    """Line items from best to worst by one snapshot of scores."""

    standing: int
    """Number of the snapshot."""
    scores: Sequence[float]
    """One for each contender, and minus infinity after the last."""
    contenders: Sequence[Contender]
    whole: bool
    """Whether it names every line item that may serve."""


_NO_RANKING = Ranking(-1, (-inf,), (), True)


class Drawing(NamedTuple):
    """A line item's fills of one slot, one per creative that fits, and the running sums of their weights."""

    fills: Sequence[Fill]
    edges: Sequence[float]


@dataclass(slots=True, eq=False)
class Candidates:
    """The line items eligible for one slot of pages with the same facts, and how often pages asked for it."""

    slot: IndexedSlot
    sizes: tuple[str, ...]
    theme: str | None
    pictures: bool
    """Whether only images can be shown."""
    passing: int
    """Who passes targeting, dates, hours and sizes; floors and sensitive topics apart."""
    eligible: int
    shares: Mapping[int, float]
    """Of voice, of each sponsor by position."""
    together: Sequence[int]
    """Roadblocks, by position."""
    voices: Voices | None = None
    """The sponsors that share the slot, if there are any; filled in by the decider."""
    ranking: Ranking = _NO_RANKING
    asked_count: int = 0
    """Requests since the last tick, and among them those without consent to store."""
    unstored_count: int = 0
    drawings: dict[int, Drawing] = field(default_factory=dict)
    paced: Ints | None = None
    """Rows of the pacing's own tables; filled in by it."""

    def nothing(self, reason: Reason) -> NoFill:
        """The slot stays empty."""
        return NoFill(self.slot.slot.name, self.slot.id, reason)


class Passing(NamedTuple):
    """What holds for all slots of pages with the same facts, as bitmaps of line items."""

    passing: int
    """Who passes targeting, dates, hours and consent; sites and slots apart."""
    kept_away: int
    """Whom the page's sensitive topics keep away."""
    theme: str | None


def passing_of(index: Index, key: PageKey, live: int) -> Passing:
    """Look at a page's facts; `live`: bitmap of the line items in flight and within their hours."""
    passing = index.targets.passing(key.target) & live & index.consented_to(key)
    return Passing(passing, index.sensitive_to(key), key.theme)


def find(index: Index, slot: IndexedSlot, page: Passing, ask: Ask) -> Candidates:
    """The candidates of one slot of a page."""
    sizes = offered_sizes(slot, ask)
    fitting = 0
    for size in sizes:
        fitting |= slot.fitting[size, page.theme]
    passing = fitting & page.passing
    if isinstance(ask, AuctionAsk):
        passing &= index.auctions.able(ask)
    pictures = isinstance(ask, PictureAsk)
    if isinstance(ask, PictureAsk):
        passing &= _with_picture(index, passing, ask, sizes, page.theme)
    eligible = passing & slot.paying & ~page.kept_away
    alone = ids(eligible & index.tiers[Tier.SPONSORSHIP] & ~index.together)
    shares = {position: index.items[position].share or 0.0 for position in alone}
    return Candidates(
        slot=slot,
        sizes=sizes,
        theme=page.theme,
        pictures=pictures,
        passing=passing,
        eligible=eligible,
        shares=shares,
        together=ids(eligible & index.together),
    )


def _with_picture(
    index: Index, passing: int, ask: PictureAsk, sizes: tuple[str, ...], theme: str | None
) -> int:
    """Bitmap of those that have an image to show."""
    able = [
        position
        for position in ids(passing)
        if index.item_ids[position] not in ask.without
        and any(_fits(choice, sizes, theme, pictures=True) for choice in index.choices[position])
    ]
    return bitmap.of_positions(able, len(index.items))


def _fits(choice: Choice, sizes: tuple[str, ...], theme: str | None, *, pictures: bool) -> bool:
    creative = choice.creative
    if pictures and creative.kind != "image":
        return False
    return creative.size in sizes and creative.theme in (None, theme)


def ids(bits: int) -> list[int]:
    """Positions in a bitmap, as plain integers."""
    return bitmap.positions_in(bits).tolist() if bits else []


def rank(
    index: Index, candidates: Candidates, standing: Standing, used_up: bytearray, *, whole: bool = False
) -> Ranking:
    """Rank by a snapshot of scores those that are not served by other rules: sponsors and roadblocks."""
    bits = candidates.eligible & index.competing
    if not bits:
        return Ranking(standing.number, (-inf,), (), True)
    positions = bitmap.positions_in(bits)
    scores = standing.scores(candidates.slot)[positions]
    # Who has no room now has none until the next snapshot, most likely.
    able = (np.frombuffer(used_up, dtype=np.uint8)[positions] == 0) & (scores > RESTING)
    positions, scores = positions[able], scores[able]
    if not whole and len(positions) > _TOP:
        best = _best(scores, standing.jitter[positions], _TOP)
        positions, scores = positions[best], scores[best]
    else:
        whole = True
    order = np.argsort(-scores, kind="stable")
    contenders = index.contenders
    return Ranking(
        standing.number,
        [*scores[order].tolist(), -inf],
        [contenders[position] for position in positions[order].tolist()],
        whole,
    )


def _best(scores: Floats, jitter: Floats, count: int) -> Ints:
    """Where the highest scores are; which of equal ones at the end of the list, chance says."""
    least = -np.partition(-scores, count - 1)[count - 1]
    above, tied = np.flatnonzero(scores > least), np.flatnonzero(scores == least)
    chosen = tied[np.argsort(jitter[tied])[: count - len(above)]]
    return np.concatenate([above, chosen])


def drawing_of(index: Index, candidates: Candidates, position: int) -> Drawing:
    """The fills by which a line item may be drawn in a slot."""
    drawing = candidates.drawings.get(position)
    if drawing is None:
        slot = candidates.slot
        fitting = [
            choice
            for choice in index.choices[position]
            if _fits(choice, candidates.sizes, candidates.theme, pictures=candidates.pictures)
        ]
        drawing = candidates.drawings[position] = Drawing(
            tuple(Fill(slot.slot.name, slot.id, slot.slot.label, choice) for choice in fitting),
            tuple(accumulate(float(choice.creative.weight) for choice in fitting)),
        )
    return drawing


def offered_sizes(slot: IndexedSlot, ask: Ask) -> tuple[str, ...]:
    """The slot's sizes that the page can show, in the slot's order; of video only where it asks for that."""
    sizes = slot.slot.sizes
    if ask.sizes is not None:
        sizes = tuple(size for size in sizes if size in ask.sizes)
    else:
        sizes = tuple(size for size in sizes if size != VIDEO)
    if ask.width is not None:
        width = ask.width
        sizes = tuple(size for size in sizes if size == VIDEO or int(size.partition("x")[0]) <= width)
    return sizes
