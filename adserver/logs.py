"""Whatever is said while a server runs → one JSON object on a line of standard error."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs() -> None:
    """Say so to all who log, uvicorn and other libraries included. Every program that serves calls this."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.dict_tracebacks,
    ]
    in_json = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, in_json], logger_factory=structlog.PrintLoggerFactory(file=sys.stderr)
    )
    others = logging.StreamHandler()
    without_record = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    others.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[without_record, in_json],
        )
    )
    logging.basicConfig(handlers=[others], level=logging.WARNING, force=True)
