"""The readiness probe: GetModelStatus by bash alone, against a page like TensorFlow Serving's."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.test_deploy import DEPLOY

CONFIG = 'model_config_list {\n  config {\n    name: "a"\n  }\n  config {\n    name: "b"\n  }\n}\n'


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[Callable[..., int]]:
    """probe(a="AVAILABLE", ...): the script's exit status where the REST API tells these states."""
    states: dict[str, str] = {}

    class Api(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """https://www.tensorflow.org/tfx/serving/api_rest, "Model status API"."""
            state = states.get(self.path.removeprefix("/v1/models/"))
            status = {"version": "1", "state": state, "status": {"error_code": "OK", "error_message": ""}}
            body = json.dumps(
                {"model_version_status": [status]} if state else {"error": "not found"}, indent=1
            ).encode()
            self.send_response(200 if state else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def run(config: str = CONFIG, **said: str) -> int:
        states.clear()
        states.update(said)
        (tmp_path / "models.config").write_text(config)
        command = ["bash", str(DEPLOY / "tfserving" / "ready.sh"), str(tmp_path / "models.config")]
        return subprocess.run([*command, str(server.server_port)], timeout=20, check=False).returncode

    yield run
    server.shutdown()
    server.server_close()


def test_a_server_is_ready_when_every_model_has_an_available_version(probe):
    assert probe(a="AVAILABLE", b="AVAILABLE") == 0


@pytest.mark.parametrize(
    "said", [{"a": "AVAILABLE", "b": "LOADING"}, {"a": "AVAILABLE"}, {"a": "UNLOADING", "b": "END"}]
)
def test_a_model_that_loads_or_is_not_known_makes_it_not_ready(probe, said):
    assert probe(**said) != 0


def test_a_configuration_without_a_model_is_not_ready(probe):
    assert probe(config="model_config_list {}", a="AVAILABLE") != 0


def test_nobody_who_listens_is_not_ready(tmp_path):
    (tmp_path / "models.config").write_text(CONFIG)
    command = ["bash", str(DEPLOY / "tfserving" / "ready.sh"), str(tmp_path / "models.config"), "1"]
    assert subprocess.run(command, timeout=20, check=False, capture_output=True).returncode != 0
