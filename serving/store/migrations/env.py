"""Run by Alembic, on the connection that serving/store/database.py hands over."""

from __future__ import annotations

from alembic import context

from serving.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, transactional_ddl=True
)
with context.begin_transaction():
    context.run_migrations()
