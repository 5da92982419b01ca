"""The dashboard in a real browser, on a real gateway: what a clinician does, and what it looks like."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dashboard import launch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

    from serving.server import Gateway

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "build" / "demo"
SCREENSHOTS = ROOT / "build" / "screenshots"
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000  # two busy cores


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
def serve() -> Iterator[Callable[[str, Path], str]]:
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
def address(serve: Callable[[str, Path], str], gateway, samples: Path) -> str:
    return serve(gateway.address, samples)


@pytest.fixture
def demo(request: pytest.FixtureRequest) -> Path:
    """What `make demo` made here, or a small one: the README's picture should not be of random weights."""
    made = (DEMO / "summary.json").is_file()
    return DEMO if made else request.getfixturevalue("small_demo").home


@pytest.fixture
def demo_gateway(demo: Path, start_gateway: Callable[..., Gateway]) -> Iterator[str]:
    """A gateway on the model of the demo."""
    from serving.modelserver.options import Options
    from serving.modelserver.server import create_server

    name = json.loads((demo / "summary.json").read_text())["model"]
    server = create_server(Options(model_name=name, model_base_path=str(demo / "registry" / name), port=0))
    server.start()
    assert server.wait_until_settled(60)
    yield start_gateway(demo / "registry", server.port).address
    server.stop(0)


def visit(browser: Browser, address: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_text("Gateway ready").wait_for()
    return page


def take_sample(page: Page, number: int = 1) -> None:
    page.get_by_role("combobox", name="Or take a sample").click()
    page.get_by_role("option").nth(number - 1).click()
    page.locator(".ks-finding").first.wait_for()


def source(page: Page) -> str:
    return page.locator(".ks-viewer img").first.get_attribute("src") or ""


def elsewhere(address: str, requests: list[str]) -> Callable[[Request], None]:
    """Notes every request that goes anywhere but to the dashboard."""

    def note(request: Request) -> None:
        if not request.url.startswith((address, address.replace("http", "ws"), "data:", "blob:")):
            requests.append(request.url)

    return note


def test_from_a_sample_to_findings_overlay_and_grad_cam(browser, address):
    page = visit(browser, address)
    requests: list[str] = []
    page.on("request", elsewhere(address, requests))
    take_sample(page)
    assert page.get_by_text("Research use only").is_visible()
    assert page.locator(".ks-headline").inner_text().startswith("The model finds nodule")

    with_map = source(page)
    page.get_by_text("Evidence for nodule").click()
    page.wait_for_function("before => document.querySelector('.ks-viewer img').src !== before", arg=with_map)
    page.get_by_text("Evidence for nodule").click()
    page.wait_for_function("after => document.querySelector('.ks-viewer img').src === after", arg=with_map)

    page.get_by_role("tab", name="Compare maps").click()
    page.get_by_role("button", name="Compute the map").click()
    page.get_by_text("cosine similarity").wait_for()
    assert "Grad-CAM took" in page.locator(".ks-viewer figcaption").last.inner_text()

    page.get_by_role("tab", name="Findings").click()
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "dashboard.png", animations="disabled")
    assert requests == []
    page.close()


def test_the_trained_model_of_the_demo_has_its_picture_taken(browser, serve, demo: Path, demo_gateway: str):
    page = visit(browser, serve(demo_gateway, demo / "samples"), height=960)
    take_sample(page)
    page.locator(".stSlider").wait_for()
    page.screenshot(path=SCREENSHOTS / "dashboard.png", animations="disabled")
    page.close()


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 900, "light"), (1920, 1080, "dark")])
def test_nothing_moves_and_nothing_sticks_out(browser, address, width, height, scheme):
    page = visit(browser, address, width=width, height=height, scheme=scheme)
    page.get_by_text("How to begin").wait_for()
    before = page.locator(".ks-screen").first.bounding_box()
    take_sample(page)
    assert page.locator(".ks-screen").first.bounding_box() == before
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    heading = page.locator(".ks-head h1").evaluate("e => getComputedStyle(e).color")
    assert (heading == "rgb(23, 34, 43)") == (scheme == "light")
    page.close()


def test_the_notice_stays_in_sight_when_the_card_is_scrolled(browser, address):
    page = visit(browser, address)
    page.get_by_role("tab", name="Model card").click()
    page.get_by_text("Weights' SHA-256").last.scroll_into_view_if_needed()
    box = page.locator(".ks-notice").bounding_box()
    assert box is not None
    assert 0 <= box["y"] < 900
    page.close()


def test_the_page_notices_by_itself_that_the_gateway_went_and_came_back(browser, serve, samples):
    from tests.dashboard.canned import CannedGateway

    canned = CannedGateway().start()
    page = visit(browser, serve(canned.address, samples))
    canned.stop()
    page.get_by_text("Gateway away").wait_for()
    canned.start()
    page.get_by_text("Gateway ready").wait_for()
    canned.stop()
    page.close()


def test_sigterm_stops_the_dashboard_and_what_it_started(tmp_path):
    port = free_port()
    code = f"import sys; from dashboard.launch import run; sys.exit(run(port={port}, gateway='127.0.0.1:1'))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, cwd=tmp_path)
    try:
        assert launch.wait_until_up(port, timeout_s=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        launch.stop(process)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
