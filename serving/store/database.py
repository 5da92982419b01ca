"""One database behind one URL: sessions that read or write, and its tables brought up to date."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError
from sqlalchemy.orm import Session

from zoo import errors

logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)  # it tells of itself at each start

BUSY_S = 30.0  # how long SQLite's writers wait for each other
MIGRATIONS = Path(__file__).parent / "migrations"
# One number for each thing that PostgreSQL does alone, for its advisory locks.
UPGRADING, NUMBERING, PAUSING = 7_310_001, 7_310_002, 7_310_003


class Database:
    """A store's database; safe to use from many threads.

    SQLite keeps a write-ahead log and syncs at each commit, so that what was committed survives a power cut; a writer
    takes its turn at the beginning of its transaction, and waits for it up to 30 s.

    Args:
        url: an SQLAlchemy URL: sqlite:///folder/store.db, or postgresql://user@host/name. A password belongs into
            PostgreSQL's own password file or the environment, not into a file of ours.

    Raises:
        BadConfig: no such kind of database.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.engine = _engine(self.url)
        self._reading = self.engine.execution_options(reading=True)

    @property
    def name(self) -> str:
        """The URL without its password, for messages."""
        return self.url.render_as_string(hide_password=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of ours."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction, committed at the end of the block and undone by any error in it.

        Raises:
            StoreNotReady: the database is away, full or locked for too long; nothing of the block is kept.
        """
        with self._translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that only looks; it waits for no writer.

        Raises:
            StoreNotReady: the database is away.
        """
        with self._translated(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    def alone(self, session: Session, number: int) -> None:
        """Until the transaction's end no other one passes here; SQLite's writers are alone anyway."""
        if not self.is_sqlite:
            session.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def upgrade(self) -> None:
        """Creates the tables, or brings those of an older version up to date; as one transaction.

        Raises:
            StoreNotReady: the database is away.
            BadConfig: it was written by a newer version.
        """
        with self._translated(), self.engine.begin() as connection:
            if not self.is_sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": UPGRADING})
            config = alembic_config(connection)
            self._refuse_newer(connection, config)
            command.upgrade(config, "head")

    def close(self) -> None:
        """Ends its connections."""
        self.engine.dispose()

    def _refuse_newer(self, connection: Connection, config: Config) -> None:
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        unknown = set(MigrationContext.configure(connection).get_current_heads()) - known
        if unknown:
            raise errors.BadConfig(
                f"The store {self.name} is at revision {', '.join(sorted(unknown))}, which this version of Kerascope "
                f"does not know; it knows {', '.join(sorted(known))}. Run the version that wrote it, or a newer one."
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Errors of the database without their words: those may quote a row."""
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as error:
            kind = type(error.orig).__name__ if error.orig else type(error).__name__
            raise errors.StoreNotReady(
                f"The store {self.name} does not answer ({kind}). Is it running, with room on its disk? Ask again."
            ) from None


def now_ms() -> int:
    """The time in the store's unit."""
    return time.time_ns() // 1_000_000


def when(milliseconds: int) -> datetime:
    """A time of the store, UTC."""
    return datetime.fromtimestamp(milliseconds / 1e3, tz=timezone.utc)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
        parsed.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError):
        raise errors.BadConfig(
            "The store's URL is none that SQLAlchemy knows. Name it as sqlite:///folder/store.db or "
            "postgresql://user@host/name."
        ) from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed
    raise errors.BadConfig(
        f"The store's URL names {parsed.get_backend_name()}, or no file. Kerascope keeps its store in a file, "
        "sqlite:///folder/store.db, or in PostgreSQL, postgresql://user@host/name."
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, pool_size=8, max_overflow=24)
    path = Path(str(url.database))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # for its owner alone
    except OSError as error:
        raise errors.BadConfig(f"The store {path} cannot be written: {error.strerror}. Name another file.") from None
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": BUSY_S})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin where we say so, below
    _write_ahead(connection)
    for pragma in ("synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: Any) -> None:
    """Sets the journal's mode. While another connection sets it SQLite refuses at once, whatever the timeout."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _begin_sqlite(connection: Connection) -> None:
    reading = connection.get_execution_options().get("reading")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def alembic_config(connection: Connection) -> Config:
    """Alembic's view of our scripts, to be run on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
