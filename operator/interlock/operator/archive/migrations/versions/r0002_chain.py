"""A place in one chain for each execution, in the order in which they were archived; signed heads and anchors."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from interlock.operator.archive.chain import START, Tail, content_digest, link

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CHAIN: dict[str, sa.types.TypeEngine[Any]] = {
    "digest": sa.String(71),
    "seq": sa.BigInteger(),
    "previous": sa.String(71),
    "hash": sa.String(71),
}


def upgrade() -> None:
    """Content becomes the text that it was stored as; nothing of it is written anew."""
    for name, kind in _CHAIN.items():
        op.add_column("executions", sa.Column(name, kind, nullable=True))
    _content_as(sa.JSON(), sa.Text(), "text")
    _chain_all(op.get_bind())
    with op.batch_alter_table("executions") as table:
        for name, kind in _CHAIN.items():
            table.alter_column(name, existing_type=kind, nullable=False)
        table.create_unique_constraint("executions_seq_key", ["seq"])
        table.create_unique_constraint("executions_previous_key", ["previous"])
    op.create_table(
        "signed_heads",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("head", sa.String(71), nullable=False),
        sa.Column("previous", sa.String(71), nullable=True),
        sa.Column("key_id", sa.String(52), nullable=False),
        sa.Column("signature", sa.String(88), nullable=False),
        sa.Column("signed_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "anchors",
        sa.Column("seq", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(71), nullable=False),
        sa.Column("before", sa.String(40), nullable=False),
        sa.Column("pruned_at", sa.String(40), nullable=False),
        sa.Column("key_id", sa.String(52), nullable=False),
        sa.Column("signature", sa.String(88), nullable=False),
    )


def downgrade() -> None:
    """The executions stay; what bound them together is lost."""
    op.drop_table("anchors")
    op.drop_table("signed_heads")
    with op.batch_alter_table("executions") as table:
        table.drop_constraint("executions_previous_key", type_="unique")
        table.drop_constraint("executions_seq_key", type_="unique")
        for name in _CHAIN:
            table.drop_column(name)
    _content_as(sa.Text(), sa.JSON(), "json")


def _content_as(before: sa.types.TypeEngine[Any], after: sa.types.TypeEngine[Any], cast: str) -> None:
    """PostgreSQL and SQLite keep JSON as the very text that it came as."""
    with op.batch_alter_table("executions") as table:
        table.alter_column(
            "content", existing_type=before, existing_nullable=False, type_=after, postgresql_using=f"content::{cast}"
        )


def _chain_all(connection: sa.Connection) -> None:
    executions = sa.table("executions", *map(sa.column, ("uid", "archived_at", "head", "content", *_CHAIN)))
    row = executions.c
    tail = START
    order = sa.select(row.uid).order_by(row.archived_at, row.uid)
    for uid in connection.execute(order).scalars().all():
        found = connection.execute(sa.select(row.archived_at, row.head, row.content).where(row.uid == uid)).one()
        content = content_digest(found.content)
        seq, previous = tail.seq + 1, tail.hash
        hashed = link(
            seq=seq, uid=uid, archived_at=found.archived_at, head=found.head, content=content, previous=previous
        )
        place = {"digest": content, "seq": seq, "previous": previous, "hash": hashed}
        connection.execute(sa.update(executions).where(row.uid == uid).values(**place))
        tail = Tail(seq, hashed)
