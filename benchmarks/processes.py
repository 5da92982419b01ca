"""The model server and the gateway as processes of their own, as they run in earnest."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.client import Client
from zoo.bundles import Bundle


def free_port() -> int:
    """A port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(bundle: Bundle, registry: Path) -> Iterator[tuple[str, str]]:
    """Serves one bundle; gives the addresses of the model server and of the gateway, once both answer."""
    model_port, gateway_port = free_port(), free_port()
    model_server, gateway = f"localhost:{model_port}", f"localhost:{gateway_port}"
    base = str(bundle.path.parent.resolve())
    processes = [
        _kerascope("serve", "--model_name", bundle.name, "--model_base_path", base, "--port", str(model_port)),
        _kerascope("gateway", "--registry", str(registry), "--model-server", model_server, "--port", str(gateway_port)),
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
