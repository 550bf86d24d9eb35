"""Catalog file (TOML) ⇄ `Catalog`.

Reading reports every fault of a file at once, at keys made of the names in it, so that one go mends it.
Writing gives a file that means the same, as a person would lay it out.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from adserver.catalog.check import cross_findings
from adserver.catalog.faults import validation_findings
from adserver.catalog.flight import resolve_flights, site_zones, write_flight
from adserver.catalog.keys import BARE_KEY, to_faults
from adserver.catalog.model import Catalog
from adserver.errors import Fault, InvalidInput

#: Largest catalog file that is read, in bytes.
MAX_BYTES = 200_000_000
#: Lists of tables that are written as `[[…]]` blocks; all else is written within its block's lines.
_BLOCKS = ("site", "slot", "advertiser", "campaign", "line_item", "creative")
_LINE_CHARS = 100
#: Texts that stand for themselves between quotes.
_PLAIN = re.compile(r"[ !#-\[\]-~]*")


def load(path: Path) -> Catalog:
    """Read a catalog file. Raises InvalidInput with every fault in it."""
    file = str(path)
    try:
        if path.is_dir():
            raise _refused(file, "", "is a directory, not a catalog file")
        if path.stat().st_size > MAX_BYTES:
            raise _refused(file, "", f"is larger than {MAX_BYTES // 1_000_000} MB")
        content = path.read_bytes()
    except FileNotFoundError:
        raise _refused(file, "", "there is no such file") from None
    except OSError as error:
        raise _refused(file, "", f"cannot be read: {error.strerror}") from None
    try:
        # Some editors begin a file with a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _refused(file, f"line {line}", "is not UTF-8 text") from None
    return parse(text, file)


def parse(text: str, file: str) -> Catalog:
    """Read the text of a catalog file, called `file` in faults. Raises InvalidInput with every fault."""
    tables = _tables(text, file)
    findings = resolve_flights(tables)
    known = {loc for loc, _ in findings}
    catalog = None
    try:
        catalog = Catalog.model_validate(tables, by_alias=True, by_name=False)
    except ValidationError as error:
        findings += [finding for finding in validation_findings(error) if finding[0] not in known]
    findings += cross_findings(tables)
    if findings:
        raise InvalidInput(to_faults(tables, findings, file))
    assert catalog is not None, "a catalog without findings was validated"
    return catalog


def dump(catalog: Catalog) -> str:
    """Write a catalog as the text of a file: `parse(dump(catalog), …) == catalog`. Defaults are left out."""
    zones = site_zones({"site": [{"name": site.name, "timezone": site.timezone} for site in catalog.site]})
    tables = catalog.model_dump(by_alias=True, exclude_defaults=True)
    for advertiser in tables.get("advertiser", ()):
        for campaign in advertiser.get("campaign", ()):
            for item in campaign.get("line_item", ()):
                write_flight(item, zones)
    return "\n".join(_written(tables, "")).lstrip("\n") + "\n"


def _refused(file: str, key: str, problem: str) -> InvalidInput:
    return InvalidInput([Fault(file, key, problem)])


def _tables(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _refused(file, "", "is nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).rpartition(" (at ")
        line = re.match(r"line (\d+)", place)
        key = f"line {line[1] if line else text.count(chr(10)) + 1}"
        # tomllib shows dotted keys as Python tuples.
        problem = re.sub(r"\(('.*)\)", lambda keys: ".".join(re.findall(r"'(.*?)'", keys[1])), problem)
        raise _refused(file, key, f"is not TOML: {problem[:1].lower()}{problem[1:]}") from None
    except ValueError:
        raise _refused(file, "", "has a number with too many digits") from None


def _written(table: Mapping[str, Any], prefix: str) -> Iterator[str]:
    """The lines of a table, then those of the tables in it that are too long for a line or stand in lists."""
    blocks: list[tuple[str, Mapping[str, Any]]] = []
    for key, value in table.items():
        line, path = f"{_key(key)} = {_inline(value)}", f"{prefix}{_key(key)}"
        if key in _BLOCKS and isinstance(value[0], Mapping):
            blocks += [(f"[[{path}]]", part) for part in value]
        elif len(line) <= _LINE_CHARS or isinstance(value, str):
            yield line
        elif isinstance(value, Mapping):
            blocks.append((f"[{path}]", value))
        else:
            yield "\n".join([f"{_key(key)} = [", *(f"    {_inline(element)}," for element in value), "]"])
    for header, part in blocks:
        yield f"\n{header}"
        yield from _written(part, f"{header.strip('[]')}.")


def _inline(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_inline(part)}" for key, part in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and _PLAIN.fullmatch(value):
        return f'"{value}"'
    # Carriage returns would not survive a multi-line text.
    in_lines = isinstance(value, str) and "\r" not in value
    return tomli_w.dumps({"_": value}, multiline_strings=in_lines).removeprefix("_ = ").removesuffix("\n")


def _key(key: str) -> str:
    return key if BARE_KEY.fullmatch(key) else tomli_w.dumps({key: 0}).removesuffix(" = 0\n")
