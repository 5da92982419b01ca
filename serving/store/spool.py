"""Received files, whole, under the digest of their bytes: no name that a sender chose ever becomes a path."""

from __future__ import annotations

import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from zoo import disk, errors

_DIGEST = re.compile(r"[0-9a-f]{64}")


class Spool:
    """A folder of files, readable by its owner alone.

    Args:
        folder: made if it is not there.

    Raises:
        BadConfig: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise errors.BadConfig(f"The spool {folder} cannot be made: {error.strerror}. Name another.") from None

    def put(self, data: bytes, digest: str = "") -> str:
        """Keeps a file; when this returns, the disk holds it.

        Args:
            data: its bytes.
            digest: by which `get` finds it, where that is not their own SHA-256.

        Returns:
            The digest.

        Raises:
            StoreNotReady: the disk is full or away; nothing is kept.
        """
        digest = digest or hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        hidden = path.with_name(f".{digest}-{uuid.uuid4().hex[:8]}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            with open(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(hidden, path)
            disk.flush_folder(path.parent)
            disk.flush_folder(self.folder)
        except OSError as error:
            hidden.unlink(missing_ok=True)
            raise errors.StoreNotReady(
                f"The spool {self.folder} takes no file: {error.strerror}. Make room, then send again."
            ) from None
        return digest

    def get(self, digest: str) -> bytes:
        """A file's bytes.

        Raises:
            UnknownRecord: it is not there: never received, or removed when its time was over.
        """
        try:
            return self._path(digest).read_bytes()
        except OSError:
            raise errors.UnknownRecord(f"The spool {self.folder} holds no file {digest[:12]}.") from None

    def remove(self, digest: str, *, older_than_s: float = 0.0) -> None:
        """Removes a file, if it is there and has not come, again perhaps, within so many seconds."""
        path = self._path(digest)
        with suppress(FileNotFoundError):
            if path.stat().st_mtime <= time.time() - older_than_s:
                path.unlink()

    def digests(self, *, older_than_s: float = 0.0) -> Iterator[str]:
        """The files that have lain here for so long; half-written ones of that age are removed on the way."""
        limit = time.time() - older_than_s
        for path in self.folder.glob("??/*"):
            try:
                if path.stat().st_mtime > limit:
                    continue
            except FileNotFoundError:
                continue
            if _DIGEST.fullmatch(path.name):
                yield path.name
            else:
                path.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        if not _DIGEST.fullmatch(digest):
            raise errors.UnknownRecord("A file of the spool is named by 64 hexadecimal digits, its SHA-256.")
        return self.folder / digest[:2] / digest
