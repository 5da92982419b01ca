"""Files and folders that are there whole or not at all, even after a power cut."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo import errors


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A new hidden folder in a registry or a model's folder in it; whatever is left of it at the end is removed.

    Raises:
        BadConfig: `folder` cannot be written.
    """
    made = folder / f".tmp-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        made.mkdir(parents=True)  # not by tempfile, whose folders only their owner can read
    except OSError as error:
        raise errors.BadConfig(
            f"The registry folder {folder} cannot be written: {error.strerror}. Name another with --registry."
        ) from None
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A hidden file beside `path`, of the same kind, to be written; then the disk holds it and it takes the name.

    The folder is made if need be. Where the block raises, `path` is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield hidden
        flush_file(hidden)
        os.replace(hidden, path)
    finally:
        hidden.unlink(missing_ok=True)
    flush_folder(path.parent)


def write_whole(path: Path, text: str) -> None:
    """A text file by `whole`."""
    with whole(path) as hidden:
        hidden.write_text(text, encoding="utf-8")


def flush(folder: Path) -> None:
    """Has the disk hold every file in a folder, and the folder, before a rename makes it visible."""
    for path in folder.rglob("*"):
        if path.is_dir():
            flush_folder(path)
        else:
            flush_file(path)
    flush_folder(folder)


def flush_file(path: Path) -> None:
    """Has the disk hold one file's content."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Has the disk hold a folder's own entries, so that a rename in it survives."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits until no other process holds this folder, and holds it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
