"""E-mail and password, cookie, bearer token or link → the principal that it proves, or the reason why not.

Secrets never reach the store: it has digests of tokens, and Argon2 hashes of passwords.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from adserver.accounts import credentials
from adserver.accounts.mail import Mail
from adserver.accounts.model import EVERY_SITE, Principal, Role, Scope
from adserver.accounts.throttle import Throttle
from adserver.clock import Clock, to_ms
from adserver.engines.account_store import AccountStore, SessionRow, TokenRow, UserRow
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}")
_SEEN_EVERY_MS = 60_000
_LOOK_EVERY_MS = 1000
_MOST_AGENT_CHARS = 200
#: What API tokens begin with, so that a leaked one is recognised by scanners for secrets.
TOKEN_PREFIX = "adsrv_"  # noqa: S105  (not a secret)


class Refusal(StrEnum):
    """Why somebody was not signed in. The same words for a wrong address and a wrong password."""

    WRONG = "wrong"
    CODE_NEEDED = "code_needed"
    WRONG_CODE = "wrong_code"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session: the text of its cookie, and whose it is."""

    token: str
    principal: Principal


class Accounts:
    """All that is asked about users. One for each worker; what is stored is shared."""

    def __init__(self, store: AccountStore, clock: Clock, settings: Settings) -> None:
        self.store = store
        self._clock = clock
        self._settings = settings
        window_ms = settings.sign_in_window_seconds * 1000
        self._by_account, self._by_address = (
            Throttle(most=most, window_ms=window_ms, max_keys=settings.max_sign_in_keys)
            for most in (settings.max_sign_in_failures, settings.max_sign_in_failures_per_address)
        )
        self._by_reset = Throttle(
            most=settings.max_reset_mails, window_ms=window_ms, max_keys=settings.max_sign_in_keys
        )
        self.mail = Mail(settings)
        self._any_users, self._looked_at_ms = False, 0
        #: Hashing takes 64 MiB each.
        self._hashing = asyncio.Semaphore(2)

    def _now_ms(self) -> int:
        return to_ms(self._clock())

    async def any_users(self) -> bool:
        """Whether somebody has an account; nobody's is believed for a second."""
        now_ms = self._now_ms()
        if not self._any_users and now_ms - self._looked_at_ms >= _LOOK_EVERY_MS:
            self._any_users, self._looked_at_ms = bool(await self.store.users()), now_ms
        return self._any_users

    async def add_user(
        self, email: str, name: str, role: str, sites: Iterable[str] = (), advertisers: Iterable[str] = ()
    ) -> tuple[UserRow, str]:
        """Store somebody new → their row, and the token of a link by which they set their password.

        Raises InvalidInput with all that is wrong.
        """
        email = email.strip().lower()
        given_sites, given_advertisers = tuple(sorted(set(sites))), tuple(sorted(set(advertisers)))
        faults = (
            [] if _EMAIL.fullmatch(email) else [Fault("", "email", f"{email!r} is not an e-mail address")]
        )
        faults += role_faults(role, given_sites, given_advertisers)
        if faults:
            raise InvalidInput(faults)
        row = UserRow(0, email, name.strip(), role, given_sites, given_advertisers, self._now_ms())
        added = await self.store.add_user(row)
        return added, await self.new_link(added.id)

    async def invite(
        self, email: str, name: str, role: str, sites: Iterable[str] = (), advertisers: Iterable[str] = ()
    ) -> tuple[UserRow, str | None]:
        """`add_user` → their row, and the address where they set their password; None: it went by mail."""
        row, token = await self.add_user(email, name, role, sites, advertisers)
        if not self.mail.is_there:
            return row, self.password_address(token)
        await self.send_link(row, invited=True)
        return row, None

    async def change_role(
        self, user_id: int, role: str, sites: Collection[str], advertisers: Collection[str]
    ) -> None:
        """Give somebody other rights; they hold from the next request on. Raises InvalidInput."""
        faults = role_faults(role, sites, advertisers)
        if faults:
            raise InvalidInput(faults)
        await self.store.change_user(
            user_id, role=role, sites=sorted(set(sites)), advertisers=sorted(set(advertisers))
        )

    async def disable(self, user_id: int) -> None:
        """End all that somebody can do: sessions at once, tokens and links by being disabled."""
        await self.store.change_user(user_id, disabled_at_ms=self._now_ms())
        await self.store.end_sessions(user_id)

    async def enable(self, user_id: int) -> None:
        """Let somebody sign in again."""
        await self.store.change_user(user_id, disabled_at_ms=None)

    async def sign_out_everywhere(self, user_id: int) -> None:
        """End all sessions of somebody; their API tokens hold on."""
        await self.store.end_sessions(user_id)

    def password_address(self, token: str) -> str:
        """Where somebody with a link sets their password."""
        return f"{self._settings.base_url}/console/password/{token}"

    async def new_link(self, user_id: int) -> str:
        """The token of a link by which somebody sets a password; the one before no longer works."""
        token = credentials.new_token()
        expires_at = self._clock() + timedelta(hours=self._settings.link_hours)
        await self.store.add_link(credentials.digest_of(token), user_id, to_ms(expires_at))
        return token

    async def send_link(self, user: UserRow, *, invited: bool = False) -> None:
        """Send somebody a link by which they set their password; there must be a mail server."""
        token = await self.new_link(user.id)
        address, hours = self.password_address(token), self._settings.link_hours
        why = (
            "You have an account with the ad server now."
            if invited
            else "Somebody, most likely you, asked for a new password. If it was not you, do nothing."
        )
        text = f"{why}\n\nSet your password here, once, within {hours} hours:\n\n{address}\n"
        self.mail.send(user.email, "Set your password", text)

    async def ask_for_link(self, email: str, address: str) -> None:
        """Send a link to whoever has an account under an e-mail address; says nothing of whether anybody has.

        Not more often than the settings allow, for an account and for the address that asks.
        """
        email, now_ms = email.strip().lower(), self._now_ms()
        if self._by_reset.wait_ms(email, now_ms) or self._by_address.wait_ms(address, now_ms):
            return
        self._by_reset.fail(email, now_ms)
        self._by_address.fail(address, now_ms)
        user = await self.store.user_of(email)
        if user is not None and user.disabled_at_ms is None and self.mail.is_there:
            await self.send_link(user)

    async def link(self, token: str) -> UserRow | None:
        """Who may set a password by a link; None: it is over, used, or none."""
        user = await self.store.link(credentials.digest_of(token), self._now_ms())
        return user if user and user.disabled_at_ms is None else None

    async def set_password(self, token: str, password: str) -> UserRow | None:
        """Set a password by a link, once; sessions end. Raises InvalidInput; None: the link is no good."""
        user = await self.link(token)
        if user is None:
            return None
        faults = credentials.password_faults(password, user.email)
        if faults:
            raise InvalidInput(faults)
        hashed = await self._in_thread(password)
        self._by_account.forgive(user.email)
        return await self.store.set_password(credentials.digest_of(token), self._now_ms(), hashed)

    async def sign_in(
        self, email: str, password: str, code: str, *, address: str, agent: str
    ) -> SignedIn | Refusal:
        """A new session, with a new id. `code` is that of the second factor, empty for none."""
        email, now_ms = email.strip().lower(), self._now_ms()
        if self._by_account.wait_ms(email, now_ms) or self._by_address.wait_ms(address, now_ms):
            return Refusal.TOO_MANY
        # Counted before it is known, so that attempts side by side do not slip through.
        self._by_account.fail(email, now_ms)
        self._by_address.fail(address, now_ms)
        user = await self.store.user_of(email)
        stored = user.password_hash if user else None
        async with self._hashing:
            right = await asyncio.to_thread(credentials.password_is_right, stored, password)
        if user is None or not right or user.disabled_at_ms is not None:
            return Refusal.WRONG
        if user.totp_secret is not None:
            if not code:
                return Refusal.CODE_NEEDED
            step = credentials.totp_step(user.totp_secret, code.replace(" ", ""), self._clock())
            if step is None or not await self.store.use_step(user.id, step):
                return Refusal.WRONG_CODE
        self._by_account.forgive(email)
        self._by_address.forgive(address)
        token = credentials.new_token()
        session = SessionRow(credentials.digest_of(token), user.id, now_ms, now_ms, agent[:_MOST_AGENT_CHARS])
        await self.store.add_session(session)
        await self.store.forget(now_ms - self._idle_ms, now_ms)
        return SignedIn(token, principal_of(user))

    @property
    def _idle_ms(self) -> int:
        return self._settings.session_idle_hours * 3_600_000

    async def by_session(self, token: str) -> Principal | None:
        """Whose session a cookie names, if it still holds."""
        found = await self.store.session(credentials.digest_of(token))
        if found is None:
            return None
        session, user = found
        now_ms = self._now_ms()
        over = now_ms - session.created_at_ms > self._settings.session_days * 86_400_000
        if over or now_ms - session.seen_at_ms > self._idle_ms or user.disabled_at_ms is not None:
            return None
        if now_ms - session.seen_at_ms > _SEEN_EVERY_MS:
            await self.store.see_session(session.digest, now_ms)
        return principal_of(user)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        digest = credentials.digest_of(token)
        found = await self.store.session(digest)
        if found:
            await self.store.end_sessions(found[1].id, digest=digest)

    async def new_token(
        self, user_id: int, name: str, scopes: Collection[str], days: int, by: Principal | None = None
    ) -> tuple[TokenRow, str]:
        """An API token of somebody, shown this once → its row and text. Raises InvalidInput.

        `by`: who asks for it. What a token asks for may no more than itself, and ends with it at the latest.
        """
        faults = [
            Fault("", "scopes", f"{one!r} is not one of {', '.join(Scope)}")
            for one in sorted(set(scopes) - set(Scope))
        ]
        faults += [
            Fault("", "scopes", f"{one!r} is beyond those of the token that asks")
            for one in sorted(set(scopes) & set(Scope))
            if by is not None and not by.may(Scope(one))
        ]
        faults += [] if scopes else [Fault("", "scopes", f"give one or more of {', '.join(Scope)}")]
        faults += [] if name.strip() else [Fault("", "name", "is missing: what the token is for")]
        most = self._settings.max_token_days
        faults += [] if 1 <= days <= most else [Fault("", "days", f"{days} is not from 1 to {most}")]
        if faults:
            raise InvalidInput(faults)
        token = credentials.new_token(TOKEN_PREFIX)
        now_ms = self._now_ms()
        until_ms = now_ms + days * 86_400_000
        if by is not None and by.until_ms is not None:
            until_ms = min(until_ms, by.until_ms)
        words = " ".join(sorted(set(scopes)))
        row = TokenRow(0, credentials.digest_of(token), user_id, name.strip(), words, now_ms, until_ms)
        return await self.store.add_token(row), token

    async def by_bearer(self, token: str) -> Principal | None:
        """Whose API token it is, narrowed to its scopes, if it still holds."""
        if not token.startswith(TOKEN_PREFIX):
            return None
        found = await self.store.token(credentials.digest_of(token))
        if found is None:
            return None
        row, user = found
        if row.expires_at_ms <= self._now_ms() or user.disabled_at_ms is not None:
            return None
        scopes = frozenset(Scope(word) for word in row.scopes.split())
        return principal_of(user, scopes, row.expires_at_ms)

    async def begin_totp(self, user_id: int, secret: str, code: str) -> bool:
        """Turn the second factor on, once a code of it was right."""
        step = credentials.totp_step(secret, code.replace(" ", ""), self._clock())
        if step is None:
            return False
        await self.store.change_user(user_id, totp_secret=secret, totp_step=step)
        return True

    async def end_totp(self, user_id: int) -> None:
        """Turn the second factor off."""
        await self.store.change_user(user_id, totp_secret=None, totp_step=0)

    async def _in_thread(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(credentials.hash_password, password)


def principal_of(
    user: UserRow, scopes: frozenset[Scope] | None = None, until_ms: int | None = None
) -> Principal:
    """A stored user as the one who asks, by a token with these scopes until then."""
    return Principal(
        user.id,
        user.email,
        user.name or user.email,
        Role(user.role),
        frozenset(user.sites),
        frozenset(user.advertisers),
        scopes,
        until_ms,
    )


def role_faults(role: str, sites: Collection[str], advertisers: Collection[str]) -> list[Fault]:
    """What is wrong with a role and what it is given for."""
    if role not in set(Role):
        return [Fault("", "role", f"{role!r} is not one of {', '.join(Role)}")]
    faults = []
    if role in (Role.AD_OPS, Role.PUBLISHER) and not sites:
        faults.append(Fault("", "sites", f"role {role} needs the sites that it is for"))
    if role in (Role.ADMIN, Role.ADVERTISER) and sites:
        faults.append(Fault("", "sites", f"role {role} has none"))
    if EVERY_SITE in sites and role != Role.AD_OPS:
        faults.append(Fault("", "sites", f'"{EVERY_SITE}" is for role {Role.AD_OPS} only'))
    if role == Role.ADVERTISER and not advertisers:
        faults.append(Fault("", "advertisers", f"role {role} needs the advertisers that it is for"))
    if role != Role.ADVERTISER and advertisers:
        faults.append(Fault("", "advertisers", f"role {role} has none"))
    return faults
