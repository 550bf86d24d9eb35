"""A request → what its endpoint stands on, found in the application that it belongs to, and who asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Principal
from adserver.clock import Clock
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects
from adserver.editing.proofs import Proofs
from adserver.engines.answer_store import AnswerStore
from adserver.forecast.past import PastPages
from adserver.measurement.slots import SlotWatch
from adserver.settings import Settings
from adserver.web.door import principal_of


@dataclass(frozen=True, slots=True)
class Services:
    """All of them."""

    editor: Editor
    objects: Objects
    accounts: Accounts
    past: PastPages
    watch: SlotWatch
    proofs: Proofs
    answers: AnswerStore
    clock: Clock
    settings: Settings


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


def _principal(request: Request) -> Principal:
    return principal_of(request)


Given = Annotated[Services, Depends(_services)]
Asking = Annotated[Principal, Depends(_principal)]
