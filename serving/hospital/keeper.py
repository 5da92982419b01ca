"""What is kept of an image once nobody waits for it: a de-identified copy, unless the node's file says otherwise."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from serving.hospital.deidentify import Deidentifier
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

# A file that has just come, perhaps again, may be about to be asked about.
SETTLED_S = 60.0


class Keeper:
    """Puts de-identified copies in place of received files, once every model has answered and every result is sent.

    An image whose analysis or delivery has failed keeps its file, so that `kerascope store retry` can go on with it,
    until the retention period is over.

    Args:
        store: with a spool, whose `kept` gets the copies, under the digests of the originals.
        keep: deidentified; or nothing, and then the file is removed.
        secret: as `Deidentifier.by_file`; None for a file of that name beside the spool.
        settled_s: files that came within so many seconds wait.

    Raises:
        BadConfig: the secret cannot be used.
    """

    def __init__(
        self,
        store: Store,
        keep: Literal["deidentified", "nothing"],
        secret: Path | None = None,
        *,
        settled_s: float = SETTLED_S,
    ) -> None:
        assert store.spool is not None
        assert store.kept is not None
        self._store, self._spool, self._kept, self._settled_s = store, store.spool, store.kept, settled_s
        path = secret or Path(f"{store.spool.folder}.uid-secret")
        self._deidentifier = Deidentifier.by_file(path) if keep == "deidentified" else None

    def step(self) -> bool:
        """Sees to every file that nobody waits for; False where there is none.

        Raises:
            StoreNotReady: the store is away, or its disk full; the files stay as they are.
        """
        settled = list(self._spool.digests(older_than_s=self._settled_s))
        finished = self._store.finished(settled)
        for digest in sorted(finished):
            self._replace(digest)
        return bool(finished)

    def _replace(self, digest: str) -> None:
        """The copy is on the disk before the original goes: killed in between, both are there, and it is done again."""
        if self._deidentifier is not None:
            try:
                self._kept.put(self._deidentifier.copy(self._spool.get(digest)), digest)
            except errors.BadImage as refusal:
                log.warning("sha256:%s is not kept: it cannot be de-identified, %s", digest[:12], refusal.reason.value)
        self._spool.remove(digest, older_than_s=self._settled_s)
