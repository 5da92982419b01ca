"""The viewer in a real browser: a series by hand, and two side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.dashboard.browsing import ask, colour, drawn, drop, faults, upload, visit
from tests.dashboard.pictures import SIDE, ct, series
from tests.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.slow


def test_a_series_is_flipped_by_keys_and_windowed_by_hand(browser, canned_address):
    page = visit(browser, canned_address)
    ask(page, "breast ultrasound")
    drop(page, *series(20))
    page.get_by_text("Most likely").wait_for()
    drawn(page, shown="11", inverted="false")
    screen = page.locator(".screen")
    screen.focus()
    screen.press("o")
    drawn(page, overlay="")
    middle = colour(page, 0.1, 0.5)
    for _ in range(9):
        screen.press("ArrowDown")
    drawn(page, shown="20")
    # Slice 20 is 90 HU brighter than slice 11; in a window 400 wide that is 90 / 399 * 255 = 57.5 of 255.
    assert abs(colour(page, 0.1, 0.5)[0] - middle[0] - 57.5) <= 2
    page.get_by_text("Ask about slice 20").wait_for()
    screen.press("Home")
    drawn(page, shown="1")
    before = colour(page, 0.1, 0.5)
    screen.press("i")
    drawn(page, inverted="true")
    assert abs(colour(page, 0.1, 0.5)[0] + before[0] - 255) <= 1
    screen.press("0")
    drawn(page, inverted="false")
    screen.press("1")
    drawn(page, zoom="1.000")
    page.get_by_role("combobox", name="Window").select_option(label="Lung")
    page.locator(".fact").filter(has_text="L -600  W 1500 HU").wait_for()
    page.get_by_label("W", exact=True).fill("1000")
    page.locator(".fact").filter(has_text="W 1000").wait_for()
    page.mouse.move(500, 450)
    page.mouse.down()
    page.mouse.move(560, 450, steps=4)
    page.mouse.up()
    page.locator(".fact").filter(has_text="W 1000").wait_for(state="detached")
    page.mouse.wheel(0, 100)
    drawn(page, shown="2")
    assert page.locator(".mark.top").inner_text() == "A"
    assert page.locator(".mark.left").inner_text() == "R"
    page.get_by_role("button", name="Ask about slice 2").click()
    page.get_by_role("button", name="Ask about slice 2").wait_for(state="hidden")
    assert "Raw strength" in page.locator(".caption").inner_text()
    page.close()


def of_patient(date: str, count: int, brighter: int = 0) -> list[bytes]:
    """A series of one patient; slice n is n times 10 HU brighter than slice 0."""
    y, x = np.mgrid[:SIDE, :SIDE]
    uid = f"1.2.{date}"
    named = {"PatientID": "P1", "StudyDate": date, "StudyInstanceUID": uid, "SeriesInstanceUID": f"{uid}.1"}
    return [ct(x * 3 - y + brighter + 10 * n, ImagePositionPatient=[0, 0, 5 * n], **named) for n in range(count)]


def places(screen: Locator) -> list[int]:
    """The grey of 16 x 16 places of a canvas."""
    script = """c => {
      const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
      const at = (n, of) => Math.floor(((n + 0.5) / 16) * of);
      const of = (n) => 4 * (at(n >> 4, c.height) * c.width + at(n % 16, c.width));
      return Array.from({ length: 256 }, (_, n) => data[of(n)]);
    }"""
    return list(screen.locator("canvas").evaluate(script))


def test_a_prior_follows_the_picture_beside_it_until_the_link_is_switched_off(browser, canned_address):
    page = visit(browser, canned_address)
    ask(page, "breast ultrasound")
    upload(page, *of_patient("20250102", 5, brighter=10))
    drawn(page, shown="3")
    upload(page, *of_patient("20260506", 7))
    drawn(page, shown="4")
    page.get_by_role("combobox", name="Compare with").click()
    page.get_by_role("option", name="Prior, 2025-01-02").click()
    prior = page.locator('.screen[data-study^="study-"]')
    now = page.locator('.screen:not([data-study^="study-"])')

    def shown(screen: Locator, number: int) -> None:
        until(lambda: screen.get_attribute("data-shown") == str(number))

    # Middle beside middle: slice 4 of 7, and slice 3 of 5, which has the same values.
    shown(now, 4)
    shown(prior, 3)
    linked = page.get_by_role("button", name="Linked")
    assert [button.get_attribute("aria-pressed") for button in linked.all()] == ["true", "true"]
    for key in ("ArrowDown", "+", "+", "i", "Shift+ArrowLeft"):
        now.press(key)
    shown(prior, 4)
    page.get_by_label("W", exact=True).nth(1).fill("900")  # and the other way round
    page.locator(".fact").filter(has_text="W 900").nth(1).wait_for()
    until(lambda: places(now) == places(prior))
    assert len(set(places(now))) > 10
    assert now.get_attribute("data-inverted") == prior.get_attribute("data-inverted") == "true"

    prior.press("l")
    until(lambda: [button.get_attribute("aria-pressed") for button in linked.all()] == ["false", "false"])
    now.press("Home")
    shown(now, 1)
    assert prior.get_attribute("data-shown") == "4"
    linked.first.click()
    now.press("ArrowDown")  # three apart the other way, as they stood
    shown(now, 2)
    shown(prior, 5)
    assert faults(page) == []
    page.close()
