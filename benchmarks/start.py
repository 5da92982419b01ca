"""How quickly the command answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import Measured, compare


def measure(_: Path) -> Iterator[Measured]:
    """`kerascope --help` by an empty Python; the bar of half a second is on the time itself."""
    found = compare(
        "kerascope --help",
        lambda: _run("-m", "kerascope", "--help"),
        "python -c pass",
        lambda: _run("-c", "pass"),
        rounds=10,
    )
    bar = 500 / found.peer_ms
    yield Measured(found.name, found.peer, found.ms, found.peer_ms, found.ratio, bar)


def _run(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
