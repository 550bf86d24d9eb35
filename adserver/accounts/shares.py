"""A report of an advertiser's, locked → a link that anyone who has it may open, until it ends or is revoked.

A link shows no more than whoever made it may read themselves, now: it ends with their rights. Of its secret
only a digest is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from adserver.accounts import credentials
from adserver.accounts.accounts import principal_of
from adserver.accounts.model import THIS_MACHINE, Principal, Role
from adserver.accounts.ownership import report_scope
from adserver.clock import Clock, from_ms, to_ms
from adserver.engines.account_store import AccountStore, ShareRow
from adserver.errors import InvalidInput
from adserver.settings import Settings


@dataclass(frozen=True, slots=True)
class Locked:
    """What a link shows and nothing else. `campaign` empty: all; `period` empty: `first` to `last`."""

    site: str
    advertiser: str
    campaign: str
    period: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Share:
    """A link that is good, without its secret."""

    id: int
    locked: Locked
    made_by: str
    created_at: datetime
    expires_at: datetime


class Shares:
    """All links to reports."""

    def __init__(self, store: AccountStore, clock: Clock, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self.most_days = settings.max_share_days

    async def make(self, principal: Principal, locked: Locked, days: str) -> str:
        """A new link → its secret, which is told only now. Raises InvalidInput."""
        if not (days.isascii() and days.isdigit() and 1 <= int(days[:6]) <= self.most_days):
            raise InvalidInput.one("", "days", f"{days[:40]!r} is not a number from 1 to {self.most_days}")
        token, now = credentials.new_token(), self._clock()
        await self._store.add_share(
            ShareRow(
                0,
                credentials.digest_of(token),
                principal.user_id,
                **{name: getattr(locked, name) for name in Locked.__slots__},
                created_at_ms=to_ms(now),
                expires_at_ms=to_ms(now + timedelta(days=int(days))),
            )
        )
        return token

    async def open(self, token: str) -> tuple[Locked, Principal] | None:
        """What a link shows, and as whom; None when it is unknown, over, revoked or not theirs."""
        row = await self._store.share(credentials.digest_of(token), to_ms(self._clock()))
        maker = await self._maker(row) if row else None
        if row is None or maker is None:
            return None
        scope = report_scope(maker)
        if not (scope.holds_site(row.site) and scope.holds_advertiser(row.advertiser)):
            return None
        return _locked(row), maker

    async def of(self, principal: Principal, advertiser: str) -> list[Share]:
        """The links to an advertiser's reports that somebody may revoke, the newest first."""
        rows = await self._store.shares_of(advertiser, to_ms(self._clock()))
        names = {user.id: user.name or user.email for user in await self._store.users()}
        return [
            Share(
                row.id,
                _locked(row),
                names.get(row.user_id, THIS_MACHINE.name),
                from_ms(row.created_at_ms),
                from_ms(row.expires_at_ms),
            )
            for row in rows
            if _may_revoke(principal, row)
        ]

    async def revoke(self, principal: Principal, share_id: int) -> bool:
        """End a link; False when there is none that is theirs to end."""
        row = await self._store.share_by_id(share_id)
        if row is None or not _may_revoke(principal, row):
            return False
        await self._store.remove_share(share_id)
        return True

    async def _maker(self, row: ShareRow) -> Principal | None:
        """Who made a link, with the rights of now; this machine's while nobody had an account."""
        if row.user_id == THIS_MACHINE.user_id:
            return THIS_MACHINE
        user = await self._store.user(row.user_id)
        return principal_of(user) if user and user.disabled_at_ms is None else None


def _may_revoke(principal: Principal, row: ShareRow) -> bool:
    return principal.role is Role.ADMIN or principal.user_id == row.user_id


def _locked(row: ShareRow) -> Locked:
    return Locked(row.site, row.advertiser, row.campaign, row.period, row.first, row.last)
