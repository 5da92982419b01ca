"""Writes the script for what has changed in the tables since the last one; read it before it is committed."""

from __future__ import annotations

import sys
import tempfile

from alembic import command
from alembic.script import ScriptDirectory

from serving.store.database import Database, alembic_config

with tempfile.TemporaryDirectory() as folder:
    database = Database(f"sqlite:///{folder}/store.db")
    database.upgrade()
    with database.engine.begin() as connection:
        config = alembic_config(connection)
        number = len(list(ScriptDirectory.from_config(config).walk_revisions())) + 1
        command.revision(config, sys.argv[1], autogenerate=True, rev_id=f"{number:04}")
