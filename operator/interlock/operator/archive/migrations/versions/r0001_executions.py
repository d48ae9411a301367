"""Finished executions, whole. What an operator without migrations has made already is taken as it is."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """One table."""
    if sa.inspect(op.get_bind()).has_table("executions"):
        return
    op.create_table(
        "executions",
        sa.Column("uid", sa.String(64), primary_key=True),
        sa.Column("namespace", sa.String(63), nullable=False, index=True),
        sa.Column("name", sa.String(253), nullable=False),
        sa.Column("runbook", sa.String(120), nullable=False, index=True),
        sa.Column("target", sa.String(400), nullable=False),
        sa.Column("phase", sa.String(20), nullable=False),
        sa.Column("requested_by", sa.String(253), nullable=False),
        sa.Column("completed_at", sa.String(40), nullable=False, index=True),
        sa.Column("head", sa.String(71), nullable=False),
        sa.Column("archived_at", sa.String(40), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
    )


def downgrade() -> None:
    """Nothing is left."""
    op.drop_table("executions")
