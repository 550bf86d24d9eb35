"""Name of a file in an npm package → where `make test` put it; tests are skipped where there is none.

Versions and hashes are in `package-lock.json`. The packages are for the tests alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

_MODULES = Path(__file__).parent / "node_modules"


def npm_file(path: str) -> Path:
    """Such as "prebid.js/dist/not-for-prod/prebid.js"."""
    found = _MODULES / path
    if not found.is_file():
        pytest.skip(f"{path} is not there: `make npm` fetches it, with node and network")
    return found
