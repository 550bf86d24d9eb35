"""Nothing → versions, identities and the history of every object of the catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "catalog_0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "catalog_version",
        sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "catalog_identity",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("path", sa.Text, nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "catalog_object",
        sa.Column("id", sa.Integer, sa.ForeignKey("catalog_identity.id"), primary_key=True),
        sa.Column("from_version", sa.Integer, sa.ForeignKey("catalog_version.version"), primary_key=True),
        sa.Column("to_version", sa.Integer, sa.ForeignKey("catalog_version.version")),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("parent", sa.Integer, sa.ForeignKey("catalog_identity.id")),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("catalog_object_current", "catalog_object", ["to_version"])
