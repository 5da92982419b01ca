"""`python -m benchmarks.dashboard`: the dashboard's bars, in Chromium on a real gateway; status 1 where one fails.

First paint, from an upload to finding and overlay, frames a second by hand, memory over 500 studies. Run it where
nothing else runs.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.table import Table

from benchmarks.bundles import bundle
from benchmarks.processes import free_port, serving
from benchmarks.radiograph import radiograph
from benchmarks.timing import once
from dashboard import launch
from serving.client import Client
from zoo.cards import Interval, OperatingPoint

OUT = Path(__file__).parents[1] / "build" / "bench"
CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 60_000
ROUNDS, STUDIES, AT_ONCE = 8, 500, 10
ALWAYS = OperatingPoint(
    threshold=0, not_sure=(0, 0), chosen_by="nobody", sensitivity=Interval(value=1), specificity=Interval(value=0)
)
# Notes when files arrive, and when finding and overlay are on the screen.
WATCH = """() => {
  addEventListener("change", (e) => { if (e.target.type === "file") window.began = performance.now(); }, true);
  const roots = () => [...document.querySelectorAll("*")].map((e) => e.shadowRoot).filter(Boolean);
  const find = () => roots().map((root) => root.querySelector(".screen")).find(Boolean);
  let screen = find();
  const app = document.querySelector("[data-testid=stApp]");
  window.shown = (before, wanted) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error("nothing on the screen within a minute")), 60000);
    const look = () => {
      if (!screen?.isConnected) screen = find();
      const { overlay, study } = screen?.dataset ?? {};
      const there = (!wanted || overlay) && study && study !== before && document.querySelector(".ks-finding");
      if (there && app.dataset.testScriptState === "notRunning") done([performance.now() - window.began, study]);
      else requestAnimationFrame(look);
    };
    look();
  });
}"""
# Does something at each frame of the screen for two seconds; gives how many frames the viewer drew a second.
FRAMES = """async (host, act) => {
  const canvas = host.querySelector("canvas");
  const box = canvas.getBoundingClientRect();
  const button = host.getRootNode().querySelector("[data-field=on]");
  const pointer = (kind, at) => canvas.dispatchEvent(new PointerEvent(kind, {
    bubbles: true, pointerId: 1, clientX: box.left + 60 + at, clientY: box.top + 60 + at / 2 }));
  canvas.setPointerCapture = host.setPointerCapture = () => {};
  if (act === "window") pointer("pointerdown", 0);
  const [began, first] = [performance.now(), Number(host.dataset.frames)];
  for (let n = 1; performance.now() - began < 2000; n++) {
    if (act === "window") pointer("pointermove", n % 200); else button.click();
    await new Promise(requestAnimationFrame);
  }
  const drawn = Number(host.dataset.frames) - first;
  const seconds = (performance.now() - began) / 1000;
  if (act === "window") pointer("pointerup", 0);
  return drawn / seconds;
}"""


@dataclass(frozen=True)
class Bar:
    """One line: what, how much, and what it must be."""

    name: str
    value: float
    unit: str
    bar: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is within the bar."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar


@contextmanager
def dashboard(gateway: str) -> Iterator[tuple[str, int]]:
    """A dashboard in a process of its own; gives its address and process."""
    port = free_port()
    process = launch.start(host="127.0.0.1", port=port, gateway=gateway, samples=None)
    try:
        if not launch.wait_until_up(port, timeout_s=60):
            raise SystemExit("The dashboard did not come up.")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        launch.stop(process)


@contextmanager
def visit(browser: Any, address: str) -> Iterator[Page]:
    """A browser without a past, past the terms."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_role("button", name="I have read this").click()
    page.get_by_text("How to begin").wait_for()
    yield page
    context.close()


def first_paint(browser: Any, address: str) -> tuple[float, float]:
    """Seconds until the browser paints anything, and until our first words stand there; medians of new visitors."""
    paints, words = [], []
    for _ in range(5):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(address, wait_until="commit")
        page.locator(".ks-head").wait_for(timeout=PATIENCE_MS)
        words.append(page.evaluate("performance.now()") / 1e3)
        paints.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime") / 1e3)
        context.close()
    return statistics.median(paints), statistics.median(words)


