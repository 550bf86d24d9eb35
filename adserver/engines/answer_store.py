"""Answers of the management API ⇄ SQL, by who asked and with which key."""

from __future__ import annotations

import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from adserver.engines.sql import reading, writing

METADATA = sa.MetaData()
ANSWER = sa.Table(
    "api_answer",
    METADATA,
    sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("headers", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A request that was made with a key; `status` None: it is not answered, or was cut off."""

    fingerprint: str
    status: int | None
    headers: dict[str, str]
    body: bytes


class AnswerStore:
    """Kept answers in the database of accounts. Safe for any number of processes."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine` is that of an `AccountStore`, which has made the table."""
        self._engine = engine

    async def begin(
        self, user_id: int, key: str, fingerprint: str, at_ms: int, forget_before_ms: int
    ) -> Kept | None:
        """Note that a request with a key begins; what was made with it before, if it was not forgotten."""
        own = sa.and_(ANSWER.c.user_id == user_id, ANSWER.c.key == key)
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(ANSWER).where(ANSWER.c.at_ms < forget_before_ms))
            row = (await connection.execute(sa.select(ANSWER).where(own))).first()
            if row is not None:
                return Kept(row.fingerprint, row.status, json.loads(row.headers), row.body)
            begun = {"user_id": user_id, "key": key, "fingerprint": fingerprint, "at_ms": at_ms}
            await connection.execute(sa.insert(ANSWER), {**begun, "headers": "{}", "body": b""})
        return None

    async def keep(self, user_id: int, key: str, status: int, headers: dict[str, str], body: bytes) -> None:
        """Keep what was answered."""
        own = sa.and_(ANSWER.c.user_id == user_id, ANSWER.c.key == key)
        answered = {"status": status, "headers": json.dumps(headers), "body": body}
        async with writing(self._engine) as connection:
            await connection.execute(sa.update(ANSWER).where(own).values(**answered))

    async def forget(self, user_id: int, key: str) -> None:
        """As if the key had not been used: nothing was done with it."""
        own = sa.and_(ANSWER.c.user_id == user_id, ANSWER.c.key == key)
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(ANSWER).where(own))

    async def count(self) -> int:
        """How many are kept."""
        async with reading(self._engine) as connection:
            return await connection.scalar(sa.select(sa.func.count()).select_from(ANSWER)) or 0
