"""A server's key and fills → fresh fill tokens, as many as a benchmark of events needs."""

from __future__ import annotations

import json
import socket
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from http.client import HTTPResponse
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from adserver.clock import system_clock, to_ms
from adserver.engines.sqlite_log import SqliteLog
from adserver.measurement.token import FillIds, TokenKey, stem_of
from tests.benchmarks.servers import Server


class Mint:
    """Signs tokens with the key in a server's file, for the slots and creatives of its own tokens."""

    def __init__(self, db: Path, samples: Sequence[str]) -> None:
        with closing(SqliteLog(db)) as log:
            self._key, self._ids = TokenKey(log.secret()), FillIds(log.node_number())
        self._samples = [token for text in samples if (token := self._key.read(text))]
        assert self._samples, "the server fills nothing, so there is nothing to report"

    def tokens(self, count: int) -> list[str]:
        """So many, each of a fill of its own that was made now."""
        now_ms = to_ms(system_clock())
        alike = cycle([(stem_of(sample), sample.facts) for sample in self._samples])
        ids = (self._ids.next(now_ms) for _ in range(count))
        fills = zip(ids, alike, strict=False)
        return [self._key.sign(stem, fill, facts).decode() for fill, (stem, facts) in fills]


def filled_tokens(server: Server, pages: Sequence[bytes]) -> list[str]:
    """Tokens of all fills that a server answers to these requests."""
    answers = [_answer(server, page) for page in pages]
    return [fill["fill"] for answer in answers for fill in json.loads(answer)["fills"] if "fill" in fill]


def _answer(server: Server, request: bytes) -> bytes:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=10) as connection:
        connection.sendall(request)
        response = HTTPResponse(connection)
        response.begin()
        assert response.status == 200, f"a fill was answered {response.status}"
        return response.read()


def event_count(db: Path) -> int:
    """Rows of the log that are on disk."""
    with closing(sqlite3.connect(db)) as connection:
        count: int = connection.execute("SELECT count(*) FROM event").fetchone()[0]
    return count
