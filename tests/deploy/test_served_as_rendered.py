"""The embedded server in TensorFlow Serving's place: compose's own flags, the rendered files, the probe, metrics."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from benchmarks.processes import free_port
from tests.deploy.test_monitoring import DASHBOARDS, LOADER, names, queries
from tests.deploy.test_render import warm_up
from tests.test_deploy import TENSORFLOW_SERVING_ALONE

pytestmark = pytest.mark.slow

TINY = "tiny-chest"


class Served(NamedTuple):
    """A server that runs with what was rendered."""

    out: Path
    port: int
    rest_port: int

    def ready(self) -> int:
        probe = ["bash", str(self.out / "tfserving" / "ready.sh"), str(self.out / "tfserving" / "models.config")]
        return subprocess.run([*probe, str(self.rest_port)], timeout=60, check=False, capture_output=True).returncode


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, export_tiny) -> Iterator[Served]:
    from serving.deploy.render import Plan, render

    folder = tmp_path_factory.mktemp("served")
    bundles, served = folder / "registry", Served(folder / "out", free_port(), free_port())
    for _ in range(2):
        warm_up(export_tiny(bundles), (1, 2))
    render(Plan(registry=bundles, out=served.out, gpu=False, stable={TINY: 1}, canary={TINY: 2}))
    config = served.out / "tfserving" / "models.config"
    config.write_text(config.read_text().replace("/models/", f"{bundles}/"))
    process = subprocess.Popen(command(served), env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    try:
        wait_until_ready(served, process)
        yield served
    finally:
        process.kill()
        process.wait()


def command(served: Served) -> list[str]:
    """`kerascope serve` with the flags of compose's model server, its paths and ports exchanged."""
    service = yaml.safe_load((served.out / "compose.yaml").read_text())["services"]["model-server-cpu"]
    words = shlex.split(" ".join(service["command"]).replace("/etc/tfserving", str(served.out / "tfserving")))
    flags = [word for word in words if word.split("=")[0].removeprefix("--") not in TENSORFLOW_SERVING_ALONE]
    exchanged = {"--port=8500": f"--port={served.port}", "--rest_api_port=8501": f"--rest_api_port={served.rest_port}"}
    return [sys.executable, "-m", "kerascope", "serve", *(exchanged.get(flag, flag) for flag in flags)]


def wait_until_ready(served: Served, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 240
    while served.ready():
        assert process.poll() is None, "the server ended"
        assert time.monotonic() < end, "the probe does not say that it is ready"
        time.sleep(0.5)


def test_the_labels_reach_the_versions_rendered(served):
    from serving.deploy.control import Control

    with closing(Control(f"localhost:{served.port}")) as control:
        for version in (1, 2):
            control.wait_for(TINY, version, time.monotonic() + 120)
        assert control.labels(TINY, ("stable", "canary", "previous")) == {"stable": 1, "canary": 2}


def test_the_gateway_asks_the_stable_version_although_the_canary_is_newer(served, png):
    from serving.client import Client
    from serving.server import create_server
    from serving.settings import Settings

    bundles = served.out.parent / "registry"
    gateway = create_server(Settings(registry=bundles, model_server=f"localhost:{served.port}", port=0, insecure=True))
    gateway.start()
    try:
        with Client(gateway.address) as client:
            assert client.analyze(png, model=TINY).provenance.version == 1
            assert client.analyze(png, model=TINY, version=2).provenance.version == 2
    finally:
        gateway.stop(0)


def test_every_metric_on_the_dashboard_is_on_the_servers_page(served):
    address = f"http://127.0.0.1:{served.rest_port}/monitoring/prometheus/metrics"
    with urllib.request.urlopen(address, timeout=30) as answer:
        page = answer.read().decode()
    (board,) = [path for path in DASHBOARDS if path.stem == "model-server"]
    asked = {name for query in queries(board) for name in names(query)} - LOADER.keys() - {"up"}
    assert {name for name in asked if name not in page} == set()


@pytest.fixture
def png() -> bytes:
    from tests.serving.conftest import picture, scene

    return picture("PNG", scene())
