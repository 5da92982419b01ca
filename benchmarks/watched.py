"""A model server and a gateway as processes of their own, and what memory the gateway takes while a load runs."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.processes import free_port, model_server, running
from serving.client import Client
from zoo.bundles import Bundle

SAMPLE_S = 0.02


class Memory:
    """The resident memory of a process, looked at every 20 ms.

    Attributes:
        peak_mib: the most since it was made, or since `reset`.
    """

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.peak_mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def now_mib(self) -> float:
        """What it takes now."""
        (line,) = (line for line in self._status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def reset(self) -> None:
        """Forgets the peak so far."""
        self.peak_mib = self.now_mib()

    def stop(self) -> None:
        """Looks no more; to be called while the process is there."""
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(SAMPLE_S):
            self.peak_mib = max(self.peak_mib, self.now_mib())


@contextmanager
def watched(bundle: Bundle, registry: Path, *flags: str) -> Iterator[tuple[str, Memory]]:
    """Serves one bundle; gives the gateway's address, once it answers, and its memory."""
    port = free_port()
    gateway = [sys.executable, "-m", "kerascope", "gateway", "--insecure", "--registry", str(registry)]
    with model_server(bundle) as address:
        gateway += ["--model-server", address, "--port", str(port), *flags]
        process = subprocess.Popen(gateway, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with running(process):
            with Client(f"localhost:{port}", connect_timeout_s=120) as client:
                client.wait_until_ready(bundle.name, timeout_s=120)
            memory = Memory(process.pid)
            try:
                yield f"localhost:{port}", memory
            finally:
                memory.stop()
