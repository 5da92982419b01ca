"""A disk that can be full: a small one where this machine lets us mount it, else files that may not grow."""

from __future__ import annotations

import errno
import resource
import subprocess
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

SIZE_MIB = 256
BLOCK = bytes(1 << 16)
# What a file may still hold on a disk that is said to be full: less than an image, and less than the logs have.
MOST_BYTES = 4096


class Disk:
    """A folder that at times takes no more.

    Where a file system may be mounted it is one of 256 MiB in memory, filled by a file of zeros (ENOSPC). Elsewhere the
    processes are told that their files may not grow (setrlimit(2), RLIMIT_FSIZE: EFBIG), which needs no privilege.

    Attributes:
        folder: made if need be.
        kind: which of the two, in words.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        options = ["-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=700", "kerascope-chaos", str(folder)]
        self._mounted = _done("mount", *options)
        self.kind = f"a file system of {SIZE_MIB} MiB" if self._mounted else "a limit on the size of files"
        self._filler = folder / "filler"
        self._limited: list[int] = []

    def fill(self, processes: Iterable[int]) -> None:
        """From now on nothing more can be written, at least by these processes."""
        if not self._mounted:
            self._limited = list(processes)
            _limit(self._limited, MOST_BYTES)
            return
        with self._filler.open("ab", buffering=0) as file:
            _pour(file)

    def free(self) -> None:
        """There is room again."""
        self._filler.unlink(missing_ok=True)
        _limit(self._limited, resource.RLIM_INFINITY)
        self._limited = []

    def remove(self) -> None:
        """Ends it, with all that is on it."""
        if self._mounted:
            _done("umount", "-l", str(self.folder))


def _pour(file: FileIO) -> None:
    """Zeros until not one more byte has room."""
    block = BLOCK
    while block:
        try:
            file.write(block)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            block = block[: len(block) // 2]


def _limit(processes: Iterable[int], most_bytes: int) -> None:
    for process in processes:
        hard = resource.prlimit(process, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(process, resource.RLIMIT_FSIZE, (most_bytes, hard))


def _done(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False
