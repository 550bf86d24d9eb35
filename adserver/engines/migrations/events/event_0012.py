"""The log → and what each worker on the file holds of goals and budgets that it has not used up."""

from __future__ import annotations

from alembic import op

revision = "event_0012"
down_revision = "event_0011"

_TABLES = (
    # `page_pace`: pages that asked it lately, older ones counting less.
    """
    CREATE TABLE lease_worker (
      node INTEGER PRIMARY KEY, seen_ms INTEGER NOT NULL, page_pace REAL NOT NULL)
    """,
    """
    CREATE TABLE lease (
      item INTEGER NOT NULL, node INTEGER NOT NULL, held INTEGER NOT NULL, PRIMARY KEY (item, node)
    ) WITHOUT ROWID
    """,
    # Fills of a node that another one counted, and that its own count of what is out must still hear of.
    """
    CREATE TABLE lease_settled (
      node INTEGER NOT NULL, item INTEGER NOT NULL, minute INTEGER NOT NULL, fill_count INTEGER NOT NULL,
      PRIMARY KEY (node, item, minute)) WITHOUT ROWID
    """,
)


def upgrade() -> None:
    """Create the tables; nobody holds anything yet."""
    for statement in _TABLES:
        op.execute(statement)
