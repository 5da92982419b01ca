"""What a command finds around it and cannot rely on: a locale that has our characters, a home, no proxy."""

from __future__ import annotations

import atexit
import codecs
import io
import os
import shutil
import stat
import sys
import tempfile
from contextlib import suppress

from zoo import loopback


def prepare() -> None:
    """Makes do with what is there; called once, before anything is imported that looks for a home."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            _take_any_text(stream)
    loopback.spare_from_proxies()
    if not os.path.isdir(os.path.expanduser("~")):
        _make_home()


def drop_output() -> None:
    """Drops what standard output does not take, on a full disk, say: Python would fail once more as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _take_any_text(stream: io.TextIOWrapper) -> None:
    """In the locale C text goes out as UTF-8, as click writes it; in any other a question mark replaces the others."""
    plain = codecs.lookup(stream.encoding).name == "ascii"
    stream.reconfigure(encoding="utf-8" if plain else None, errors="replace")


def _make_home() -> None:
    """A private folder in place of the home: without one Streamlit ends, and Keras writes into `./~`.

    The user's commands share it, and it stays: one for each command would stay, too, where a signal ends the command.
    If somebody else has made it, the command takes one of its own, which goes with it.
    """
    home = os.path.join(tempfile.gettempdir(), f"kerascope-home-{os.getuid()}")
    with suppress(FileExistsError):
        os.mkdir(home, mode=0o700)
    if not _is_private(home):
        home = tempfile.mkdtemp(prefix="kerascope-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["HOME"] = home


def _is_private(folder: str) -> bool:
    """Whether it is a folder, not a link to one, of this user's, that nobody else may enter."""
    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