def send(page: Page, files: list[bytes]) -> None:
    """Drops files on the uploader."""
    given: Any = [{"name": f"{n}", "mimeType": "application/dicom", "buffer": data} for n, data in enumerate(files)]
    page.locator('input[type="file"]').set_input_files(given)


def upload_to_overlay(page: Page, seeds: range) -> float:
    """Milliseconds from the file's arrival in the browser to finding and overlay on the screen, median."""
    page.evaluate(WATCH)
    found, before = [], ""
    for seed in seeds:
        send(page, [radiograph(seed=seed)])
        took, before = page.evaluate("(before) => window.shown(before, true)", before)
        found.append(took)
    return statistics.median(found[2:])


def gateway_alone(address: str, model: str, seeds: range) -> float:
    """Milliseconds of the same question without the dashboard, median."""
    with Client(address) as client:
        files = [radiograph(seed=seed) for seed in seeds]
        return statistics.median([once(lambda file=file: client.analyze(file, model=model)) for file in files][2:])


def memory_mb(pid: int) -> float:
    """Resident memory of a process, of what is its own and what it shares, in MiB (proc(5), VmRSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def memory(page: Page, pid: int) -> list[float]:
    """After each hundred of 500 studies of half a MiB."""
    page.evaluate(WATCH)
    found, before = [], ""
    for begun in range(0, STUDIES, AT_ONCE):
        send(page, [radiograph(512, 10_000 + begun + n) for n in range(AT_ONCE)])
        _took, before = page.evaluate("(before) => window.shown(before, false)", before)
        if (begun + AT_ONCE) % 100 == 0:
            found.append(memory_mb(pid))
    return found


def measure(console: Console) -> list[Bar]:
    """All of it."""
    registry = OUT / "dashboard"  # with nothing else in it that the dashboard could ask
    made = bundle("mobilenetv2", registry, point=ALWAYS)
    with (
        serving(made, registry) as (_server, gateway),
        dashboard(gateway) as (address, pid),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        paint, words = first_paint(browser, address)
        with visit(browser, address) as page:
            shown = upload_to_overlay(page, range(ROUNDS))
            frames = {act: page.locator(".screen").evaluate(FRAMES, act) for act in ("window", "overlay")}
        alone = gateway_alone(gateway, made.name, range(100, 100 + ROUNDS))
        console.log(f"upload to overlay {shown:.0f} ms, of which the gateway {alone:.0f} ms")
        with visit(browser, address) as page:
            held = memory(page, pid)
        console.log("memory after each hundred studies, MiB: " + ", ".join(f"{each:.0f}" for each in held))
        browser.close()
    return [
        Bar("first paint", paint, "s", 2),
        Bar("first words", words, "s", 2),
        Bar("upload of 2048 x 2048 to overlay, beyond the gateway", shown - alone, "ms", 300),
        Bar("window and level by hand", frames["window"], "frames/s", 30, at_least=True),
        Bar("evidence on and off", frames["overlay"], "frames/s", 30, at_least=True),
        Bar("memory over 500 studies, most", max(held), "MiB", 400),
        Bar("memory, the last hundred over the second", held[-1] / held[1], "x", 1.05),
    ]


def main() -> int:
    """Measures and prints."""
    console = Console()
    found = measure(console)
    drawn = Table("What", "Measured", "Bar", "", title=f"{os.cpu_count()} cores, Chromium without a GPU")
    for one in found:
        sign = "at least" if one.at_least else "at most"
        value = f"{one.value:.2f} {one.unit}"
        drawn.add_row(one.name, value, f"{sign} {one.bar:g} {one.unit}", "holds" if one.holds else "FAILS")
    console.print(drawn)
    return int(not all(one.holds for one in found))


if __name__ == "__main__":
    sys.exit(main())
