"""Who may sell a site's space → lines of `ads.txt`, and the entry of `sellers.json`, as the catalog has them.

Sources: IAB Tech Lab, "ads.txt" 1.1, section 3.4; "sellers.json" 1.0, section "Object: Seller".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from adserver.catalog.fields import Domain, Flag, Text
from adserver.catalog.part import Part

#: Most lines of one file, and the longest of them in characters.
MAX_LINES, MAX_LINE_CHARS = 5_000, 500
RELATIONS = ("DIRECT", "RESELLER")
VARIABLES = ("CONTACT", "SUBDOMAIN", "INVENTORYPARTNERDOMAIN", "OWNERDOMAIN", "MANAGERDOMAIN")
_DOMAIN = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+", re.IGNORECASE)
_FIELD = re.compile(r"[^\s,;#]{1,200}")
_VARIABLE = re.compile(r"([A-Za-z]+)\s*=\s*([^#]*?)\s*(?:#.*)?")


def ads_txt_line(text: str) -> str:
    """One line of `ads.txt`, without spaces around it: a record, a variable or a comment.

    Raises ValueError with a sentence for what a crawler would not understand.
    """
    line = text.strip()
    if not line:
        raise ValueError("is empty")
    if len(line) > MAX_LINE_CHARS:
        raise ValueError(f"is longer than {MAX_LINE_CHARS} characters")
    if not line.isprintable():
        raise ValueError(f"{line[:40]!r} has a character that cannot be printed")
    if line.startswith("#"):
        return line
    variable = _VARIABLE.fullmatch(line)
    if variable:
        if variable[1].upper() not in VARIABLES:
            raise ValueError(f"{variable[1][:40]!r} is not one of the variables {', '.join(VARIABLES)}")
        if not variable[2]:
            raise ValueError(f"{variable[1]} has no value")
        return line
    _check_record(line.partition("#")[0].partition(";")[0])
    return line


def _check_record(text: str) -> None:
    fields = [field.strip() for field in text.split(",")]
    if len(fields) not in (3, 4):
        raise ValueError(
            f'{text[:60]!r} is not a record such as "google.com, pub-1, DIRECT, f08c47fec0942fa0"'
        )
    if not _DOMAIN.fullmatch(fields[0]):
        raise ValueError(f"{fields[0][:40]!r} is not the domain of an advertising system")
    if not _FIELD.fullmatch(fields[1]):
        raise ValueError(f"{fields[1][:40]!r} is not an account id")
    if fields[2].upper() not in RELATIONS:
        raise ValueError(f"{fields[2][:40]!r} is neither DIRECT nor RESELLER")
    if len(fields) == 4 and not _FIELD.fullmatch(fields[3]):
        raise ValueError(f"{fields[3][:40]!r} is not the id of a certification authority")


def record_of(line: str) -> tuple[str, str, str] | None:
    """What a line authorises, as (domain, account id, relation) to compare; None for any other line."""
    fields = [field.strip() for field in line.partition("#")[0].partition(";")[0].split(",")]
    return (fields[0].lower(), fields[1], fields[2].upper()) if len(fields) >= 3 else None


AdsTxtLine = Annotated[str, AfterValidator(ads_txt_line)]
AdsTxt = Annotated[tuple[AdsTxtLine, ...], Field(max_length=MAX_LINES)]


class Seller(Part):
    """Who is paid for a site's space, by the id that bid requests name it by: without one the site's name.

    With `confidential` neither name nor domain are published.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._!|-]{1,64}$")] | None = None
    name: Text | None = None
    domain: Domain | None = None
    type: Literal["publisher", "intermediary", "both"] = "publisher"
    confidential: Flag = False

    @classmethod
    def missing_or_extra(cls, given: Mapping[str, Any]) -> Iterator[str]:
        """A seller that is not confidential is known by its name and domain."""
        if given.get("confidential") is not True:
            missing = [key for key in ("name", "domain") if given.get(key) is None]
            if missing:
                yield f"needs {' and '.join(missing)}, or confidential = true"
