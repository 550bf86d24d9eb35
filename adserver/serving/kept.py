"""What a browser keeps and sends with each page ⇄ its two parts: what caps need, and what tells reach."""

from __future__ import annotations

from typing import NamedTuple

from adserver.decision.frequency import Frequencies, parts_of, whole_of
from adserver.decision.tally import Tally
from adserver.serving.parts import Parts


class Kept(NamedTuple):
    """Both parts; `seen` is None where reach is not told."""

    tally: Tally
    seen: Frequencies | None


def read_kept(parts: Parts, text: str, now_s: int) -> Kept:
    """Empty parts for what is none of ours."""
    caps, frequencies = parts_of(text)
    seen = Frequencies(frequencies) if parts.settings.max_reach_subjects else None
    return Kept(parts.tally_key.read(caps, now_s), seen)


def kept_text(parts: Parts, kept: Kept | None, subjects: list[int], now_s: int) -> bytes:
    """What the browser is to keep from now on, as JSON: empty where nothing may be kept, or there is nothing.

    `subjects`: of caps, for each time that they were shown on this page.
    """
    if kept is None:
        return b'""'
    tally, seen = kept
    if subjects:
        tally.add(subjects, now_s)
    if tally.changed:
        caps = parts.tally_key.write(tally, parts.live.index.caps, now_s)
    else:
        caps = tally.text.encode()
    if seen is None:
        return b'"%b"' % caps
    settings = parts.settings
    # Caps come first: what they promise is kept whatever becomes of reach.
    room = settings.max_tally_chars - len(caps) - 1
    return b'"%b"' % whole_of(caps, seen.text(settings.max_reach_subjects, room))
