"""Users → links by which advertisers answer for creatives before they run, and what they answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "account_0003"
down_revision = "account_0002"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "proof",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("proof_path", "proof", ["path"])
    op.create_table(
        "proof_answer",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("proof_id", sa.Integer, nullable=False),
        sa.Column("creative", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("proof_answer_creative", "proof_answer", ["creative"])
