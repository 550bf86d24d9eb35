"""Where something stands in a catalog's plain tables → the key by which a person finds it in the file.

`("advertiser", 0, "campaign", 1, "price")` says nothing to somebody who wrote no numbers; names do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from adserver.errors import Fault

#: Keys and list positions from the top of the file.
Loc = tuple[str | int, ...]
#: Something wrong, and where.
Finding = tuple[Loc, str]

BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def readable(tables: Any, loc: Loc) -> str:
    """`advertiser.himal-bank.campaign.savings.start`; `site[2]` where a name is missing or not its own."""
    text, here = "", tables
    for step in loc:
        if isinstance(step, int):
            name = _own_name(here, step)
            text += f"[{step}]" if name is None else f".{_quoted(name)}"
        else:
            text += f".{_quoted(step)}" if text else _quoted(step)
        here = _inside(here, step)
    return text


def in_file_order(tables: Any, findings: list[Finding]) -> list[Finding]:
    """Findings sorted by where they stand; what is missing comes after what is there."""
    return sorted(findings, key=lambda finding: list(_places(tables, finding[0])))


def to_faults(tables: Any, findings: list[Finding], file: str) -> list[Fault]:
    """Findings → faults in the order of the file, none twice."""
    ordered = in_file_order(tables, findings)
    return list(dict.fromkeys(Fault(file, readable(tables, loc), problem) for loc, problem in ordered))


def _own_name(siblings: Any, index: int) -> str | None:
    """The name of an element, when it is a name and none of its siblings has it too."""
    if not isinstance(siblings, Sequence) or isinstance(siblings, str):
        return None
    names = [part.get("name") if isinstance(part, Mapping) else None for part in siblings]
    name = names[index] if index < len(names) else None
    usable = isinstance(name, str) and _NAME.fullmatch(name) and names.count(name) == 1
    return name if usable else None


def _quoted(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def _inside(here: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return here.get(step) if isinstance(here, Mapping) else None
    if isinstance(here, Sequence) and not isinstance(here, str) and step < len(here):
        return here[step]
    return None


def _places(tables: Any, loc: Loc) -> Iterator[int]:
    here = tables
    for step in loc:
        if isinstance(step, int):
            yield step
        else:
            keys = list(here) if isinstance(here, Mapping) else []
            yield keys.index(step) if step in keys else len(keys)
        here = _inside(here, step)
