"""What a command finds around it and cannot rely on: a locale that has our characters, a home, no proxy."""

from __future__ import annotations

import atexit
import codecs
import io
import os
import shutil
import sys
import tempfile

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
    """A private folder for as long as the process lives: without a home Streamlit ends, and Keras writes into `./~`."""
    home = tempfile.mkdtemp(prefix="kerascope-home-")
    os.environ["HOME"] = home
    atexit.register(shutil.rmtree, home, ignore_errors=True)
