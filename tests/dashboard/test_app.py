"""The whole dashboard under Streamlit's AppTest, over real gRPC."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from tests.dashboard.canned import CannedGateway, reference_set
from tests.dashboard.conftest import APP, Page, png
from zoo.reference_set import ReferenceSet
from zoo.results import Method

pytestmark = pytest.mark.slow
OpenPage = Callable[[str], Page]
ROOT = APP.parents[1]


@pytest.fixture
def page(open_page: OpenPage, canned: CannedGateway) -> Page:
    """A page on the canned gateway, asking the chest question."""
    return open_page(canned.address).ask("phantom-chest")


def test_the_first_page_says_what_to_do_and_shows_the_card(page):
    assert "How to begin" in page.text
    assert "Gateway ready" in page.text
    assert "Intended use" in page.text
    assert "Which of these did we draw" in page.text


def test_an_uploaded_picture_gets_its_findings(page):
    page.upload(png())
    assert "The model finds effusion. It is not sure about nodule." in page.text
    verdicts = re.findall(r'<div class="ks-finding">.*?ks-chip [^>]*>([^<]*)<', page.html)
    assert verdicts == ["Present", "Not sure", "Absent", "Absent", "Absent"]
    assert page.text.index("does not say its modality") < page.text.index("The model finds effusion")
    assert "PNG 96 x 96 pixels" in page.text
    assert "Raw strength" in page.text
    assert "not an outline" in page.text


def tenfold() -> ReferenceSet:
    """The canned pictures ten times over: of 0.9 to 0.6 all have every label, of 0.5 to 0.2 none has."""
    eight = reference_set()
    names = ("truth", "probability", "embedding", "evidence", "pca", "tsne", "pixels")
    return replace(eight, of=80, **{name: np.repeat(getattr(eight, name), 10, axis=0) for name in names})


def spans(page: Page) -> dict[str, str]:
    """Of each finding whose bar has an interval, what is said of it."""
    bars = re.findall(
        r'<div class="ks-bar" role="img" aria-label="([^:]*): [^"]*; of the ([^"]*)".*?ks-span', page.html
    )
    assert len(bars) == page.html.count('class="ks-span"')
    return {finding: unescape(said) for finding, said in bars}


def test_each_bar_carries_how_many_of_the_nearest_test_pictures_had_it(open_page, canned):
    canned.servicer.reference_set = tenfold()
    page = open_page(canned.address).ask("phantom-chest").upload(png())
    # Within 0.1 of 0.86: 0.9 and 0.8; of 0.42: 0.5 and 0.4; of 0.12: 0.2; of 0.07 and 0.003 none.
    assert spans(page) == {
        "Effusion": "20 test pictures nearest in probability, > 99 % (84 % to > 99 %) had it",
        "Nodule": "20 test pictures nearest in probability, < 1 % (< 1 % to 16 %) had it",
        "Pneumothorax": "10 test pictures nearest in probability, < 1 % (< 1 % to 28 %) had it",
    }
    assert "how many of the test pictures nearest in probability had it" in page.text


def test_the_bars_of_another_question_get_their_intervals_too(open_page, canned):
    canned.servicer.reference_set = tenfold()
    page = open_page(canned.address).upload(png())
    assert page.question == "breast-ultrasound"
    assert spans(page).keys() == {"Benign", "Malignant"}
    assert spans(page.ask("phantom-chest")).keys() == {"Effusion", "Nodule", "Pneumothorax"}


def test_a_model_without_a_reference_set_has_bars_without_intervals(open_page, canned):
    canned.servicer.has_reference_set = False
    page = open_page(canned.address).ask("phantom-chest").upload(png())
    assert "The model finds effusion" in page.text
    assert spans(page) == {}
    assert "ks-trouble" not in page.html
    assert page.html.count('class="ks-finding"') == 5


def test_a_sample_gets_its_findings_and_empties_the_uploader(page):
    page.upload(png()).sample(1)
    assert "The model finds effusion" in page.text
    assert "Sample 1 (DICOM): DICOM CR 256 x 256 pixels" in page.text
    assert not page.app.file_uploader[0].value


def test_an_upload_takes_the_place_of_a_sample(page):
    page.sample(1).upload(png())
    assert "Uploaded picture: PNG" in page.text
    assert page.app.selectbox(key="sample").value is None


def test_no_file_name_of_a_sample_is_shown(page):
    page.sample(2)
    assert page.app.selectbox(key="sample").options == ["Sample 1 (DICOM)", "Sample 2 (PNG)"]
    assert "DOE" not in page.html


def test_the_overlay_is_on_for_what_is_present_and_off_below_the_operating_point(page):
    page.upload(png())
    assert page.overlay == ("Evidence for effusion", True)
    page.choose("pneumothorax")
    assert page.overlay == ("Evidence for pneumothorax", False)
    assert "Raw strength" in page.text  # shown even so
    assert "a map of something absent misleads" in page.text


def test_a_map_with_nothing_in_it_is_said_to_have_nothing_in_it(page):
    page.upload(png()).choose("cardiomegaly")
    assert "Nothing in this picture speaks for cardiomegaly (raw strength 0)." in page.text


def test_the_viewer_gets_the_pixels_once_and_the_map_of_the_chosen_finding(page):
    page.upload(png())
    before = page.viewer
    after = page.choose("pneumothorax").viewer
    assert before["slices"] == after["slices"]
    assert before["map"]["label"] == "effusion"
    assert (after["map"]["rows"], len(after["map"]["values"])) == (5, 25)
    assert before["map"]["values"] != after["map"]["values"]


def test_an_exclusive_question_reads_as_one_answer(page):
    page.ask("breast-ultrasound").upload(png())
    assert "Most likely: malignant (81 %)." in page.text
    assert "Supported" in page.text
    assert "Not supported" in page.text
    assert "add up to 100 %" in page.text


def test_another_question_is_asked_of_the_same_picture_once(page, canned):
    page.upload(png()).ask("breast-ultrasound").ask("phantom-chest").ask("breast-ultrasound")
    assert canned.servicer.analyses == 2


def test_a_refused_picture_is_told_with_its_reason_and_what_to_do(page):
    page.ask("breast-ultrasound").sample(1)
    assert "This picture is not for this model" in page.text
    assert "WRONG_MODALITY" in page.text
    assert "(0008,0060) Modality is 'CR'" in page.text
    assert "What to do Choose a model for this modality." in page.text
    assert "The model finds" not in page.text


def test_a_picture_unlike_those_it_learnt_from_gets_a_warning_and_no_number(page, canned):
    canned.servicer.unlike = True
    page.upload(png())
    assert "OUT_OF_DISTRIBUTION" in page.text
    assert "The picture is unlike the 560." in page.text
    assert "ks-finding" not in page.html


def test_an_unusual_picture_is_answered_with_a_caution_above_its_findings(page, canned):
    canned.servicer.unusual = True
    page.ask("phantom-chest").upload(png())
    assert page.text.index("Unusual for this model") < page.text.index("The model finds effusion")
    assert "1.31 times as far from the training pictures" in page.text
    canned.servicer.unusual = False
    assert "Unusual" not in page.upload(png(seed=1)).text


def test_what_is_no_picture_is_told_so(page):
    page.upload(b"%PDF-1.7 hello")
    assert "This file could not be read as a picture" in page.text
    assert "NOT_AN_IMAGE" in page.text
    page.upload(png())
    assert "The model finds effusion" in page.text


def test_grad_cam_comes_with_its_time_and_how_close_it_is(page):
    page.upload(png()).explain()
    assert "Grad-CAM took 0.41 s" in page.text
    assert "cosine similarity 1.000000" in page.text
    assert "largest difference 0.0e+00" in page.text


def test_another_method_is_not_compared_with_the_evidence(page):
    page.upload(png()).explain(Method.SCORE_CAM)
    assert "Score-CAM took 0.41 s" in page.text
    assert "cosine" not in page.text


def test_an_explanation_belongs_to_its_finding(page):
    page.upload(png()).explain().choose("nodule")
    assert "Grad-CAM took" not in page.text
    page.choose("effusion")
    assert "Grad-CAM took" in page.text


def test_one_user_sees_nothing_of_another(open_page, canned):
    first = open_page(canned.address).ask("phantom-chest").upload(png())
    second = open_page(canned.address).ask("phantom-chest")
    assert "The model finds" in first.text
    assert "The model finds" not in second.text
    assert "How to begin" in second.text


def test_a_gateway_that_is_away_is_told_and_comes_back_by_itself(open_page):
    away = CannedGateway()
    away.start().stop()
    page = open_page(away.address)
    assert "Gateway away" in page.text
    assert "No answer for now" in page.text
    away.start()
    try:
        page.run()
        assert "Gateway ready" in page.text
        assert "How to begin" in page.text
    finally:
        away.stop()


def test_findings_stay_while_the_gateway_is_away(page, canned):
    page.upload(png())
    canned.stop()
    page.run()
    assert "Gateway away" in page.text
    assert "The model finds effusion" in page.text


def test_a_model_server_that_is_away_is_asked_again(page, canned):
    canned.servicer.ready = False
    page.upload(png())
    assert "no model answers" in page.text
    assert "No answer for now" in page.text
    canned.servicer.ready = True
    page.app.button(key="again").click()
    assert "The model finds effusion" in page.run().text


def test_the_question_begins_with_a_model_that_answers_and_is_then_moved_by_the_user_alone(open_page, canned):
    canned.servicer.away = {"breast-ultrasound"}
    page = open_page(canned.address)
    assert page.question == "phantom-chest"
    canned.servicer.away = {"phantom-chest"}
    assert page.run().question == "phantom-chest"
    canned.servicer.away = {"breast-ultrasound"}
    assert page.ask("breast-ultrasound").run().question == "breast-ultrasound"


def test_the_question_waits_for_a_model_that_answers_unless_the_user_has_chosen(open_page, canned):
    canned.servicer.ready = False
    page, other = open_page(canned.address), open_page(canned.address).ask("phantom-chest").ask("breast-ultrasound")
    assert page.question == other.question == "breast-ultrasound"
    canned.servicer.ready, canned.servicer.away = True, {"breast-ultrasound"}
    assert (page.run().question, other.run().question) == ("phantom-chest", "breast-ultrasound")


def test_a_bug_ends_as_a_reference_without_its_message(page, monkeypatch, caplog):
    from dashboard import panels

    message = "patient " + "DOE" + "^JANE"

    def fail(*_: object) -> None:
        raise RuntimeError(message)

    monkeypatch.setattr(panels, "findings", fail)
    page.upload(png())
    assert "Internal error" in page.text
    assert "DOE" not in page.html + caplog.text
    assert "RuntimeError" in caplog.text


def test_the_dashboard_analyses_without_tensorflow_in_its_process(canned, samples):
    code = f"""
import sys
from streamlit.testing.v1 import AppTest
app = AppTest.from_file({str(APP)!r}, default_timeout=60).run()
app.button(key="accept").click().run()
app.radio(key="question").set_value("phantom-chest").run()
app.selectbox(key="sample").select_index(0).run()
assert any("The model finds" in element.value for element in app.get("html"))
assert not {{"tensorflow", "keras"}} & sys.modules.keys()
"""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "KERASCOPE_GATEWAY": canned.address,
        "KERASCOPE_SAMPLES": str(samples),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_real_model_answers_through_the_real_gateway(open_page, gateway, samples: Path):
    page = open_page(gateway.address).sample(1)
    # tests/conftest.py sets the tiny model's operating points so that these hold whatever its weights.
    assert "The model finds nodule" in page.text
    assert "It is not sure about effusion" in page.text or "effusion and" in page.text
    assert "No operating point has been set for pneumothorax." in page.text
    assert page.overlay == ("Evidence for nodule", True)
    page.explain()
    assert "Grad-CAM took" in page.text
    similarity = float(page.text.split("cosine similarity ")[1].split(",")[0])
    assert similarity > 0.9999
