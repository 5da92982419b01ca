"""The store in one piece: a database, and a folder for received files beside it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from pathlib import Path

from serving.store.analyses import Analyses
from serving.store.database import Database
from serving.store.deliveries import Deliveries
from serving.store.queue import Queue
from serving.store.retention import Pruned, finished, prune
from serving.store.reviews import Reviews
from serving.store.spool import Spool
from serving.store.worklist import Worklist


class Store:
    """A store, brought up to date; safe to use from many threads, and from many processes at once.

    Attributes:
        analyses: the gateway's answers.
        reviews: what people said of them.
        worklist: the studies.
        queue: images that wait for an answer.
        deliveries: results that wait to be sent.
        spool: received files; None for PostgreSQL where no folder is named.
        kept: de-identified copies of those that nobody waits for any more, under the originals' digests; likewise.

    Args:
        url: sqlite:///folder/store.db, or postgresql://user@host/name.
        spool: the folder for received files; None for `<database file>.spool` beside SQLite's file.
        lease_s: how long a job stays with a worker that shows no sign of life.

    Raises:
        BadConfig: no such kind of database, or one written by a newer version.
        StoreNotReady: the database is away.
    """

    def __init__(self, url: str, *, spool: Path | None = None, lease_s: float = 5.0) -> None:
        self._database = Database(url)
        self._database.upgrade()
        owner = uuid.uuid4().hex
        self.analyses = Analyses(self._database)
        self.reviews = Reviews(self._database)
        self.worklist = Worklist(self._database)
        self.queue = Queue(self._database, owner=owner, lease_s=lease_s)
        self.deliveries = Deliveries(self._database, owner=owner, lease_s=lease_s)
        self.spool = self._spool(spool)
        self.kept = None if self.spool is None else Spool(self.spool.folder / "kept")

    @property
    def name(self) -> str:
        """The database's URL without its password, for messages."""
        return self._database.name

    def prune(self, *, older_than_days: float) -> Pruned:
        """Removes what is older: see `retention.prune`."""
        folders = [folder for folder in (self.spool, self.kept) if folder is not None]
        return prune(self._database, folders, older_than_days=older_than_days)

    def finished(self, digests: Sequence[str]) -> set[str]:
        """Those of the files that nobody waits for: see `retention.finished`."""
        return finished(self._database, digests)

    def close(self) -> None:
        """Ends its connections."""
        self._database.close()

    def _spool(self, folder: Path | None) -> Spool | None:
        if folder is None and self._database.is_sqlite:
            folder = Path(f"{self._database.url.database}.spool")
        return None if folder is None else Spool(folder)
