"""Names of sections ⇄ codes in events: bounded in number, the same on every worker and after every restart.

A code is a hash of its name, so nobody has to hand out numbers. Its name is written down when it is first
given out, with the next commit and so before any event that has it. Pages may call their sections whatever
they like; of too many names, those that are asked for most often are told apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b

from adserver.clock import Clock, to_ms
from adserver.decision.facts import FIRST_SECTION, NO_SECTION, OTHER_SECTION, SECTION
from adserver.engines.sqlite_cuts import SECTION_STATE
from adserver.measurement.log import EventLog

#: The states in which they are kept.
SECTIONS = f"{SECTION_STATE}*"
#: A longer name, in characters, is not told apart.
_LONGEST = 200
#: Once half of the places are taken, a name must be asked for so often among so many requests for new names.
_OFTEN, _AMONG = 20, 10_000


def code_of(name: str) -> int:
    """The code of a section's name."""
    digest = blake2b(name.encode(), digest_size=8, person=b"adserver-section").digest()
    return FIRST_SECTION + int.from_bytes(digest, "big") % (SECTION.mask + 1 - FIRST_SECTION)


class Sections:
    """The sections that are told apart."""

    def __init__(self, states: Mapping[str, bytes], most: int, log: EventLog, clock: Clock) -> None:
        """`states`: what was kept of them; `most`: so many are told apart, further names are not."""
        self._names = {int(name[len(SECTION_STATE) :]): value.decode() for name, value in states.items()}
        self._codes = {name: code for code, name in self._names.items()}
        self._most = most
        self._log = log
        self._clock = clock
        self._asked: Counter[str] = Counter()
        self._asked_count = 0

    def code(self, name: str | None, *, learn: bool = True) -> int:
        """Under which code a page of a section counts. `learn`: a new name may get a code of its own."""
        if not name:
            return NO_SECTION
        code = self._codes.get(name)
        if code is None:
            return self._meet(name) if learn else OTHER_SECTION
        return code

    def _meet(self, name: str) -> int:
        taken = len(self._codes)
        if taken >= self._most or len(name) > _LONGEST:
            return OTHER_SECTION
        if 2 * taken >= self._most and not self._is_asked_often(name):
            return OTHER_SECTION
        code = code_of(name)
        if code in self._names:  # two names with one hash, which hardly ever happens: the first one has it
            return OTHER_SECTION
        self._codes[name], self._names[code] = code, name
        self._log.save_state(f"{SECTION_STATE}{code}", name.encode(), to_ms(self._clock()))
        return code

    def _is_asked_often(self, name: str) -> bool:
        if self._asked_count >= _AMONG:
            self._asked.clear()
            self._asked_count = 0
        self._asked_count += 1
        self._asked[name] += 1
        return self._asked[name] >= _OFTEN
