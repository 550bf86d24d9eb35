"""An administrator → the pages of users: who there is, inviting, rights, disabling, new password links."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import EVERY_SITE, Principal, Role, Scope
from adserver.clock import from_ms
from adserver.console.forms import Form, form_of, one
from adserver.console.pages import by_key, message, only, page
from adserver.console.words import when
from adserver.engines.account_store import UserRow
from adserver.engines.catalog_store import Stored
from adserver.errors import Fault, InvalidInput
from adserver.settings import Settings
from adserver.web.door import principal_of

#: Role → its name, and what it is for, in a sentence.
_ROLES = {
    Role.ADMIN: ("Administrator", "Sees and changes everything, users included."),
    Role.AD_OPS: ("Ad ops", "Sees and changes what is sold on the sites chosen."),
    Role.PUBLISHER: ("Publisher", "Reads the reports of the sites chosen."),
    Role.ADVERTISER: ("Advertiser", "Reads the campaigns of the advertisers chosen and their numbers."),
}
_ADMINISTRATORS = "Users are the administrators' business."
_BLANK = UserRow(0, "", "", Role.AD_OPS, (), (), 0)


class Users:
    """Behind the door, for administrators. `current`: the catalog in service, for the names in it."""

    def __init__(self, accounts: Accounts, settings: Settings, current: Callable[[], Stored]) -> None:
        self._accounts = accounts
        self._settings = settings
        self._current = current

    def routes(self) -> list[BaseRoute]:
        """Below /console."""
        pages = {
            ("/users", "GET"): self._list,
            ("/users/new", "GET"): self._blank,
            ("/users/new", "POST"): self._invite,
            ("/users/{user:number}", "GET"): self._one,
            ("/users/{user:number}/rights", "POST"): self._rights,
            ("/users/{user:number}/disable", "POST"): self._disable,
            ("/users/{user:number}/enable", "POST"): self._enable,
            ("/users/{user:number}/link", "POST"): self._link,
            ("/users/{user:number}/sign-out", "POST"): self._sign_out,
            ("/users/{user:number}/second-factor-off", "POST"): self._second_factor_off,
        }
        return [
            Route(path, only(answer, _administrates, _ADMINISTRATORS), methods=[method])
            for (path, method), answer in pages.items()
        ]

    async def _list(self, request: Request) -> Response:
        rows = await self._accounts.store.users()
        own = principal_of(request).user_id
        return page(request, "users.html", "Users", users=[_shown(row, own) for row in rows])

    async def _blank(self, request: Request) -> Response:
        return self._form(request, _BLANK)

    async def _invite(self, request: Request) -> Response:
        form = await form_of(request)
        role, sites, advertisers = _rights_of(form)
        asked = UserRow(0, one(form, "email"), one(form, "name"), role, sites, advertisers, 0)
        try:
            if not principal_of(request).user_id and role != Role.ADMIN:
                raise InvalidInput.one("", "role", "of the first account is administrator: others need one")
            row, link = await self._accounts.invite(asked.email, asked.name, role, sites, advertisers)
        except InvalidInput as error:
            return self._form(request, asked, faults=error.faults)
        notice = f"{row.email} has an account now."
        if link is None:
            return self._form(request, row, notice=f"{notice} A link to set a password is on its way there.")
        return self._form(request, row, link=link, notice=notice)

    async def _one(self, request: Request) -> Response:
        return self._form(request, await self._found(request))

    async def _rights(self, request: Request) -> Response:
        row = await self._found(request)
        if row is None or row.id == principal_of(request).user_id:
            return _refused(row)
        role, sites, advertisers = _rights_of(await form_of(request))
        try:
            await self._accounts.change_role(row.id, role, sites, advertisers)
        except InvalidInput as error:
            asked = UserRow(
                row.id, row.email, row.name, role, sites, advertisers, row.created_at_ms, row.disabled_at_ms
            )
            return self._form(request, asked, faults=error.faults)
        notice = "The new rights hold from the next request on."
        return self._form(request, await self._found(request), notice=notice)

    async def _disable(self, request: Request) -> Response:
        row = await self._found(request)
        if row is None or row.id == principal_of(request).user_id:
            return _refused(row)
        await self._accounts.disable(row.id)
        notice = "Disabled: signed out everywhere, API tokens and links no longer work."
        return self._form(request, await self._found(request), notice=notice)

    async def _enable(self, request: Request) -> Response:
        row = await self._found(request)
        if row is None or row.id == principal_of(request).user_id:
            return _refused(row)
        await self._accounts.enable(row.id)
        return self._form(request, await self._found(request), notice="May sign in again.")

    async def _link(self, request: Request) -> Response:
        row = await self._found(request)
        if row is None or row.disabled_at_ms is not None:
            return _refused(row)
        link = self._accounts.password_address(await self._accounts.new_link(row.id))
        return self._form(request, row, link=link)

    async def _sign_out(self, request: Request) -> Response:
        row = await self._found(request)
        if row is None:
            return _refused(row)
        await self._accounts.sign_out_everywhere(row.id)
        return self._form(request, row, notice="Signed out everywhere. API tokens still work.")

    async def _second_factor_off(self, request: Request) -> Response:
        """For whoever has lost theirs."""
        row = await self._found(request)
        if row is None:
            return _refused(row)
        await self._accounts.end_totp(row.id)
        notice = "The second factor is off; they can set up another one."
        return self._form(request, await self._found(request), notice=notice)

    async def _found(self, request: Request) -> UserRow | None:
        return await self._accounts.store.user(request.path_params["user"])

    def _form(
        self,
        request: Request,
        row: UserRow | None,
        *,
        link: str = "",
        notice: str = "",
        faults: Sequence[Fault] = (),
    ) -> Response:
        if row is None:
            return _refused(None)
        catalog, own = self._current().catalog, principal_of(request).user_id
        shown: dict[str, Any] = {
            "user": _shown(row, own),
            "roles": [(role, *words) for role, words in _ROLES.items()],
            "every_site": EVERY_SITE,
            "sites": sorted({site.name for site in catalog.site} | set(row.sites) - {EVERY_SITE}),
            "advertisers": sorted({buyer.name for buyer in catalog.advertiser} | set(row.advertisers)),
            "link": link,
            "hours": self._settings.link_hours,
            "notice": notice,
            "faults": by_key(faults),
        }
        title = row.email if row.id else "Invite somebody"
        return page(request, "user.html", title, 400 if faults else 200, **shown)


def _administrates(asking: Principal) -> bool:
    return asking.role is Role.ADMIN and asking.may(Scope.USERS)


def _refused(row: UserRow | None) -> Response:
    if row is None:
        return message("No such user", "There is no such user.", 404)
    if row.disabled_at_ms is not None:
        return message("Disabled", "A disabled user has no use for a link: enable them first.", 409)
    return message("Not changed", "Nobody changes their own rights: another administrator can.", 409)


def _rights_of(form: Form) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Role, sites and advertisers; what the form hides for a role is no part of it."""
    role = one(form, "role")
    sites = form.get("sites", []) if role in (Role.AD_OPS, Role.PUBLISHER) else []
    # All sites are offered to ad ops only.
    sites = [name for name in sites if name != EVERY_SITE or role == Role.AD_OPS]
    return role, tuple(sites), tuple(form.get("advertisers", []) if role == Role.ADVERTISER else [])


def _shown(row: UserRow, own: int) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "role_name": _ROLES[Role(row.role)][0] if row.role in set(Role) else row.role,
        "sites": row.sites,
        "advertisers": row.advertisers,
        "own": [*("all sites" if name == EVERY_SITE else name for name in row.sites), *row.advertisers],
        "since": when(from_ms(row.created_at_ms)),
        "disabled": row.disabled_at_ms is not None,
        "invited": row.password_hash is None,
        "two_factors": row.totp_secret is not None,
        "themselves": row.id == own,
    }
