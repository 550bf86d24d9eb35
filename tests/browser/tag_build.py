"""The modules of the tag → `tag.min.js`, which is committed, so that serving it needs no minifier.

`make tag` runs it after a change; a test says when that was forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

import minify  # type: ignore[import-untyped]

import adserver.serving

STATIC = Path(adserver.serving.__file__).parent / "static"
BUILT = STATIC / "tag.min.js"
#: In this order their top levels run.
MODULES = (
    *("page", "slots", "theme", "report", "view", "tally", "consent", "facts", "prebid"),
    *("network", "label", "draw", "ask", "start"),
)
#: Joined, the modules are one scope: what one exports, the others see, so that no name stands in two.
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const|let|function)", re.MULTILINE)


def joined() -> str:
    """All modules as one script that leaves no name behind and throws nothing, readable."""
    texts = [(STATIC / "tag" / f"{name}.js").read_text(encoding="utf-8") for name in MODULES]
    body = "\n".join(_EXPORT.sub("", _IMPORT.sub("", text)) for text in texts)
    return f'(() => {{\n"use strict";\ntry {{\n{body}\n}} catch {{}}\n}})();\n'


def built() -> str:
    """The script as it is served, but for the catalog's sizes."""
    text: str = minify.string("text/javascript", joined())
    return text + "\n"


if __name__ == "__main__":
    BUILT.write_text(built(), encoding="utf-8")
    print(f"{BUILT}: {BUILT.stat().st_size} bytes")
