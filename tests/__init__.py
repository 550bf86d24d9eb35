"""Tests mirror the code; run by `make test`."""
