"""The dashboard in a real browser, on a real gateway: what a clinician does, and what it looks like."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.processes import free_port
from dashboard import launch
from serving.client import Client
from tests.dashboard.browsing import (
    ROOT,
    ask,
    drawn,
    faults,
    picture_of,
    take_sample,
    upload,
    visit,
    whole,
)

if TYPE_CHECKING:
    from playwright.sync_api import Request


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def address(serve: Callable[[str, Path], str], gateway, samples: Path) -> str:
    return serve(gateway.address, samples)


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

    drawn(page, overlay="heat")
    with_map = picture_of(page)
    page.get_by_role("switch", name="Evidence for nodule").uncheck(force=True)
    drawn(page, overlay="")
    assert picture_of(page) != with_map
    page.get_by_role("switch", name="Evidence for nodule").check(force=True)
    drawn(page, overlay="heat")
    assert picture_of(page) == with_map
    drawings = {whole(page)}
    for mode in ("contour", "box"):
        page.get_by_role("combobox", name="As", exact=True).select_option(mode)
        drawn(page, overlay=mode)
        drawings.add(whole(page))
    assert len(drawings) == 3

    page.get_by_role("tab", name="Explain").click()
    page.get_by_role("button", name="Compute the maps").click()
    page.get_by_text("cosine similarity").wait_for()
    assert "Grad-CAM took" in page.locator(".ks-viewer figcaption").last.inner_text()

    assert requests == []
    page.close()


@pytest.mark.parametrize(("width", "height", "scheme"), [(1280, 900, "light"), (1920, 1080, "dark")])
def test_nothing_moves_and_nothing_sticks_out(browser, address, width, height, scheme):
    page = visit(browser, address, width=width, height=height, scheme=scheme)
    page.get_by_text("How to begin").wait_for()
    before = page.locator(".screen").bounding_box()
    take_sample(page)
    drawn(page)
    assert page.locator(".screen").bounding_box() == before
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


def test_from_an_upload_to_finding_overlay_answer_and_export(browser, canned_address, keeper):
    from tests.dashboard.pictures import ct

    page = visit(browser, canned_address, width=1920, height=1080)
    ask(page, "breast ultrasound")
    page.get_by_role("textbox", name="Your name").fill("Dr Example")
    page.get_by_role("textbox", name="Your name").press("Enter")
    y, x = np.mgrid[:256, :256]
    upload(page, ct(3 * x - 2 * y))
    page.get_by_text("Most likely: malignant (81 %)").wait_for()
    drawn(page, overlay="heat")

    page.get_by_role("tab", name="Answer back").click()
    page.get_by_role("radio", name="Accept").or_(page.get_by_role("button", name="Accept")).first.click()
    page.get_by_text("I sign this as my own reading").click()
    page.get_by_role("button", name="Send the answer").click()
    page.get_by_text("Dr Example (signed)").wait_for()
    for name, begins in (
        ("PDF", b"%PDF"),
        ("CSV", b"finding,"),
        ("PNG", b"\x89PNG"),
        ("DICOM SR", bytes(128) + b"DICM"),
    ):
        with page.expect_download() as download:
            page.get_by_role("button", name=name, exact=True).click()
        assert Path(download.value.path()).read_bytes().startswith(begins), name

    page.get_by_role("link", name="Worklist").click()
    page.get_by_text("Answers: 1").wait_for()
    lines = page.locator(".ks-row").count()
    with Client(keeper.address) as client:
        client.analyze(ct(3 * x - 2 * y + 1), model="breast-ultrasound")
    page.locator(".ks-row").nth(lines).wait_for()  # nobody has clicked
    page.locator('[class*="st-key-open-"] button').first.click()
    page.get_by_text("Most likely: malignant (81 %)").wait_for()
    page.get_by_role("link", name="Models").click()
    page.get_by_text("Intended use").wait_for()
    page.close()


def test_streamlit_keeps_nothing_of_what_was_uploaded(browser, canned_address):
    from tests.dashboard.pictures import ct

    page = visit(browser, canned_address)
    ask(page, "breast ultrasound")
    upload(page, ct(np.arange(256 * 256).reshape(256, 256) % 200))
    page.locator(".ks-finding").first.wait_for()
    drawn(page)
    with urllib.request.urlopen(f"{canned_address}/_stcore/metrics") as metrics:
        told = metrics.read().decode()
    assert "cache_memory_bytes" in told
    assert "UploadedFileManager" not in told
    page.close()


def test_a_refused_file_is_shown_with_its_reason_and_stands_in_the_worklist(browser, canned_address):
    page = visit(browser, canned_address)
    ask(page, "chest radiograph")
    upload(page, b"%PDF-1.7 no picture")
    page.get_by_text("This file could not be read as a picture").wait_for()
    assert page.get_by_text("NOT_AN_IMAGE").is_visible()
    page.get_by_role("link", name="Worklist").click()
    page.get_by_text("Refused").first.wait_for()
    page.close()


def test_two_users_at_once_see_nothing_of_each_other(browser, canned_address):
    first, second = visit(browser, canned_address), visit(browser, canned_address)
    for page in (first, second):
        ask(page, "chest radiograph")
    take_sample(first)
    second.get_by_text("How to begin").wait_for()
    assert second.locator(".ks-finding").count() == 0
    first.close()
    second.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_any_page(browser, canned_address, keeper, monkeypatch, scheme):
    monkeypatch.setattr(keeper.servicer, "unusual", True)  # the banner and the marks are looked at as well
    page = visit(browser, canned_address, scheme=scheme)
    found = {"start": faults(page)}
    ask(page, "chest radiograph")
    take_sample(page)
    drawn(page)
    page.locator(".ks-caution").wait_for()
    for tab in ("Findings", "Answer back", "Explain", "Model card"):
        page.get_by_role("tab", name=tab).click()
        found[tab] = faults(page)
    page.get_by_role("link", name="Worklist").click()
    page.locator(".ks-row").first.wait_for()
    found["worklist"] = faults(page)
    page.get_by_role("link", name="Explore").click()
    for part, there in (
        ("Reference set", ".stVegaLiteChart svg"),
        ("Hits and misses", ".ks-cases img"),
        ("Over time", ".stVegaLiteChart svg"),
    ):
        page.get_by_text(part, exact=True).click()
        page.locator(there).first.wait_for()
        found[part] = faults(page)
    page.get_by_role("link", name="Models").click()
    page.locator(".stVegaLiteChart svg").nth(2).wait_for()
    found["models"] = faults(page)
    assert {name: said for name, said in found.items() if said} == {}
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
