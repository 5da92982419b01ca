"""Alembic's scripts, one a change of the tables. A new one: `python -m serving.store.migrations "What changed"`."""
