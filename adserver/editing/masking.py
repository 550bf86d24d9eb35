"""Faults of a whole catalog → the same without the names of what somebody may not see.

What one tenant changes may leave another's line item without its slot. That is refused, and the other stays
unnamed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Sequence

from adserver.accounts.model import Principal
from adserver.accounts.ownership import visible_entries
from adserver.catalog.plan import Path
from adserver.engines.catalog_store import State
from adserver.errors import Fault

_ROOT = re.compile(r'^(advertiser|site)(?:\.("(?:[^"\\]|\\.)*"|[A-Za-z0-9_-]+)|\[)')
_UNSEEN = "something that is not yours to see depends on it"


def masked(principal: Principal, state: State, faults: Sequence[Fault]) -> list[Fault]:
    """`state`: the catalog as it is, which says what is theirs."""
    if principal.everywhere:
        return list(faults)
    seen = visible_entries(principal, state.entries)
    hidden = {path[-1] for path in state.entries if path not in seen} - {path[-1] for path in seen}
    shown = []
    for fault in faults:
        found = _ROOT.match(fault.key)
        foreign = found is not None and _is_foreign(found[1], found[2], state, seen)
        names = any(f"{name!r}" in fault.problem for name in hidden)
        shown.append(Fault("", "", _UNSEEN) if foreign or names else fault)
    return list(dict.fromkeys(shown))


def _is_foreign(kind: str, quoted: str | None, state: State, seen: Container[Path]) -> bool:
    """Whether a fault stands in a site or advertiser that is there and not theirs."""
    if quoted is None:
        return True
    name = json.loads(quoted) if quoted.startswith('"') else quoted
    return (kind, name) in state.entries and (kind, name) not in seen
