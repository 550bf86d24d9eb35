"""A machine, busy or not → the same verdict: how long an example takes says nothing about what is right."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("any-machine", deadline=None)
settings.load_profile("any-machine")
