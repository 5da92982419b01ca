"""What the tests in a real browser do over and over."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

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


def visit(browser: Browser, address: str, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_text("Gateway ready").wait_for()
    page.get_by_role("button", name="I have read this").click()
    page.get_by_text("How to begin").wait_for()
    return page


def take_sample(page: Page, number: int = 1) -> None:
    page.get_by_role("combobox", name="Or take a sample").click()
    page.get_by_role("option").nth(number - 1).click()
    page.locator(".ks-finding").first.wait_for()


def upload(page: Page, *files: bytes) -> None:
    given = [{"name": f"{n}", "mimeType": "application/octet-stream", "buffer": data} for n, data in enumerate(files)]
    page.locator('input[type="file"]').set_input_files(given)  # type: ignore[arg-type]


def drop(page: Page, *files: bytes) -> None:
    """Drags files from elsewhere onto the upload field, and drops them."""
    held = page.evaluate_handle(
        "(files) => { const held = new DataTransfer(); files.forEach((file, n) => held.items.add("
        "new File([Uint8Array.from(atob(file), (c) => c.charCodeAt(0))], `${n}`))); return held; }",
        [b64encode(data).decode() for data in files],
    )
    page.get_by_test_id("stFileUploaderDropzone").dispatch_event("drop", {"dataTransfer": held})


def ask(page: Page, words: str) -> None:
    page.locator("label").filter(has_text=words).click()
    page.locator(".ks-question").filter(has_text=words).wait_for()


def drawn(page: Page, **facts: str) -> None:
    """Waits until the viewer has drawn a picture of which these facts hold."""
    page.locator(
        '.screen:not([data-shown=""])' + "".join(f'[data-{name}="{fact}"]' for name, fact in facts.items())
    ).wait_for()


def colour(page: Page, x: float = 0.5, y: float = 0.5) -> list[int]:
    """Red, green and blue of the viewer's canvas at a place, each a fraction of its side."""
    return list(
        page.locator(".screen canvas").evaluate(
            "(c, [x, y]) => [...c.getContext('2d').getImageData(c.width * x, c.height * y, 1, 1).data.slice(0, 3)]",
            [x, y],
        )
    )


def picture_of(page: Page) -> list[int]:
    """The sum of red, green and blue at each of 8 x 8 places of the canvas."""
    return [sum(colour(page, (i + 0.5) / 8, (j + 0.5) / 8)) for i in range(8) for j in range(8)]


def whole(page: Page) -> str:
    """All of the viewer's canvas, as an address."""
    return str(page.locator(".screen canvas").evaluate("c => c.toDataURL()"))


def settled(page: Page) -> None:
    """Waits until Streamlit has drawn all of it: nothing runs, nothing is stale and faded."""
    page.locator('[data-testid="stStatusWidget"]').wait_for(state="hidden")
    page.wait_for_function(
        "() => document.querySelector('[data-stale=true]') === null && document.getAnimations().every("
        "a => a.playState !== 'running' || a.effect.getTiming().iterations === Infinity)"
    )


def faults(page: Page) -> list[str]:
    """What axe-core calls serious or critical on the page as it stands, Streamlit's own widgets included."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    settled(page)
    found = axe.Axe().run(page).response["violations"]
    return [
        f"{fault['id']}: {node['target']} {node['failureSummary'][:200]}"
        for fault in found
        if fault["impact"] in ("serious", "critical")
        for node in fault["nodes"]
    ]
