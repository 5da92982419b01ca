"""A real model server on a free port, for as long as a test needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.modelserver.options import Options
from serving.modelserver.server import ModelServer, create_server
from tests.serving.model_server_client import WAIT_S, Client


@contextmanager
def running(base_path: Path, name: str = "line", **options: object) -> Iterator[ModelServer]:
    """Serves the one model below `base_path`; its versions are loaded, or have failed to load."""
    where = {} if "model_config_file" in options else {"model_name": name, "model_base_path": str(base_path)}
    usual = {"file_system_poll_wait_seconds": 0.05, "max_num_load_retries": 0}
    server = create_server(Options(port=0, **{**usual, **where, **options}))
    server.start()
    try:
        assert server.wait_until_settled(WAIT_S)
        yield server
    finally:
        server.stop(0)


@contextmanager
def asked(base_path: Path, name: str = "line", **options: object) -> Iterator[Client]:
    """The same, as its client sees it."""
    with running(base_path, name, **options) as server:
        yield Client(f"localhost:{server.port}")
