"""Texts that try to break out of what shows them: real ones when they are at hand, and some of our own."""

from __future__ import annotations

import json
from pathlib import Path

MATERIAL = Path(__file__).parents[3] / "shared" / "material" / "payloads.ndjson"
OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><svg onload=alert(1)>",
    "{{ 7 * 7 }}",
    '=HYPERLINK("https://x.example","y")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    'a"b,c\r\nd',
    "%{customdata[0]}<br><b>x",
)


def payloads() -> list[str]:
    """Our own payloads, and those of the shared material where it is there."""
    if not MATERIAL.exists():
        return list(OWN)
    with MATERIAL.open(encoding="utf-8") as lines:
        return [*OWN, *(json.loads(line)["payload"] for line in lines)]
