"""`adserver serve`: settings → a server that answers until it is told to stop."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from adserver.logs import configure_logs
from adserver.settings import Settings, load_settings

#: How long requests may take to end when the server is told to stop, in seconds.
_DRAIN_SECONDS = 10


def register(app: typer.Typer) -> None:
    """Add this command to the command line."""
    app.command()(serve)


def serve(
    db: Annotated[Path | None, typer.Option("--db", help="SQLite file (ADSERVER_DB).")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (ADSERVER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (ADSERVER_PORT).")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker count (ADSERVER_WORKERS).")] = None,
) -> None:
    """Serve pages, ad ops and publishers from one SQLite file."""
    settings = load_settings(db=db, host=host, port=port, workers=workers)
    # Workers are new interpreters: what was said on the command line reaches them by the environment.
    os.environ |= {
        "ADSERVER_DB": str(settings.db),
        "ADSERVER_HOST": settings.host,
        "ADSERVER_PORT": str(settings.port),
        "ADSERVER_WORKERS": str(settings.workers),
    }
    run("adserver.app:create", settings)


def run(factory: str, settings: Settings) -> None:
    """Run uvicorn with an application factory, named as `module:function`."""
    configure_logs()
    try:
        uvicorn.run(
            factory,
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            forwarded_allow_ips=settings.trusted_proxies,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
        )
    except SystemExit as ended:
        # What kept it from starting has been said; uvicorn's own status for that is 3.
        sys.exit(1 if ended.code else 0)
