"""A stranger's machine: a fresh environment of one extra, and surroundings that promise nothing."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.waiting import until

STOP_WITHIN_S = 30


@dataclass(frozen=True)
class Stranger:
    """Runs the commands of one environment from a folder that at first is empty.

    Attributes:
        environment: the virtual environment.
        folder: the working folder; its path has a space in it.
    """

    environment: Path
    folder: Path

    @property
    def site(self) -> Path:
        """Where the environment's packages lie."""
        return next(self.environment.glob("lib/python3.*/site-packages"))

    def surroundings(self) -> dict[str, str]:
        """No home, no network (a proxy at which nobody listens), and a locale of ASCII."""
        file = self.folder / "a file"
        file.touch()
        nowhere = "http://127.0.0.1:9"
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(file / "home"),
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
            "no_proxy": "localhost,127.0.0.1",
        }

    def run(self, *words: str | Path, status: int | None = 0, **variables: str) -> str:
        """A command's standard output and error, once it has ended with `status`, None for any; without a traceback."""
        done = subprocess.run(
            self._command(*words),
            cwd=self.folder,
            env=self.surroundings() | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=400,
            check=False,
        )
        said = done.stdout.decode("utf-8")
        assert status in (None, done.returncode), said
        assert "Traceback" not in said, said
        return said

    @contextmanager
    def serving(self, *words: str | Path, port: int) -> Iterator[Path]:
        """A command that serves until it is stopped, from when it listens on `port`; gives the file of its output."""
        log = self.folder / f"{words[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(*words), cwd=self.folder, env=self.surroundings(), stdout=output, stderr=output
            )
        try:
            until(lambda: process.poll() is not None or listens(port))
            assert process.poll() is None, log.read_text("utf-8")
            yield log
        finally:
            process.terminate()
            process.wait(STOP_WITHIN_S)
        assert "Traceback" not in log.read_text("utf-8"), log.read_text("utf-8")

    def _command(self, *words: str | Path) -> list[str]:
        return [str(self.environment / "bin" / "kerascope"), *map(os.fspath, words)]


def listens(port: int) -> bool:
    """Whether anybody answers on a port of this machine."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """A port at which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
