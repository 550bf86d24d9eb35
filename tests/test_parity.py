"""Every action of the console → the request of the API, and the command, that does the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import typer

from adserver.cli import app_for
from tests.console.office import office
from tests.console.test_rights import patterns

#: What changes nothing, or is for a person at the screen: signing in, and what only they themselves may.
IN_PERSON = frozenset(
    """
    /sign-in /sign-out /forgotten /password/{token} /proof/{token} /preview
    /account/totp /account/totp-off /account/sign-out-others
    """.split()
)
#: Address that a form of the console is sent to → what else does it. A line item or creative is archived by
#: the same form that changes it.
ACTIONS: Mapping[str, tuple[str, str]] = {
    "/account/token": ("post /tokens", "user token"),
    "/account/revoke": ("delete /tokens/{token_id}", "user revoke"),
    "/catalog/estimate": ("get /estimate", "estimate"),
    "/catalog/new/{kind}": ("post /line_items", "add"),
    "/catalog/{kind}/{name:path}": ("patch /line_items/{name}", "set"),
    "/history/{version:number}/undo": ("post /history/{version}/undo", "undo"),
    "/line_items/table": ("post /changes", "items plan"),
    "/line_items/import": ("post /line_items.csv", "items plan"),
    "/line_items/apply": ("post /line_items.csv", "items apply"),
    "/proofs": ("post /proofs", "proof make"),
    "/proofs/{proof:number}/revoke": ("delete /proofs/{proof_id}", "proof revoke"),
    "/users/new": ("post /users", "user add"),
    "/users/{user:number}/rights": ("patch /users/{user_id}", "user role"),
    "/users/{user:number}/disable": ("patch /users/{user_id}", "user disable"),
    "/users/{user:number}/enable": ("patch /users/{user_id}", "user enable"),
    "/users/{user:number}/link": ("post /users/{user_id}/link", "user link"),
    "/users/{user:number}/sign-out": ("delete /users/{user_id}/sessions", "user sign-out"),
    "/users/{user:number}/second-factor-off": (
        "delete /users/{user_id}/second_factor",
        "user second-factor-off",
    ),
}
#: What is only looked at.
QUESTIONS: Mapping[str, tuple[str, str]] = {
    "/why": ("get /pages", "explain"),
    "/why/page": ("get /explain", "explain"),
    "/why/{name}": ("get /reasons", "why"),
    "/history": ("get /history", "history"),
    "/history/{version:number}/catalog.toml": ("get /catalog", "export"),
    "/line_items.csv": ("get /line_items.csv", "items export"),
    "/users": ("get /users", "user list"),
}


def screens(method: str) -> set[str]:
    return {path for one, path in patterns() if one == method and path not in IN_PERSON}


def commands(app: typer.Typer, before: str = "") -> Iterator[str]:
    for command in app.registered_commands:
        assert command.callback, "a command without a function"
        yield before + (command.name or command.callback.__name__)
    for group in app.registered_groups:
        assert group.typer_instance, "a group of nothing"
        yield from commands(group.typer_instance, f"{before}{group.name} ")


def test_every_action_of_the_console_is_one_of_the_api_and_a_command_too(tmp_path: Path) -> None:
    assert screens("POST") == ACTIONS.keys()
    assert screens("GET") >= QUESTIONS.keys()
    with office(tmp_path / "ads.db") as place:
        document = place.with_token("admin@news.example", "read").get("/api/v1/openapi.json").json()
    offered = {f"{method} {path}" for path, methods in document["paths"].items() for method in methods}
    # Explanations are answered beside the rest, by the worker's own decider.
    offered.add("get /explain")
    known = set(commands(app_for([])))
    for path, (request, command) in {**ACTIONS, **QUESTIONS}.items():
        assert request in offered, (path, request)
        assert command in known, (path, command)
