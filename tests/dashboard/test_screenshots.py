"""Each page on the demo's model, photographed: `make screenshots` takes them at every width, for docs/ and README."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from dashboard.samples import offered
from serving.client import Client, Decision
from serving.store.store import Store
from tests.dashboard.browsing import DEMO, SCREENSHOTS, drawn, settled, take_sample, visit
from tests.waiting import until
from zoo import errors
from zoo.results import Verdict

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from serving.server import Gateway

pytestmark = pytest.mark.slow

EVERY = bool(os.environ.get("KERASCOPE_SCREENSHOTS"))  # set by `make screenshots`
WIDTHS = {"1280": (1280, 960, "light"), "1920": (1920, 1080, "dark"), "tablet": (820, 1180, "light")}
# Those that docs/ and the README show; the rest is for us to look at.
KEPT = {
    "study-1280": "dashboard.png",
    "answer-1280": "dashboard-answer.png",
    "compare-1280": "dashboard-compare.png",
    "worklist-1280": "dashboard-worklist.png",
    "explore-1280": "dashboard-explore.png",
    "cases-1280": "dashboard-cases.png",
    "time-1280": "dashboard-time.png",
    "models-1280": "dashboard-models.png",
}
DAY_MS = 24 * 3_600_000


@pytest.fixture(scope="module")
def demo(request: pytest.FixtureRequest) -> Path:
    """A small demo; for `make screenshots` what `make demo` made here: the docs should not show random weights."""
    made = EVERY and (DEMO / "summary.json").is_file()
    return DEMO if made else request.getfixturevalue("small_demo").home


def answered_sample(demo: Path) -> int:
    """The number of the sample that the demo showed, in the dashboard's list: the gate lets it through."""
    answered = Path(json.loads((demo / "summary.json").read_text())["analysed"]["sample"])
    return 1 + [sample.path.name for sample in offered(demo / "samples")].index(answered.name)


@pytest.fixture
def demo_gateway(demo: Path, tmp_path: Path, start_gateway: Callable[..., Gateway]) -> Iterator[str]:
    """A gateway on the model of the demo, with some days of answers in its store."""
    from serving.modelserver.options import Options
    from serving.modelserver.server import create_server

    name = json.loads((demo / "summary.json").read_text())["model"]
    server = create_server(Options(model_name=name, model_base_path=str(demo / "registry" / name), port=0))
    server.start()
    assert server.wait_until_settled(60)
    url = f"sqlite:///{tmp_path / 'store.db'}"
    gateway = start_gateway(demo / "registry", server.port, store=url)
    answered(gateway.address, demo / "runs" / name, name)
    spread(url)
    yield gateway.address
    server.stop(0)


def answered(address: str, run: Path, model: str) -> None:
    """Asks about test pictures, and says of each finding whether it is right."""
    with (run / "split.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    with Client(address) as client:
        for row in rows[: 90 if EVERY else 12]:
            try:
                analysis = client.analyze((run / row["file"]).read_bytes(), model=model)
            except errors.ImageRefused:
                continue
            for number, finding in enumerate(analysis.findings):
                if finding.verdict in (Verdict.PRESENT, Verdict.ABSENT):
                    right = (finding.verdict is Verdict.PRESENT) == (row[finding.label] == "1")
                    wrong = (
                        {"decision": Decision.REJECT}
                        if number % 2
                        else {
                            "decision": Decision.CORRECT,
                            "correction": Verdict.ABSENT if finding.verdict is Verdict.PRESENT else Verdict.PRESENT,
                        }
                    )
                    said = {"decision": Decision.ACCEPT} if right else wrong
                    client.review(analysis.provenance.analysis_id, user="Dr Example", finding=finding.label, **said)


def spread(url: str) -> None:
    """Dates what is in a store back, over nine days."""
    store = Store(url)
    with store._database.write() as session:
        count = session.execute(text("SELECT MAX(sequence) FROM analyses")).scalar_one()
        session.execute(
            text("UPDATE analyses SET created_ms = created_ms - :days * (:count - sequence) / :count"),
            {"days": 9 * DAY_MS, "count": count},
        )
    store.close()


@pytest.mark.parametrize("width", WIDTHS if EVERY else ["1280"])
def test_each_page_has_its_picture_taken(browser, serve, demo: Path, demo_gateway: str, width: str):
    across, down, scheme = WIDTHS[width]
    page = visit(browser, serve(demo_gateway, demo / "samples"), width=across, height=down, scheme=scheme)
    take_sample(page, 3 if EVERY else answered_sample(demo))
    drawn(page)
    page.get_by_role("spinbutton", name="Prevalence").wait_for()
    shot(page, "study", width)
    page.get_by_role("tab", name="Answer back").click()
    page.get_by_role("button", name="Send the answer").wait_for()
    shot(page, "answer", width)
    page.get_by_role("tab", name="Explain").click()
    page.get_by_role("button", name="Compute the maps").click()
    page.get_by_text("cosine similarity").wait_for()
    page.get_by_role("button", name="Find similar cases").click()
    page.locator(".ks-cases img").first.wait_for()
    shot(page, "explain", width)
    if EVERY:
        beside(page)
        shot(page, "compare", width)
    go(page, "Worklist")
    page.locator(".ks-row").first.wait_for()
    shot(page, "worklist", width)
    go(page, "Explore")
    page.locator(".stVegaLiteChart svg").wait_for()
    shot(page, "explore", width)
    page.get_by_text("Hits and misses").click()
    page.get_by_text("Found (").click()
    page.get_by_text("evenly taken").wait_for()
    shot(page, "cases", width)
    page.get_by_text("Over time").click()
    page.locator(".stVegaLiteChart svg").nth(1).wait_for()
    shot(page, "time", width)
    go(page, "Models")
    page.locator(".stVegaLiteChart svg").nth(2).wait_for()
    shot(page, "models", width)
    page.close()


def beside(page: Page) -> None:
    """The method's map beside the evidence, both enlarged by one hand."""
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name="Grad-CAM").click()
    screens = page.locator(".screen")
    page.get_by_role("button", name="Linked").nth(1).wait_for()
    before = screens.first.get_attribute("data-zoom")
    screens.first.press("+")
    until(lambda: all(screen.get_attribute("data-zoom") not in (None, before) for screen in screens.all()))


def go(page: Page, name: str) -> None:
    page.get_by_role("link", name=name).click()


def shot(page: Page, name: str, width: str) -> None:
    """A picture of the page as it stands, which nothing sticks out of."""
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name
    (SCREENSHOTS / "all").mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "all" / f"{name}-{width}.png", animations="disabled")
    if kept := KEPT.get(f"{name}-{width}"):
        page.screenshot(path=SCREENSHOTS / kept, animations="disabled")
