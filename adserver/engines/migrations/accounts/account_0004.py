"""Proofs → and answers of the management API that are given again to whoever asks with the same key."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "account_0004"
down_revision = "account_0003"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "api_answer",
        sa.Column("user_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("api_answer_at", "api_answer", ["at_ms"])
