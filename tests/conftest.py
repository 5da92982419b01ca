"""A tiny model on real servers, for every test that asks one: bundle -> model server -> gateway -> client.

registry       folder with one bundle, `tiny-chest` version 1, a small CNN on 64 x 64 grey pixels, random weights
model_server   the embedded model server on it, on a free port
gateway        the gateway on both, on a free port; `gateway.address` is what a client takes
client         a client of that gateway
small_demo     what `make demo ONCE=1` made, with few phantoms and one epoch
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from zoo import tasks
from zoo.cards import InputSpec, Interval, Label, ModelCard, OperatingPoint, Training, TrainingData

if TYPE_CHECKING:
    import keras

    from serving.client import Client
    from serving.modelserver.server import ModelServer
    from serving.server import Gateway
    from zoo.bundles import Bundle

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

TINY = "tiny-chest"
TINY_INPUT = InputSpec(height=64, width=64, channels=1, modalities=tasks.PHANTOM_CHEST.modalities)


def operating_point(threshold: float, low: float, high: float) -> OperatingPoint:
    return OperatingPoint(
        threshold=threshold,
        not_sure=(low, high),
        chosen_by="Youden's J on validation",
        sensitivity=Interval(value=0.91, low=0.85, high=0.95),
        specificity=Interval(value=0.88, low=0.82, high=0.93),
    )


# One label for each verdict whatever the weights: a sigmoid lies between 0 and 1.
TINY_POINTS = {
    "nodule": operating_point(0.0, 0.0, 0.0),  # always present
    "consolidation": operating_point(1.0, 1.0, 1.0),  # always absent
    "effusion": operating_point(0.5, 0.0, 1.0),  # always not sure
    "cardiomegaly": operating_point(0.5, 0.45, 0.55),
    "pneumothorax": None,  # unrated
}


def tiny_card(model: keras.Model, name: str = TINY) -> ModelCard:
    """The card of a tiny model, as training would hand it to `zoo.export`."""
    from zoo.models import classifier

    task = tasks.PHANTOM_CHEST
    rows, columns, size = model.get_layer(classifier.evidence_layer(model)).output.shape[1:]
    return ModelCard(
        name=name,
        version=1,
        task=task.name,
        question=task.question,
        kind=task.kind,
        backbone="small-cnn",
        parameters=model.count_params(),
        input=TINY_INPUT,
        labels=tuple(Label(name=label, operating_point=TINY_POINTS[label]) for label in task.labels),
        evidence_layer=classifier.evidence_layer(model),
        evidence_grid=(rows, columns),
        embedding_size=size,
        licence="Apache-2.0",
        intended_use="tests",
        not_for=task.not_for,
        data=TrainingData(name="none", fingerprint="0" * 64, images={}, grouped_by="image"),
        training=Training(config={}, code_revision="unknown", packages={}),
        created="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    _export_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def model_server(registry: Path) -> Iterator[ModelServer]:
    server = _start_model_server(registry)
    yield server
    server.stop(0)


@pytest.fixture(scope="session")
def gateway(registry: Path, model_server: ModelServer) -> Iterator[Gateway]:
    gateway = _start_gateway(registry, model_server.port)
    yield gateway
    gateway.stop(0)


@pytest.fixture(scope="session")
def client(gateway: Gateway) -> Iterator[Client]:
    from serving.client import Client

    with Client(gateway.address) as client:
        yield client


@pytest.fixture(scope="session")
def export_tiny() -> Callable[..., Bundle]:
    """export_tiny(registry, name="tiny-chest", seed=0, modalities=(...)): one more version of a tiny model."""
    return _export_tiny


@pytest.fixture
def start_model_server() -> Iterator[Callable[..., ModelServer]]:
    """start_model_server(registry, port=0): on `tiny-chest`, and stopped at the end of the test."""
    started: list[ModelServer] = []

    def start(registry: Path, **options: int) -> ModelServer:
        started.append(_start_model_server(registry, **options))
        return started[-1]

    yield start
    for server in started:
        server.stop(0)


@pytest.fixture
def start_gateway() -> Iterator[Callable[..., Gateway]]:
    """start_gateway(registry, model_server_port, **settings): stopped at the end of the test."""
    started: list[Gateway] = []

    def start(registry: Path, model_server_port: int, **settings: object) -> Gateway:
        started.append(_start_gateway(registry, model_server_port, **settings))
        return started[-1]

    yield start
    for gateway in started:
        gateway.stop(0)


def _export_tiny(
    registry: Path, *, name: str = TINY, seed: int = 0, modalities: tuple[str, ...] = TINY_INPUT.modalities
) -> Bundle:
    from zoo.export import export
    from zoo.models import classifier

    labels = len(tasks.PHANTOM_CHEST.labels)
    model = classifier.build(backbone="small-cnn", labels=labels, spec=TINY_INPUT, seed=seed)
    spec = TINY_INPUT.model_copy(update={"modalities": modalities})
    card = tiny_card(model, name).model_copy(update={"input": spec})
    return export(model, card, registry, batch_sizes=(1,))


def _start_model_server(registry: Path, *, port: int = 0) -> ModelServer:
    from serving.modelserver.options import Options
    from serving.modelserver.server import create_server

    options = Options(
        model_name=TINY,
        model_base_path=str(registry / TINY),
        port=port,
        file_system_poll_wait_seconds=0.2,
        enable_model_warmup=False,
    )
    server = create_server(options)
    server.start()
    assert server.wait_until_settled(60)
    return server


def _start_gateway(registry: Path, model_server_port: int, **settings: object) -> Gateway:
    from serving.server import create_server
    from serving.settings import Settings

    quick: dict[str, object] = {"port": 0, "watch_interval_s": 0.2, "request_timeout_s": 20.0, "insecure": True}
    chosen = quick | {"registry": registry, "model_server": f"localhost:{model_server_port}"} | settings
    gateway = create_server(Settings.from_environment({}, **chosen))
    gateway.start()
    return gateway


@dataclass(frozen=True)
class SmallDemo:
    """What `make demo ONCE=1` made, small: fewer phantoms, one epoch.

    Attributes:
        home: the folder it filled.
        printed: what it printed.
    """

    home: Path
    printed: str

    def command(self, *flags: str, home: Path | None = None) -> list[str]:
        """The same demo once more, or a copy of it elsewhere; without `--once` it serves until it is stopped."""
        return [*_demo(home or self.home), *flags]


def _demo(home: Path) -> list[str]:
    script = Path(__file__).parents[1] / "deploy" / "demo.py"
    small = ["--patients", "40", "--size", "128", "--set", "image_size=48", "--set", "stage.2.epochs=1"]
    return [sys.executable, str(script), "--home", str(home), *small]


@pytest.fixture(scope="session")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> SmallDemo:
    home = tmp_path_factory.mktemp("demo")
    done = subprocess.run([*_demo(home), "--once"], capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return SmallDemo(home, done.stdout)
