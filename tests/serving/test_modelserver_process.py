"""The embedded model server as a process: signals, a port in use, a socket."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.modelserver.config import model_server_config
from serving.modelserver.options import Options
from serving.modelserver.server import run
from tests.serving.model_server_client import WAIT_S, Client, wait_until
from tests.serving.tiny_models import write_line
from zoo.errors import BadConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAM = """
import logging, sys
from serving.modelserver.config import model_server_config
from serving.modelserver.options import Options
from serving.modelserver.server import run
logging.basicConfig(level=logging.INFO)
base_path, socket_path = sys.argv[1:]
options = Options(port=0, model_name="line", model_base_path=base_path, grpc_socket_path=socket_path)
sys.exit(run(options))
"""
SOCKET = "grpc.sock"

Launch = Callable[..., subprocess.Popen]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Launch]:
    started: list[subprocess.Popen] = []

    def launched() -> subprocess.Popen:
        command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(tmp_path / SOCKET)]
        started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield launched
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(launch: Launch, tmp_path: Path, number: signal.Signals) -> None:
    write_line(tmp_path, 1)
    process = launch()
    wait_until((tmp_path / SOCKET).exists)
    client = Client(f"unix:{tmp_path / SOCKET}")
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    assert client.answering_version() == 1
    process.send_signal(number)
    _, told = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, told
    assert "Traceback" not in told


def test_a_port_in_use_is_told_in_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("0.0.0.0", 0)) as held:
        port = held.getsockname()[1]
        assert run(Options(port=port, model_base_path=str(tmp_path))) == 1
    assert [record.message.split(":")[0] for record in caplog.records] == ["The model server cannot listen on 0.0.0.0"]
    assert f"0.0.0.0:{port}" in caplog.text


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": -1},
        {"file_system_poll_wait_seconds": -1},
        {"model_base_path": ""},
        {"batch_padding_policy": "MINIMIZE_TPU_COST_PER_REQUEST"},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict) -> None:
    with pytest.raises(BadConfig):
        Options(**{"model_base_path": "/models/line", **wrong})


def test_a_relative_base_path_is_meant_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = model_server_config(Options(model_base_path="registry/line"))
    assert config.model_config_list.config[0].base_path == str(tmp_path / "registry" / "line")
