"""The design's house → tables: floors, the home of each library, limits, and words that are not used."""

from __future__ import annotations

#: Where each part lives. A part imports its own modules and what is on lower floors.
FLOORS = {
    "adserver": 0,
    "adserver.settings": 0,
    "adserver.errors": 0,
    "adserver.clock": 0,
    "adserver.money": 0,
    "adserver.catalog": 1,
    "adserver.consent": 1,
    "adserver.decision": 2,
    "adserver.engines": 3,
    "adserver.measurement": 4,
    "adserver.accounts": 5,
    "adserver.forecast": 5,
    "adserver.editing": 5,
    "adserver.web": 5,
    "adserver.serving": 6,
    "adserver.console": 6,
    "adserver.api": 6,
    "dashboards": 6,
    "adserver.demo": 7,
    "adserver.logs": 7,
    "adserver.loop": 7,
    "adserver.leasing": 7,
    "adserver.mornings": 7,
    "adserver.alerting": 7,
    "adserver.report_mails": 7,
    "adserver.told": 7,
    "adserver.reasons": 7,
    "adserver.steered": 7,
    "adserver.stored": 7,
    "adserver.catalogs": 7,
    "adserver.upkeep": 7,
    "adserver.doors": 7,
    "adserver.app": 7,
    "adserver.commands": 7,
    "adserver.cli": 7,
    "adserver.__main__": 7,
    "tests": 8,
}
_GROUND_FLOOR = ("adserver.errors", "adserver.clock", "adserver.money", "adserver.settings")
_OFFICES = ("adserver.accounts", "adserver.forecast", "adserver.editing", "adserver.web")
_TOP_FLOOR = (
    "adserver.demo",
    "adserver.logs",
    "adserver.loop",
    "adserver.leasing",
    "adserver.mornings",
    "adserver.alerting",
    "adserver.report_mails",
    "adserver.told",
    "adserver.reasons",
    "adserver.stored",
    "adserver.catalogs",
    "adserver.steered",
    "adserver.upkeep",
    "adserver.doors",
    "adserver.app",
    "adserver.commands",
    "adserver.cli",
    "adserver.__main__",
)
#: Parts of one floor do not know each other, but for these floors: here each may import those before it.
ORDERED_FLOORS = {0: _GROUND_FLOOR, 5: _OFFICES, 7: _TOP_FLOOR}

_DOORS = ("adserver.serving", "adserver.console", "adserver.api", "dashboards")

#: Parts or modules that may import a library; the rest of the code does not know that it exists.
HOMES: dict[str, tuple[str, ...]] = {
    "aiosqlite": ("adserver.engines",),
    "alembic": ("adserver.engines",),
    "argon2": ("adserver.accounts",),
    "brotli": ("adserver.serving.tag",),
    "crawleruseragents": ("adserver.serving.agents",),
    "fastapi": ("adserver.api",),
    "is_bot": ("adserver.serving.agents",),
    "jinja2": ("dashboards", "adserver.console", "adserver.demo"),
    "markupsafe": ("adserver.console",),
    "maxminddb": ("adserver.serving",),
    "minify": (),
    "msgspec": (
        "adserver.serving",
        "adserver.decision.context",
        "adserver.decision.saved",
        "adserver.engines.sqlite_log",
    ),
    "numpy": ("adserver.decision",),
    "playwright": ("dashboards.printing",),
    "plotly": (),
    "pyarrow": ("adserver.engines.parquet_archive",),
    "prometheus_client": ("adserver.serving", "adserver.app"),
    "pydantic": ("adserver.catalog", "adserver.settings", "adserver.web", "adserver.api"),
    "pydantic_core": ("adserver.catalog",),
    "pydantic_settings": ("adserver.settings",),
    "pyotp": ("adserver.accounts",),
    "rich": ("adserver.cli", "adserver.commands", "adserver.demo"),
    "segno": ("adserver.console",),
    "sqlalchemy": ("adserver.engines",),
    "sqlite3": ("adserver.engines",),
    "starlette": ("adserver.web", *_DOORS, *_TOP_FLOOR),
    "structlog": ("adserver.measurement", "adserver.accounts.mail", "adserver.web", *_DOORS, *_TOP_FLOOR),
    "tomli_w": ("adserver.catalog.file",),
    "tomllib": ("adserver.catalog.file",),
    "typer": ("adserver.cli", "adserver.commands", "adserver.demo"),
    "uvicorn": _TOP_FLOOR,
}

#: Floors whose parts are given what they look at, time and luck included, and touch nothing themselves.
PURE_FLOORS = range(3)
#: Libraries that reach for files, sockets, other threads, time or luck.
IMPURE_LIBRARIES = frozenset(
    """
    asyncio concurrent fcntl ftplib glob http importlib.resources io logging mmap multiprocessing os pathlib
    queue secrets select selectors shutil signal socket socketserver sqlite3 ssl subprocess sys tempfile
    threading time urllib.request uuid
    """.split()
)
#: Functions and methods that do so, by the last part of their name.
IMPURE_CALLS = frozenset(
    """
    exec eval input mkdir now open print read_bytes read_text today unlink urandom utcnow write_bytes
    write_text
    """.split()
)
#: What the pure floors may do nevertheless, by module.
IMPURE_BY_TRADE: dict[str, tuple[str, ...]] = {
    "adserver.clock": ("now",),
    "adserver.settings": ("pathlib",),
    "adserver.catalog.file": ("pathlib", "read_bytes"),
}

MOST_LINES_PER_FILE = 400
MOST_LINES_PER_FUNCTION = 50

#: Names that say nothing. Functions, classes and modules have none of them as a word, others not as a whole.
EMPTY_WORDS = frozenset("process handle manager managers util utils helper helpers data".split())
#: Names that a library's base class or protocol calls for.
IMPOSED_NAMES = frozenset({"handle_data", "handle_endtag", "handle_starttag"})

TOP_LEVEL = frozenset(
    """
    .ci .editorconfig .gitattributes .gitignore .pre-commit-config.yaml CHANGELOG.md CONTRIBUTING.md LICENSE
    Makefile README.md adserver dashboards pyproject.toml requirements-test.lock requirements.lock tests
    """.split()
)
