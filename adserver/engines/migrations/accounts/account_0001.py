"""Nothing → users, their sessions and API tokens, and links by which passwords are set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "account_0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "account_user",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("email", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("sites", sa.Text, nullable=False),
        sa.Column("advertisers", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("disabled_at_ms", sa.BigInteger),
        sa.Column("password_hash", sa.Text),
        sa.Column("totp_secret", sa.Text),
        sa.Column("totp_step", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "account_session",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("seen_at_ms", sa.BigInteger, nullable=False),
        sa.Column("agent", sa.Text, nullable=False),
    )
    op.create_index("account_session_user", "account_session", ["user_id"])
    op.create_table(
        "account_token",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("digest", sa.Text, nullable=False, unique=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.Text, nullable=False),
        sa.Column("created_at_ms", sa.BigInteger, nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("account_token_user", "account_token", ["user_id"])
    op.create_table(
        "account_link",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Integer, sa.ForeignKey("account_user.id"), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger, nullable=False),
    )
