"""The model server and the gateway as processes of their own, as they run in earnest."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving.client import Client
from zoo.bundles import Bundle
from zoo.errors import ModelNotReady


def free_port() -> int:
    """A port nobody listens on now, below those that the kernel gives to outgoing connections: whoever leaves it for a
    while, to be started again, finds it free.

    Linux gives 32768 and above, unless told otherwise (Documentation/networking/ip-sysctl, ip_local_port_range).
    """
    while True:
        port = random.SystemRandom().randrange(20_000, 32_768)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def model_server(bundle: Bundle, *flags: str) -> Iterator[str]:
    """The embedded server on one bundle, with more flags; gives its address at once, see `answering`."""
    port, base = free_port(), str(bundle.path.parent.resolve())
    command = ("serve", "--model_name", bundle.name, "--model_base_path", base, "--port", str(port), *flags)
    with running(_kerascope(*command)):
        yield f"localhost:{port}"


@contextmanager
def running(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """A process that is ended at the end; where it leads a group of its own, with whatever it has started."""
    leads = os.getpgid(process.pid) == process.pid
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if leads:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def answering(ask: Callable[[Any], object], picture: Any, timeout_s: float = 180) -> None:
    """Asks until there is an answer.

    Raises:
        ModelNotReady: there was none in time.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            ask(picture)
            return
        except ModelNotReady:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@contextmanager
def serving(bundle: Bundle, registry: Path) -> Iterator[tuple[str, str]]:
    """Serves one bundle; gives the addresses of the model server and of the gateway, once both answer."""
    model_port, gateway_port = free_port(), free_port()
    model_server, gateway = f"localhost:{model_port}", f"localhost:{gateway_port}"
    base = str(bundle.path.parent.resolve())
    processes = [
        _kerascope("serve", "--model_name", bundle.name, "--model_base_path", base, "--port", str(model_port)),
        _kerascope(
            *("gateway", "--insecure", "--registry", str(registry)),
            *("--model-server", model_server, "--port", str(gateway_port)),
        ),
    ]
    try:
        with Client(gateway) as client:
            client.wait_until_ready(bundle.name, timeout_s=120)
        yield model_server, gateway
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)


def _kerascope(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kerascope", *arguments]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
