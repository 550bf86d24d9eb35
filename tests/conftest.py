"""A machine, busy or not → the same verdict: how long an example takes says nothing about what is right."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests often wait, for servers and for clocks."""
    return (os.cpu_count() or 1) + 1
