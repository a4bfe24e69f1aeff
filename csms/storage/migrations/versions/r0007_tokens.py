"""Groups of id tokens, how many sessions they may run at a time, and who was sent them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tokens kept before may run any number of sessions, as they could."""
    with op.batch_alter_table("id_tokens") as table:
        table.add_column(sa.Column("parent_folded", sa.String()))
        table.add_column(
            sa.Column("concurrency", sa.String(), nullable=False, server_default="any")
        )
        table.add_column(sa.Column("filled", sa.Boolean(), nullable=False, server_default="0"))
    op.create_index("ix_id_tokens_parent", "id_tokens", ["parent_folded"])
    _fold_parents()
    op.create_table(
        "local_lists",
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("charger_id", name="pk_local_lists"),
    )
    op.create_table(
        "reservations",
        sa.Column("reservation_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("charger_id", sa.String(), nullable=False),
        sa.Column("connector_id", sa.BigInteger(), nullable=False),
        sa.Column("id_token", sa.String(), nullable=False),
        sa.Column("parent_id_token", sa.String()),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("session_id", sa.String()),
        sa.PrimaryKeyConstraint("reservation_id", name="pk_reservations"),
    )


def _fold_parents() -> None:
    # Python folds more letters than databases do, so that it cannot be left to them.
    tokens = sa.table(
        "id_tokens",
        sa.column("folded", sa.String()),
        sa.column("parent_id_token", sa.String()),
        sa.column("parent_folded", sa.String()),
    )
    connection = op.get_bind()
    query = sa.select(tokens.c.folded, tokens.c.parent_id_token)
    rows = connection.execute(query.where(tokens.c.parent_id_token.is_not(None))).all()
    for folded, parent in rows:
        change = sa.update(tokens).where(tokens.c.folded == folded)
        connection.execute(change.values(parent_folded=parent.casefold()))


def downgrade() -> None:
    """Drop tables and columns."""
    op.drop_table("reservations")
    op.drop_table("local_lists")
    op.drop_index("ix_id_tokens_parent", table_name="id_tokens")
    with op.batch_alter_table("id_tokens") as table:
        for column in ("filled", "concurrency", "parent_folded"):
            table.drop_column(column)
