"""Alembic's entry point: run the revisions on the connection that was handed in."""

from __future__ import annotations

from alembic import context

from csms.storage.tables import metadata

# SQLite does take DDL back with the transaction, since we begin it ourselves (see `dialect`).
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
