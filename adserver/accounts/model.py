"""Who somebody is and what they were given → a `Principal`: the one who asks."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What somebody does here."""

    ADMIN = "admin"
    """Everything, users included."""
    AD_OPS = "ad_ops"
    """Sites and what is sold on them: all sites, or those named."""
    PUBLISHER = "publisher"
    """Reads the reports of the sites named."""
    ADVERTISER = "advertiser"
    """Reads the campaigns of the advertisers named and their reports, and approves proofs."""


class Scope(StrEnum):
    """What an API token may be used for, within what its owner may do."""

    READ = "read"
    """Catalog and explanations."""
    WRITE = "write"
    """Changes of the catalog; includes `read`."""
    REPORTS = "reports"
    USERS = "users"
    """Who has an account and what is theirs, of administrators: enough to let anybody in."""


#: Stands for all sites, those to come too; of ad ops only.
EVERY_SITE = "*"


@dataclass(frozen=True, slots=True)
class Principal:
    """Somebody who is signed in, or a program with somebody's token."""

    user_id: int
    email: str
    name: str
    role: Role
    sites: frozenset[str] = frozenset()
    advertisers: frozenset[str] = frozenset()
    scopes: frozenset[Scope] | None = None
    """None: signed in by password, and so not narrowed."""
    until_ms: int | None = None
    """When the token ends; None where there is none."""

    @property
    def everywhere(self) -> bool:
        """Whether all sites and advertisers are theirs to see and change."""
        return self.role is Role.ADMIN or (self.role is Role.AD_OPS and EVERY_SITE in self.sites)

    @property
    def edits(self) -> bool:
        """Whether any of the catalog is theirs to change at all."""
        return self.role in (Role.ADMIN, Role.AD_OPS)

    def may(self, scope: Scope) -> bool:
        """Whether a token is good for a scope at all; what of it is theirs is asked elsewhere."""
        if self.scopes is None:
            return True
        return scope in self.scopes or (scope is Scope.READ and Scope.WRITE in self.scopes)


#: Whoever sits at the server's own machine while nobody has an account: the file is theirs anyway.
THIS_MACHINE = Principal(0, "", "this machine", Role.ADMIN)
