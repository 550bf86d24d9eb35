"""VAST documents → what the parser of a real player (npm `@dailymotion/vast-client`) makes of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.npm import npm_file

Json = dict[str, Any]
_SCRIPT = Path(__file__).parents[1] / "npm" / "vast.mjs"


def parsed(documents: Sequence[str]) -> list[Json]:
    """Its answer for each: `ads`, and `faults` of the XML itself."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not there")
    npm_file("@dailymotion/vast-client/dist/vast-client-node.js")
    done = subprocess.run(
        [node, _SCRIPT], input=json.dumps(documents), capture_output=True, text=True, check=True
    )
    found: list[Json] = json.loads(done.stdout)
    assert len(found) == len(documents)
    return found
