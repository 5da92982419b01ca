"""A PostgreSQL cluster of one's own on this machine; not run by root, which PostgreSQL refuses."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from pathlib import Path

from benchmarks.processes import free_port
from zoo import errors

MISSING = "PostgreSQL is not on this machine. On Debian and Ubuntu: apt-get install postgresql"


def programs() -> Path | None:
    """The folder of PostgreSQL's programs; None where it is not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    found = str(versions[-1] / "initdb") if versions else shutil.which("initdb")
    return Path(found).parent if found else None


class Cluster:
    """A PostgreSQL server on a free port of this machine.

    Args:
        folder: where it lives.

    Raises:
        BadConfig: PostgreSQL is not on this machine.
    """

    def __init__(self, folder: Path) -> None:
        found = programs()
        if found is None:
            raise errors.BadConfig(MISSING)
        self._bin, self._folder = found, folder
        self._as = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        if self._as:
            shutil.chown(folder, "postgres")
        self.port = free_port()
        self._run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "tests", "--no-sync")
        self.start()

    def start(self) -> None:
        """Starts it; it answers when this returns."""
        options = f"-p {self.port} -k {self._folder} -c fsync=off -c listen_addresses=127.0.0.1"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-l", f"{self._folder}/log", "-o", options, "start")

    def stop(self) -> None:
        """Ends it as a power cut would: connections break, and what was committed comes back at the next start."""
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-w", "-m", "immediate", "stop")

    def database(self) -> str:
        """The URL of a new one."""
        name = f"store_{uuid.uuid4().hex[:8]}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "tests", name)
        return f"postgresql://tests@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as, str(self._bin / program), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=120, check=False
        )
        if done.returncode:
            raise errors.BadConfig(f"{program} failed: {done.stderr.decode(errors='replace').strip()}")
