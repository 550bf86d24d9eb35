"""Accounts → and links to reports, which show one thing to whoever has them until they end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "account_0002"
down_revision = "account_0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "account_share",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        # 0: made at this very machine, while nobody had an account.
        sa.Column("user_id", sa.Integer, nullable=False),
        sa.Column("site", sa.Text, nullable=False),
        sa.Column("advertiser", sa.Text, nullable=False),
        sa.Column("campaign", sa.Text, nullable=False),
        sa.Column("period", sa.Text, nullable=False),
        sa.Column("first", sa.Text, nullable=False),
        sa.Column("last", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("account_share_advertiser", "account_share", ["advertiser"])
