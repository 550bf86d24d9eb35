"""Users, sessions, API tokens and links ⇄ SQL. Secrets come here as digests only.

Rows are what is stored; what they allow is decided in `adserver.accounts`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from adserver.engines.migrate import migrate_engine
from adserver.engines.sql import create_engine, reading, writing
from adserver.errors import InvalidInput

METADATA = sa.MetaData()
USER = sa.Table(
    "account_user",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("email", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("sites", sa.Text, nullable=False),
    sa.Column("advertisers", sa.Text, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("disabled_at_ms", sa.BigInteger),
    sa.Column("password_hash", sa.Text),
    sa.Column("totp_secret", sa.Text),
    sa.Column("totp_step", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
SESSION = sa.Table(
    "account_session",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
    sa.Column("agent", sa.Text, nullable=False),
)
TOKEN = sa.Table(
    "account_token",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)
LINK = sa.Table(
    "account_link",
    METADATA,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
)

SHARE = sa.Table(
    "account_share",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("user_id", sa.Integer, nullable=False),
    *(
        sa.Column(name, sa.Text, nullable=False)
        for name in ("site", "advertiser", "campaign", "period", "first", "last")
    ),
    sa.Column("created_at_ms", sa.BigInteger, nullable=False),
    sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    sqlite_autoincrement=True,
)


@dataclass(frozen=True, slots=True)
class UserRow:
    """One person. `disabled_at_ms` None: may sign in; `password_hash` None: has not set one yet."""

    id: int
    email: str
    name: str
    role: str
    sites: Sequence[str]
    advertisers: Sequence[str]
    created_at_ms: int
    disabled_at_ms: int | None = None
    password_hash: str | None = None
    totp_secret: str | None = None
    totp_step: int = 0
    """The last 30 s step whose code was used: each is good for once."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One browser that is signed in, and what it calls itself in a few words."""

    digest: str
    user_id: int
    created_at_ms: int
    seen_at_ms: int
    agent: str


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One API token, by its digest; `scopes` are words separated by spaces."""

    id: int
    digest: str
    user_id: int
    name: str
    scopes: str
    created_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class ShareRow:
    """One link to a report, by its digest, and what it shows; `user_id` 0: nobody's account."""

    id: int
    digest: str
    user_id: int
    site: str
    advertiser: str
    campaign: str
    period: str
    first: str
    last: str
    created_at_ms: int
    expires_at_ms: int


