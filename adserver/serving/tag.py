"""The catalog's slot sizes → the text of `tag.js` as it is served, and its ETag.

The sizes travel inside the script, so that a bare `<div data-ad-slot="…">` gets its space before any answer:
a layout that shifts when the answer comes would cost the page its readers' place, and its Core Web Vitals.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b
from importlib.resources import files

#: Comments that have their lines to themselves: a third of the weight, for readers of the source only.
_WHOLE_LINE_COMMENTS = re.compile(r"^ *(?://.*|/\*(?:(?!\*/)[\s\S])*\*/)\n", re.MULTILINE)
#: Where the part of the tag stands that has a file of its own.
_PREBID = re.compile(r"^ *// -+ Header bidding: prebid\.js .*\n", re.MULTILINE)
_PLACEHOLDER = "const CATALOG_SIZES = {};"
#: Characters that are legal in JSON and yet end a script element, or a line of JavaScript before ES2019.
_ESCAPES = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})


def tag_source(sizes: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """Site → slot → sizes such as "970x250" → `tag.js` with them, in UTF-8. Equal input, equal bytes."""
    plain = {site: {slot: list(names) for slot, names in slots.items()} for site, slots in sizes.items()}
    text = json.dumps(plain, separators=(",", ":"), sort_keys=True).translate(_ESCAPES)
    return _template().replace(_PLACEHOLDER, f"const CATALOG_SIZES = {text};").encode()


def tag_etag(source: bytes) -> str:
    """A strong ETag (RFC 9110, 8.8.3) of a served text, quotes included."""
    return f'"{blake2b(source, digest_size=12).hexdigest()}"'


@cache
def _template() -> str:
    static = files("adserver.serving").joinpath("static")
    text, prebid = (static.joinpath(name).read_text(encoding="utf-8") for name in ("tag.js", "prebid.js"))
    text, count = _PREBID.subn(lambda _: prebid, text)
    assert count == 1, "tag.js must have exactly one place for prebid.js"
    assert text.count(_PLACEHOLDER) == 1, "tag.js must have exactly one place for the catalog's sizes"
    return _WHOLE_LINE_COMMENTS.sub("", text)
