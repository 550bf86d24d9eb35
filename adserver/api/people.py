"""Requests to `/me`, `/tokens`, `/users` → who asks, their tokens, and who else there is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from fastapi.exceptions import HTTPException
from pydantic import BaseModel, Field

from adserver.accounts.model import Principal, Role, Scope
from adserver.api.services import Asking, Given, Services
from adserver.api.shapes import Strict
from adserver.clock import from_ms
from adserver.editing.editor import Forbidden
from adserver.engines.account_store import TokenRow, UserRow
from adserver.errors import Fault

router = APIRouter()
Words = Annotated[str, Field(max_length=200)]


class MeShape(BaseModel):
    """Who asks."""

    email: str
    name: str
    role: Role
    sites: list[str]
    advertisers: list[str]
    scopes: list[Scope] | None = Field(description="What the token is narrowed to; null: signed in.")


class TokenShape(BaseModel):
    """An API token, without its secret."""

    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime


class NewTokenShape(TokenShape):
    """An API token with its secret, which is told this once."""

    token: str


class TokenAsk(Strict):
    """A new API token."""

    name: Words
    scopes: Annotated[list[Scope], Field(max_length=10)]
    days: Annotated[int, Field(ge=1, le=100_000)] = 90


class UserShape(BaseModel):
    """Somebody with an account."""

    id: int
    email: str
    name: str
    role: str
    sites: list[str]
    advertisers: list[str]
    created_at: datetime
    disabled: bool
    second_factor: bool


class NewUserShape(UserShape):
    """Somebody new, and the address where they set their password, which is told this once."""

    password_url: str | None = Field(description="null: it was sent to them by mail.")


class LinkShape(BaseModel):
    """The address where somebody sets their password, which is told this once; any before it is void."""

    password_url: str


class RoleAsk(Strict):
    """What somebody may do, and of what."""

    role: Words
    sites: Annotated[list[Words], Field(max_length=1000, default_factory=list)]
    advertisers: Annotated[list[Words], Field(max_length=1000, default_factory=list)]


class UserAsk(RoleAsk):
    """Somebody to invite."""

    email: Words
    name: Words = ""


class UserChange(Strict):
    """What is given is changed."""

    disabled: bool | None = None
    rights: RoleAsk | None = None


@router.get("/me", tags=["people"], summary="Who asks")
async def me(asking: Asking) -> MeShape:
    """And what is theirs."""
    return MeShape(
        email=asking.email,
        name=asking.name,
        role=asking.role,
        sites=sorted(asking.sites),
        advertisers=sorted(asking.advertisers),
        scopes=None if asking.scopes is None else sorted(asking.scopes),
    )


@router.get("/tokens", tags=["people"], summary="Own API tokens")
async def tokens(given: Given, asking: Asking) -> list[TokenShape]:
    """Without their secrets."""
    return [_token(row) for row in await given.accounts.store.tokens_of(asking.user_id)]


@router.post("/tokens", status_code=201, tags=["people"], summary="Make an API token")
async def make_token(given: Given, asking: Asking, body: TokenAsk) -> NewTokenShape:
    """Asked for with a token, it may no more than that one, and ends with it at the latest."""
    if not asking.user_id:
        raise Forbidden([Fault("", "tokens", "are for those who have an account; nobody has one yet")])
    row, token = await given.accounts.new_token(asking.user_id, body.name, body.scopes, body.days, by=asking)
    return NewTokenShape(**_token(row).model_dump(), token=token)


@router.delete("/tokens/{token_id}", status_code=204, tags=["people"], summary="Revoke an API token")
async def revoke(given: Given, asking: Asking, token_id: int) -> None:
    """At once."""
    known = 0 <= token_id < 2**63
    if not known or not await given.accounts.store.remove_token(asking.user_id, token_id):
        raise HTTPException(404, "There is no such token of yours.")


@router.get("/users", tags=["people"], summary="Everybody with an account")
async def users(given: Given, asking: Asking) -> list[UserShape]:
    """For administrators."""
    _administrators_only(asking)
    return [_user(row) for row in await given.accounts.store.users()]


@router.post("/users", status_code=201, tags=["people"], summary="Invite somebody")
async def invite(given: Given, asking: Asking, body: UserAsk) -> NewUserShape:
    """For administrators. Where the server sends mail, the invitation goes by mail."""
    _administrators_only(asking)
    row, address = await given.accounts.invite(body.email, body.name, body.role, body.sites, body.advertisers)
    return NewUserShape(**_user(row).model_dump(), password_url=address)


@router.patch("/users/{user_id}", tags=["people"], summary="Give other rights, disable or enable")
async def change_user(given: Given, asking: Asking, user_id: int, body: UserChange) -> UserShape:
    """For administrators, and not of themselves: there is always one left."""
    await _found(given, asking, user_id)
    if user_id == asking.user_id:
        raise HTTPException(409, "Nobody changes their own rights.")
    if body.rights is not None:
        rights = body.rights
        await given.accounts.change_role(user_id, rights.role, rights.sites, rights.advertisers)
    if body.disabled is not None:
        await (given.accounts.disable if body.disabled else given.accounts.enable)(user_id)
    changed = await given.accounts.store.user(user_id)
    assert changed, "users are never removed"
    return _user(changed)


@router.post(
    "/users/{user_id}/link", status_code=201, tags=["people"], summary="Make a link that sets a password"
)
async def new_link(given: Given, asking: Asking, user_id: int) -> LinkShape:
    """For administrators. Any link before it no longer works."""
    row = await _found(given, asking, user_id)
    if row.disabled_at_ms is not None:
        raise HTTPException(409, "A disabled user has no use for a link: enable them first.")
    return LinkShape(password_url=given.accounts.password_address(await given.accounts.new_link(user_id)))


@router.delete(
    "/users/{user_id}/sessions", status_code=204, tags=["people"], summary="Sign somebody out everywhere"
)
async def sign_out(given: Given, asking: Asking, user_id: int) -> None:
    """For administrators. API tokens hold on."""
    await _found(given, asking, user_id)
    await given.accounts.sign_out_everywhere(user_id)


@router.delete(
    "/users/{user_id}/second_factor", status_code=204, tags=["people"], summary="Remove a second factor"
)
async def remove_second_factor(given: Given, asking: Asking, user_id: int) -> None:
    """For administrators, of somebody who has lost theirs."""
    await _found(given, asking, user_id)
    await given.accounts.end_totp(user_id)


async def _found(given: Services, asking: Principal, user_id: int) -> UserRow:
    _administrators_only(asking)
    row = await given.accounts.store.user(user_id) if 0 <= user_id < 2**63 else None
    if row is None:
        raise HTTPException(404, f"There is no user {user_id}.")
    return row


def _administrators_only(asking: Principal) -> None:
    if asking.role is not Role.ADMIN or not asking.may(Scope.USERS):
        raise Forbidden([Fault("", "users", "are for administrators; a token needs the scope users")])


def _token(row: TokenRow) -> TokenShape:
    return TokenShape(
        id=row.id,
        name=row.name,
        scopes=row.scopes.split(),
        created_at=from_ms(row.created_at_ms),
        expires_at=from_ms(row.expires_at_ms),
    )


def _user(row: UserRow) -> UserShape:
    return UserShape(
        id=row.id,
        email=row.email,
        name=row.name,
        role=row.role,
        sites=list(row.sites),
        advertisers=list(row.advertisers),
        created_at=from_ms(row.created_at_ms),
        disabled=row.disabled_at_ms is not None,
        second_factor=row.totp_secret is not None,
    )
