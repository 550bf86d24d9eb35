"""Parts, reports, catalog and users → the routes for people and programs, each behind its door."""

from __future__ import annotations

from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from adserver.accounts.accounts import Accounts
from adserver.accounts.model import Scope
from adserver.accounts.shares import Shares
from adserver.api.app import build as build_api
from adserver.api.services import Services
from adserver.console.routes import Office
from adserver.console.routes import routes as console_routes
from adserver.editing.editor import Editor
from adserver.editing.objects import Objects
from adserver.editing.proofs import Proofs
from adserver.engines.account_store import AccountStore
from adserver.engines.answer_store import AnswerStore
from adserver.engines.catalog_store import CatalogStore, Stored
from adserver.engines.proof_store import ProofStore
from adserver.engines.sql import catalog_url
from adserver.engines.sqlite_progress import SqliteProgress
from adserver.forecast.past import PastPages
from adserver.measurement.slots import SlotWatch
from adserver.serving.explain import Explainer, explain_route
from adserver.serving.parts import Parts
from adserver.web.door import Door, Refuse
from adserver.web.password import by_password, refusal_of_reports
from adserver.web.problems import refuse
from dashboards.printing import printer_of
from dashboards.routes import routes as report_routes
from dashboards.sources import Sources


def people_routes(
    parts: Parts,
    sources: Sources,
    catalog: CatalogStore,
    users: AccountStore,
    current: Callable[[], Stored],
    progress: SqliteProgress,
) -> list[BaseRoute]:
    """Reports, console and management API. `current`: the catalog in service."""
    settings, clock = parts.settings, parts.clock
    accounts, url = Accounts(users, clock, settings), catalog_url(settings)
    past = PastPages(parts.steering, current, progress.request_counts, clock, settings)
    watch = SlotWatch(progress.slot_asks, current, clock)
    editor, objects = Editor(url, clock, current), Objects(catalog, url)
    proofs = Proofs(ProofStore(users.engine), editor, objects, clock, settings)
    services = Services(
        editor, objects, accounts, past, watch, proofs, AnswerStore(users.engine), clock, settings
    )
    explainer = Explainer(parts, current)
    password = settings.reports_password

    def door(refuse: Refuse, scope: Scope) -> Middleware:
        scopes = dict.fromkeys((False, True), scope)
        known = by_password(password)
        return Middleware(
            Door, accounts=accounts, settings=settings, refuse=refuse, scopes=scopes, known=known
        )

    office = Office(accounts, editor, objects, current, sources.paces, past, watch, proofs, explainer.ask)
    return [
        *report_routes(
            sources,
            Shares(users, clock, settings),
            door(refusal_of_reports(password), Scope.REPORTS),
            printer_of(settings),
        ),
        explain_route(explainer, door(refuse, Scope.READ)),
        Mount("/api/v1", build_api(services)),
        *console_routes(office, clock, settings),
    ]