class AccountStore:
    """Accounts in one database. Safe for any number of processes."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, url: str) -> AccountStore:
        """The store of a database that is there, or will be; whoever says so migrates it."""
        return cls(create_engine(url))

    @classmethod
    async def open(cls, url: str) -> AccountStore:
        """Connect and migrate. Raises AdserverError when newer code has migrated it."""
        engine = create_engine(url)
        try:
            await migrate_engine(engine, "accounts")
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine)

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    @property
    def engine(self) -> AsyncEngine:
        """Its connections, for what is kept beside the accounts."""
        return self._engine

    async def users(self) -> list[UserRow]:
        """Everybody, by e-mail address."""
        async with reading(self._engine) as connection:
            rows = await connection.execute(sa.select(USER).order_by(USER.c.email))
            return [_user(dict(row)) for row in rows.mappings()]

    async def user(self, user_id: int) -> UserRow | None:
        """One person by id."""
        return await self._one_user(USER.c.id == user_id)

    async def user_of(self, email: str) -> UserRow | None:
        """One person by e-mail address."""
        return await self._one_user(USER.c.email == email)

    async def add_user(self, row: UserRow) -> UserRow:
        """Store somebody new; `id` is given anew. Raises InvalidInput when the address is taken."""
        async with writing(self._engine) as connection:
            if await connection.scalar(sa.select(USER.c.id).where(USER.c.email == row.email)):
                raise InvalidInput.one("", "email", f"{row.email} has an account already")
            columns = {name: value for name, value in _columns(row).items() if name != "id"}
            await connection.execute(sa.insert(USER), columns)
            found = await _row_of(connection, USER, USER.c.email == row.email)
        assert found, "a user that was just added is there"
        return _user(found)

    async def change_user(self, user_id: int, **columns: Any) -> None:
        """Set some columns of one person, by the names of `UserRow`."""
        for name in {"sites", "advertisers"} & columns.keys():
            columns[name] = json.dumps(list(columns[name]))
        async with writing(self._engine) as connection:
            await connection.execute(sa.update(USER).where(USER.c.id == user_id).values(**columns))

    async def use_step(self, user_id: int, step: int) -> bool:
        """Note that a second factor's step was used; False when it, or a later one, was used before."""
        unused = sa.and_(USER.c.id == user_id, USER.c.totp_step < step)
        async with writing(self._engine) as connection:
            changed = await connection.execute(sa.update(USER).where(unused).values(totp_step=step))
            return bool(changed.rowcount)

    async def add_session(self, row: SessionRow) -> None:
        """Store a new session."""
        columns = {name: getattr(row, name) for name in row.__slots__}
        async with writing(self._engine) as connection:
            await connection.execute(sa.insert(SESSION), columns)

    async def session(self, digest: str) -> tuple[SessionRow, UserRow] | None:
        """A session and whose it is."""
        async with reading(self._engine) as connection:
            row = await _row_of(connection, SESSION, SESSION.c.digest == digest)
            user = await _row_of(connection, USER, USER.c.id == row["user_id"]) if row else None
        return (SessionRow(**row), _user(user)) if row and user else None

    async def sessions_of(self, user_id: int) -> list[SessionRow]:
        """Where somebody is signed in, the last used first."""
        query = sa.select(SESSION).where(SESSION.c.user_id == user_id).order_by(SESSION.c.seen_at_ms.desc())
        async with reading(self._engine) as connection:
            return [SessionRow(**row) for row in (await connection.execute(query)).mappings()]

    async def see_session(self, digest: str, at_ms: int) -> None:
        """Note when a session was last used."""
        seen = sa.update(SESSION).where(SESSION.c.digest == digest).values(seen_at_ms=at_ms)
        async with writing(self._engine) as connection:
            await connection.execute(seen)

    async def end_sessions(self, user_id: int, *, digest: str | None = None, but: str | None = None) -> None:
        """End one session of somebody (`digest`), all, or all `but` one."""
        which = [SESSION.c.user_id == user_id]
        which += [SESSION.c.digest == digest] if digest is not None else []
        which += [SESSION.c.digest != but] if but is not None else []
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(SESSION).where(*which))

    async def add_token(self, row: TokenRow) -> TokenRow:
        """Store a new API token; `id` is given anew."""
        columns = {name: getattr(row, name) for name in row.__slots__ if name != "id"}
        async with writing(self._engine) as connection:
            await connection.execute(sa.insert(TOKEN), columns)
            added = await _row_of(connection, TOKEN, TOKEN.c.digest == row.digest)
        assert added, "a token that was just added is there"
        return TokenRow(**added)

    async def token(self, digest: str) -> tuple[TokenRow, UserRow] | None:
        """An API token and whose it is."""
        async with reading(self._engine) as connection:
            row = await _row_of(connection, TOKEN, TOKEN.c.digest == digest)
            user = await _row_of(connection, USER, USER.c.id == row["user_id"]) if row else None
        return (TokenRow(**row), _user(user)) if row and user else None

    async def tokens_of(self, user_id: int) -> list[TokenRow]:
        """Somebody's API tokens, the newest first."""
        query = sa.select(TOKEN).where(TOKEN.c.user_id == user_id).order_by(TOKEN.c.id.desc())
        async with reading(self._engine) as connection:
            return [TokenRow(**row) for row in (await connection.execute(query)).mappings()]

    async def remove_token(self, user_id: int, token_id: int) -> bool:
        """Revoke an API token of somebody; False when there is none."""
        which = sa.and_(TOKEN.c.user_id == user_id, TOKEN.c.id == token_id)
        async with writing(self._engine) as connection:
            return bool((await connection.execute(sa.delete(TOKEN).where(which))).rowcount)

    async def add_link(self, digest: str, user_id: int, expires_at_ms: int) -> None:
        """Store the one link by which somebody may set a password; earlier ones no longer work."""
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(LINK).where(LINK.c.user_id == user_id))
            row = {"digest": digest, "user_id": user_id, "expires_at_ms": expires_at_ms}
            await connection.execute(sa.insert(LINK), row)

    async def link(self, digest: str, at_ms: int) -> UserRow | None:
        """Who may set a password by a link now."""
        which = sa.and_(LINK.c.digest == digest, LINK.c.expires_at_ms > at_ms)
        async with reading(self._engine) as connection:
            row = await _row_of(connection, LINK, which)
            user = await _row_of(connection, USER, USER.c.id == row["user_id"]) if row else None
        return _user(user) if user else None

    async def set_password(self, digest: str, at_ms: int, password_hash: str) -> UserRow | None:
        """Use a link up: set the password and end all sessions, in one transaction; None: it is no good."""
        which = sa.and_(LINK.c.digest == digest, LINK.c.expires_at_ms > at_ms)
        async with writing(self._engine) as connection:
            row = await _row_of(connection, LINK, which)
            if row is None:
                return None
            user_id = row["user_id"]
            await connection.execute(sa.delete(LINK).where(LINK.c.user_id == user_id))
            await connection.execute(sa.delete(SESSION).where(SESSION.c.user_id == user_id))
            own = sa.update(USER).where(USER.c.id == user_id)
            await connection.execute(own.values(password_hash=password_hash))
            user = await _row_of(connection, USER, USER.c.id == user_id)
        return _user(user) if user else None

    async def add_share(self, row: ShareRow) -> None:
        """Store a new link to a report; `id` is given anew."""
        columns = {name: getattr(row, name) for name in row.__slots__ if name != "id"}
        async with writing(self._engine) as connection:
            await connection.execute(sa.insert(SHARE), columns)

    async def share(self, digest: str, at_ms: int) -> ShareRow | None:
        """A link that is not over."""
        which = sa.and_(SHARE.c.digest == digest, SHARE.c.expires_at_ms > at_ms)
        async with reading(self._engine) as connection:
            row = await _row_of(connection, SHARE, which)
        return ShareRow(**row) if row else None

    async def share_by_id(self, share_id: int) -> ShareRow | None:
        """A link, over or not."""
        async with reading(self._engine) as connection:
            row = await _row_of(connection, SHARE, SHARE.c.id == share_id)
        return ShareRow(**row) if row else None

    async def shares_of(self, advertiser: str, at_ms: int) -> list[ShareRow]:
        """Links to an advertiser's reports that are not over, the newest first."""
        which = sa.and_(SHARE.c.advertiser == advertiser, SHARE.c.expires_at_ms > at_ms)
        query = sa.select(SHARE).where(which).order_by(SHARE.c.id.desc())
        async with reading(self._engine) as connection:
            return [ShareRow(**row) for row in (await connection.execute(query)).mappings()]

    async def remove_share(self, share_id: int) -> None:
        """Revoke a link."""
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(SHARE).where(SHARE.c.id == share_id))

    async def forget(self, before_ms: int, now_ms: int) -> None:
        """Remove sessions not used since `before_ms`, and links and tokens that are over."""
        async with writing(self._engine) as connection:
            await connection.execute(sa.delete(SESSION).where(SESSION.c.seen_at_ms < before_ms))
            await connection.execute(sa.delete(LINK).where(LINK.c.expires_at_ms <= now_ms))
            await connection.execute(sa.delete(TOKEN).where(TOKEN.c.expires_at_ms <= now_ms))
            await connection.execute(sa.delete(SHARE).where(SHARE.c.expires_at_ms <= now_ms))

    async def _one_user(self, which: sa.ColumnElement[bool]) -> UserRow | None:
        async with reading(self._engine) as connection:
            row = await _row_of(connection, USER, which)
        return _user(row) if row else None


async def _row_of(
    connection: AsyncConnection, table: sa.Table, which: sa.ColumnElement[bool]
) -> Mapping[str, Any] | None:
    found = (await connection.execute(sa.select(table).where(which))).mappings().first()
    return dict(found) if found else None


def _user(row: Mapping[str, Any]) -> UserRow:
    lists = {name: tuple(json.loads(row[name])) for name in ("sites", "advertisers")}
    return UserRow(**{**row, **lists})


def _columns(row: UserRow) -> dict[str, Any]:
    columns = {name: getattr(row, name) for name in row.__slots__}
    return columns | {name: json.dumps(list(columns[name])) for name in ("sites", "advertisers")}
