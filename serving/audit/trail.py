"""The audit trail: one record an access, each holding the hash of the one before.

A file of JSON lines. A record's `hash` is the SHA-256 of its own canonical JSON (keys sorted, no spaces, ASCII)
without `hash`; `previous` is the hash of the record before, 64 zeros for the first. Whoever changes, removes or puts in
a record changes every hash after it. To see that records were cut off the end, keep the newest hash elsewhere: `verify`
prints it, and each exported message carries it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from zoo import errors

Record = dict[str, object]

ORIGIN = "0" * 64
LONGEST = 256
_TAIL = 1 << 16


class Head(NamedTuple):
    """The end of a trail: how many records there are, and the hash of the last."""

    number: int
    hash: str


class Audit:
    """A trail to write to; safe to use from many threads, and from many processes at once.

    Args:
        path: of the file; made if it is not there, for its owner alone.
        process: who writes: gateway or dicom-node.

    Raises:
        BadConfig: it cannot be written.
    """

    def __init__(self, path: Path, process: str) -> None:
        self.path, self._process = path, process
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise errors.BadConfig(
                f"The audit trail {path} cannot be written: {error.strerror}. Name another."
            ) from None

    def write(self, **fields: object) -> None:
        """Adds a record; when this returns, the disk holds it.

        Args:
            fields: action, user, peer, subject, model, version, analysis_id, outcome; texts are cut at 256 characters.

        Raises:
            StoreNotReady: the disk is full or away.
        """
        now = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        record: Record = {name: _cut(value) for name, value in fields.items()}
        record |= {"process": self._process, "time": now}
        try:
            with self._lock, _held(self._file):
                self._append(record)
        except OSError as error:
            raise errors.StoreNotReady(
                f"The audit trail {self.path} takes no record: {error.strerror}. Make room, then ask again."
            ) from None

    def _append(self, record: Record) -> None:
        head, end = _head(self._file)
        if end != os.fstat(self._file).st_size:
            os.ftruncate(self._file, end)  # a record cut short by a power cut: what it told of never left
        record |= {"number": head.number + 1, "previous": head.hash}
        line = (canonical(record | {"hash": digest(record)}) + "\n").encode()
        if os.write(self._file, line) < len(line):
            os.ftruncate(self._file, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._file)


def canonical(record: Record) -> str:
    """A record as the one text that is hashed."""
    return json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(record: Record) -> str:
    """The SHA-256 of a record without its `hash`, in hexadecimal."""
    return hashlib.sha256(canonical({k: v for k, v in record.items() if k != "hash"}).encode()).hexdigest()


def read(path: Path) -> Iterator[Record]:
    """The records of a trail, oldest first.

    Raises:
        BadConfig: there is no such file.
        BrokenAudit: a line is no record.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                yield _parse(line, number)
    except OSError as error:
        raise errors.BadConfig(f"The audit trail {path} cannot be read: {error.strerror}.") from None


def verify(path: Path) -> Head:
    """Follows the chain from the first record to the last.

    Returns:
        Its end.

    Raises:
        BrokenAudit: with the number of the first record that does not fit.
        BadConfig: there is no such file.
    """
    head = Head(0, ORIGIN)
    for record in read(path):
        number = head.number + 1
        if record.get("previous") != head.hash or record.get("number") != number:
            raise errors.BrokenAudit(
                f"The audit trail is broken at record {number}: it does not follow the one before it. "
                "Records were removed, put in or moved here. Compare with a copy."
            )
        if record.get("hash") != digest(record):
            raise errors.BrokenAudit(
                f"The audit trail is broken at record {number}: it was changed after it was written. "
                "Compare with a copy."
            )
        head = Head(number, str(record["hash"]))
    return head


def _head(file: int) -> tuple[Head, int]:
    """The end of the trail, and how many bytes of the file are whole records."""
    size = os.fstat(file).st_size
    start = max(0, size - _TAIL)
    tail = os.pread(file, size - start, start)
    whole = tail[: tail.rfind(b"\n") + 1]
    if not whole:
        return Head(0, ORIGIN), 0
    last = _parse(whole.splitlines()[-1], 0)
    return Head(int(str(last["number"])), str(last["hash"])), start + len(whole)


def _parse(line: bytes, number: int) -> Record:
    try:
        record = json.loads(line)
        if isinstance(record, dict):
            return record
    except ValueError:
        pass
    where = f"at record {number}" if number else "at its end"
    raise errors.BrokenAudit(f"The audit trail is broken {where}: the line is no record. Compare with a copy.")


def _cut(value: object) -> object:
    return value[:LONGEST] if isinstance(value, str) else value


@contextmanager
def _held(file: int) -> Iterator[None]:
    """Keeps other processes from writing."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
