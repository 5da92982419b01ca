"""Background processes of `make demo`: started with a log each, waited for, and stopped together."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from zoo import errors

KERASCOPE = (sys.executable, "-m", "kerascope")
LOCAL = "127.0.0.1"
_RESERVED: list[socket.socket] = []


@dataclass
class Services:
    """Processes in the background.

    Attributes:
        logs: the folder of their logs.
        processes: by name, in the order in which they were started.
    """

    logs: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str, *arguments: str) -> None:
        """Starts `kerascope <arguments>`; its output goes to `<logs>/<name>.log`."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("wb") as log:
            # In a session of its own, so that Ctrl-C reaches this process alone, which then stops the others in order.
            self.processes[name] = subprocess.Popen(
                [*KERASCOPE, *arguments], stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )

    def check(self) -> None:
        """Looks whether all still run.

        Raises:
            ModelNotReady: one has ended by itself; the message has the end of its log.
        """
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (self.logs / f"{name}.log").read_text(errors="replace")
                raise errors.ModelNotReady(f"The {name} stopped with status {process.returncode}:\n{log[-2000:]}")

    def wait_until(self, ready: Callable[[], bool], what: str, console: Console, timeout_s: float = 600) -> None:
        """Waits with a spinner; a service that ends meanwhile is an error at once.

        Raises:
            ModelNotReady: a service ended.
            BackendTimeout: `timeout_s` seconds were not enough.
        """
        deadline = time.monotonic() + timeout_s
        with console.status(f"Waiting for {what}"):
            while not ready():
                self.check()
                if time.monotonic() > deadline:
                    raise errors.BackendTimeout(f"{what} did not answer within {timeout_s:.0f} s; see {self.logs}.")
                time.sleep(0.2)

    def stop(self) -> None:
        """Asks each to stop, the last started first, and waits; one that does not listen is killed."""
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in reversed(self.processes.values()):
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()


def free_port(wanted: int) -> int:
    """`wanted` if nothing listens there and no other demo has reserved it, else any free port of this machine.

    It stays reserved for as long as this process lives, by a UDP socket of the same number: a service opens its TCP
    port only seconds later, and two demos that begin together would take the same ones.

    Raises:
        BadConfig: no port is free.
    """
    for port in (wanted, *[0] * 20):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reservation = socket.socket(type=socket.SOCK_DGRAM)
            try:
                probe.bind((LOCAL, port))
                reservation.bind(probe.getsockname())
            except OSError:
                reservation.close()
                continue
        _RESERVED.append(reservation)
        return int(reservation.getsockname()[1])
    raise errors.BadConfig("No port of this machine is free. Stop some programs that listen.")


def listens(address: str) -> bool:
    """Whether something listens at host:port."""
    host, port = address.rsplit(":", 1)
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, int(port))) == 0
