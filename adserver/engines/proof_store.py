"""Proofs ⇄ SQL: links by which advertisers answer for creatives, by their digest, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from adserver.engines.sql import reading, writing

METADATA = sa.MetaData()
PROOF = sa.Table(
    "proof",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("author", sa.Text, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
ANSWER = sa.Table(
    "proof_answer",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("proof_id", sa.Integer, nullable=False),
    sa.Column("creative", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("comment", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("at_ms", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class ProofRow:
    """One link; `path` is that of a line item or campaign: `line_item/savings-top`."""

    id: int
    digest: str
    path: str
    author: str
    created_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """What somebody with a link said of one version of a creative; `name` is how they call themselves."""

    id: int
    proof_id: int
    creative: str
    version: int
    verdict: str
    comment: str
    name: str
    at_ms: int


class ProofStore:
    """Proofs in the database of accounts. Safe for any number of processes."""

    def __init__(self, engine: AsyncEngine) -> None:
        """`engine` is that of an `AccountStore`, which has made the tables."""
        self._engine = engine

    async def add(self, row: ProofRow) -> int:
        """Store a new link → its id; `id` of the row is given anew."""
        columns = {name: value for name, value in asdict(row).items() if name != "id"}
        async with writing(self._engine) as connection:
            added = await connection.scalar(sa.insert(PROOF).values(columns).returning(PROOF.c.id))
        assert added, "a link that was just stored has a number"
        return int(added)

    async def by_digest(self, digest: str, now_ms: int) -> ProofRow | None:
        """A link that holds; None: it is over, revoked, or none."""
        holds = sa.and_(PROOF.c.digest == digest, PROOF.c.expires_at_ms > now_ms)
        async with reading(self._engine) as connection:
            row = (await connection.execute(sa.select(PROOF).where(holds))).first()
        return ProofRow(*row) if row else None

    async def of(self, paths: Sequence[str], now_ms: int) -> list[ProofRow]:
        """The links of some objects that hold, the newest first."""
        holds = sa.and_(PROOF.c.path.in_(paths), PROOF.c.expires_at_ms > now_ms)
        async with reading(self._engine) as connection:
            rows = await connection.execute(sa.select(PROOF).where(holds).order_by(PROOF.c.id.desc()))
            return [ProofRow(*row) for row in rows]

    async def one(self, proof_id: int) -> ProofRow | None:
        """A link by its number, also one that is over."""
        async with reading(self._engine) as connection:
            row = (await connection.execute(sa.select(PROOF).where(PROOF.c.id == proof_id))).first()
        return ProofRow(*row) if row else None

    async def revoke(self, proof_id: int, now_ms: int) -> None:
        """End a link at once; what was answered stays."""
        ended = sa.update(PROOF).where(PROOF.c.id == proof_id).values(expires_at_ms=now_ms)
        async with writing(self._engine) as connection:
            await connection.execute(ended)

    async def answer(self, row: AnswerRow, most: int) -> bool:
        """Store an answer; False: this link has given as many as it may."""
        columns = {name: value for name, value in asdict(row).items() if name != "id"}
        own = sa.select(sa.func.count()).select_from(ANSWER).where(ANSWER.c.proof_id == row.proof_id)
        async with writing(self._engine) as connection:
            if (await connection.scalar(own) or 0) >= most:
                return False
            await connection.execute(sa.insert(ANSWER), columns)
        return True

    async def answers(self, creatives: Sequence[str], most: int) -> list[AnswerRow]:
        """What was said of some creatives, the newest first."""
        query = sa.select(ANSWER).where(ANSWER.c.creative.in_(creatives)).order_by(ANSWER.c.id.desc())
        async with reading(self._engine) as connection:
            return [AnswerRow(*row) for row in await connection.execute(query.limit(most))]
