"""Gateways, pictures and pages for the dashboard's tests."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow
from streamlit.testing.v1 import AppTest

from benchmarks.processes import free_port
from dashboard import launch, viewer
from serving.store.store import Store
from tests.dashboard.browsing import CHROMIUM, QUIET
from tests.dashboard.canned import CannedGateway
from zoo.results import Method
from zoo.tasks import BREAST_ULTRASOUND, PHANTOM_CHEST

if TYPE_CHECKING:
    from playwright.sync_api import Browser

APP = Path(__file__).parents[2] / "dashboard" / "app.py"


def png(height: int = 96, width: int = 96, seed: int = 0) -> bytes:
    """A grey picture of smooth blobs."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(coarse).resize((width, height), Pillow.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one generated chest radiograph as DICOM and one PNG."""
    from training.datasets.phantoms import generate

    root = tmp_path_factory.mktemp("samples")
    manifest = generate(root / "phantoms", patients=1, images_per_patient=(1, 1), size=256, seed=1, workers=1)
    folder = root / "offered"
    folder.mkdir()
    for radiograph in sorted((manifest.parent / "images").iterdir()):
        radiograph.rename(folder / f"a-{radiograph.name}")
    (folder / "b-DOE_JANE.png").write_bytes(png(seed=5))
    return folder


@pytest.fixture
def canned() -> Iterator[CannedGateway]:
    gateway = CannedGateway().start()
    yield gateway
    gateway.stop()


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[CannedGateway]:
    """A canned gateway with a store, and a model that reads CT."""
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    gateway = CannedGateway((PHANTOM_CHEST, replace(BREAST_ULTRASOUND, modalities=("CT",))), store=store).start()
    yield gateway
    gateway.stop()
    store.close()


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CannedGateway]:
    """The same for all tests of a module."""
    store = Store(f"sqlite:///{tmp_path_factory.mktemp('store') / 'store.db'}")
    gateway = CannedGateway((PHANTOM_CHEST, replace(BREAST_ULTRASOUND, modalities=("CT",))), store=store).start()
    yield gateway
    gateway.stop()
    store.close()


class Page:
    """The dashboard under Streamlit's AppTest, read as a person reads it."""

    def __init__(self, script: str = "") -> None:
        """The app; or the page that a script draws, with what stands around it."""
        self.app = (
            AppTest.from_string(script, default_timeout=60)
            if script
            else AppTest.from_file(str(APP), default_timeout=60)
        )
        self.run()
        assert "Before you begin" in self.text
        self.app.button(key="accept").click()
        self.run()

    def run(self) -> Page:
        self.app.run()
        assert not self.app.exception, self.app.exception
        assert "Research use only" in self.text or "Nur für Forschungszwecke" in self.text
        assert "Traceback" not in self.text
        return self

    @property
    def html(self) -> str:
        return "\n".join(element.value for element in self.app.get("html") if "<style>" not in element.value)

    @property
    def text(self) -> str:
        map_ = self.viewer["map"] or {} if self.viewer else {}
        said = " ".join([self.html, map_.get("strength", ""), map_.get("note", "")])
        return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", said)))

    @property
    def viewer(self) -> dict[str, Any]:
        """What the viewer was handed; empty where there is none on the page."""
        return next(iter(self.viewers), {})

    @property
    def viewers(self) -> list[dict[str, Any]]:
        """What each viewer on the page was handed."""
        protos = [found.proto for found in self.app.get("bidi_component")]
        return [json.loads(proto.json) for proto in protos if proto.component_name == viewer.NAME]

    @property
    def charts(self) -> list[list[dict[str, Any]]]:
        """The rows of each chart on the page."""
        import pyarrow as arrow

        protos = [element.proto for element in self.app.get("vega_lite_chart")]
        packed = [proto.datasets[0].data.data if proto.datasets else proto.data.data for proto in protos]
        return [arrow.RecordBatchStreamReader(each).read_all().to_pylist() for each in packed]

    def upload(self, *files: bytes) -> Page:
        self.app.file_uploader[0].set_value([("DOE_JANE", data, "application/octet-stream") for data in files])
        return self.run()

    def sample(self, number: int) -> Page:
        box = self.app.selectbox(key="sample")
        box.select_index(number - 1)
        return self.run()

    @property
    def question(self) -> str | None:
        """The model that is asked."""
        chosen: str | None = self.app.radio(key="question").value
        return chosen

    def ask(self, model: str) -> Page:
        self.app.radio(key="question").set_value(model)
        return self.run()

    def choose(self, label: str) -> Page:
        self.app.button(key=f"choose-{label}").click()
        return self.run()

    def explain(self, method: Method = Method.GRAD_CAM) -> Page:
        self.app.multiselect(key="methods").set_value([method])
        self.app.button(key="explain").click()
        return self.run()

    @property
    def overlay(self) -> tuple[str, bool]:
        """The switch's label and how it stands to begin with."""
        return self.viewer["map"]["title"], self.viewer["map"]["on"]


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch, samples: Path) -> Callable[..., Page]:
    """open_page(address, script=""): a new session of the dashboard on the gateway at `address`."""

    def open_at(address: str, script: str = "") -> Page:
        monkeypatch.setenv("KERASCOPE_GATEWAY", address)
        monkeypatch.setenv("KERASCOPE_SAMPLES", str(samples))
        return Page(script)

    return open_at


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not Path(CHROMIUM).exists():
        pytest.skip(f"no browser at {CHROMIUM}; .ci/run installs it")
    with playwright.sync_playwright() as running:
        chromium = running.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def serve() -> Iterator[Callable[..., str]]:
    """serve(gateway, samples): a dashboard in a process of its own; gives its address."""
    with ExitStack() as running:

        def start(gateway: str, samples: Path) -> str:
            port = free_port()
            process = launch.start(host="127.0.0.1", port=port, gateway=gateway, samples=samples)
            running.callback(launch.stop, process)
            assert launch.wait_until_up(port, timeout_s=60)
            return f"http://127.0.0.1:{port}"

        yield start


@pytest.fixture(scope="module")
def canned_address(serve: Callable[..., str], samples: Path, keeper: CannedGateway) -> str:
    """A dashboard on `keeper`."""
    return serve(keeper.address, samples)
