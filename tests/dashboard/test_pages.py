"""Worklist, answers back, similar cases, models: the pages under AppTest, on a real store over real gRPC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from serving.client import Client, Decision
from tests.dashboard.canned import CannedGateway
from tests.dashboard.conftest import Page, png
from tests.dashboard.pictures import ct, series
from zoo.results import Method, Verdict

pytestmark = pytest.mark.slow
OpenPage = Callable[..., Page]
# AppTest opens no page of st.navigation but the first, so these stand alone.
ALONE = """
import streamlit as st
from dashboard import app
from dashboard.views import {page}
app.around({page}.page)
"""
SLICE = ct(np.arange(64 * 64).reshape(64, 64) % 200)


@pytest.fixture
def page(open_page: OpenPage, keeping: CannedGateway) -> Page:
    return open_page(keeping.address).ask("breast-ultrasound")


def test_a_slice_of_a_series_is_asked_about_in_its_turn(page, keeping):
    page.upload(*series(5))
    assert len(page.viewer["slices"]) == 5
    assert page.viewer["asked"] == 2
    assert "Uploaded series, 5 slices" in page.text
    assert keeping.servicer.analyses == 1


def test_an_accepted_finding_is_in_the_store_under_the_users_name(page, keeping):
    page.upload(SLICE)
    page.app.text_input(key="user").input("Dr Example")
    page.run()
    with Client(keeping.address) as client:
        (stored,) = client.study("1.2.3")[1]
        page.app.button_group(key=f"decision-{stored.analysis_id}-malignant").set_value(Decision.ACCEPT)
        page.app.checkbox(key=f"sign-{stored.analysis_id}").check()
        page.app.button(key="send-answer").click()
        page.run()
        (review,) = client.analysis(stored.analysis_id).reviews
    assert (review.decision, review.user, review.finding, review.signed) == (
        Decision.ACCEPT,
        "Dr Example",
        "malignant",
        True,
    )
    assert "Malignant Accept Dr Example (signed)" in page.text


def test_a_correction_says_what_it_should_have_been(page, keeping):
    page.upload(SLICE)
    page.app.text_input(key="user").input("Dr Example")
    page.run()
    with Client(keeping.address) as client:
        (stored,) = client.study("1.2.3")[1]
        key = f"{stored.analysis_id}-malignant"
        page.app.button_group(key=f"decision-{key}").set_value(Decision.CORRECT)
        page.run()
        page.app.text_input(key=f"comment-{key}").input("A cyst")
        page.app.button(key="send-answer").click()
        page.run()
        (review,) = client.analysis(stored.analysis_id).reviews
    assert (review.decision, review.correction, review.comment) == (Decision.CORRECT, Verdict.ABSENT, "A cyst")


def test_nobody_answers_back_without_a_name(page):
    page.upload(SLICE)
    page.app.button(key="send-answer").click()
    assert "Give your name first" in page.run().text


def test_without_a_store_an_answer_lives_in_the_session(open_page, canned):
    page = open_page(canned.address).ask("phantom-chest").upload(png())
    page.app.text_input(key="user").input("Dr Example")
    page.run()
    page.app.button_group(key="decision-c0ffee12-effusion").set_value(Decision.REJECT)
    page.app.button_group(key="decision-c0ffee12-nodule").set_value(Decision.COMMENT)
    page.run()
    page.app.text_input(key="comment-c0ffee12-nodule").input("Look again")
    page.app.button(key="send-answer").click()
    page.run()
    assert "Effusion Reject Dr Example" in page.text
    assert "Nodule Comment Dr Example Look again" in page.text
    assert "This gateway keeps no answers" in page.text


def test_similar_cases_come_with_what_the_model_found(page, keeping):
    page.upload(ct(np.arange(64 * 64).reshape(64, 64) % 150)).upload(SLICE)
    with Client(keeping.address) as client:
        client.analyze(SLICE, model="breast-ultrasound")  # the picture itself is no similar case
    page.app.button(key="find-similar").click()
    assert page.run().text.count("Malignant (81 %)") == 1
    assert "1.000" in page.text


def test_why_this_and_not_that_is_offered_where_answers_exclude_each_other(page):
    page.upload(SLICE)
    assert "Finer-CAM: what speaks for malignant more than for benign" in page.text


def test_the_prevalence_changes_what_a_verdict_is_worth(page):
    page.upload(SLICE)
    field = next(each for each in page.app.number_input if "Prevalence of malignant" in each.label)
    field.set_value(50.0)
    # At 50 %: PPV = 0.91 / (0.91 + 0.12) = 88 %; NPV = 0.88 / (0.88 + 0.09) = 91 %.
    text = page.run().text
    assert "malignant is there in 88 %" in text
    assert "truly absent in 91 %" in text


def test_the_worklist_has_the_stores_studies_with_refusals_and_reasons(open_page, keeping):
    with Client(keeping.address) as client:
        client.analyze(SLICE, model="breast-ultrasound")
        with pytest.raises(Exception, match="Modality"):
            client.analyze(SLICE, model="phantom-chest")
    page = open_page(keeping.address, ALONE.format(page="worklist"))
    assert "2 of 2 lines" in page.text
    assert "Present Malignant 81 %" in page.text
    assert "Refused (0008,0060) Modality is 'CT'" in page.text
    assert page.text.index("Malignant 81 %") < page.text.index("Refused")
    page.app.selectbox(key="filter-status").select_index(5)
    page.run()
    assert "1 of 2 lines" in page.text
    assert "Malignant 81 %" not in page.text


def test_the_worklist_and_a_stored_answer_say_that_a_picture_is_unusual(open_page, keeping):
    keeping.servicer.unusual = True
    with Client(keeping.address) as client:
        client.analyze(SLICE, model="breast-ultrasound")
    page = open_page(keeping.address, ALONE.format(page="worklist"))
    assert "Malignant 81 % Unusual for this model" in page.text
    assert "Read this answer with care" not in page.text
    page.app.button(key="open-store-1-0").click()
    assert "Read this answer with care" in page.run().text


def test_a_stored_answer_without_its_picture_is_shown_below_the_list(open_page, keeping):
    with Client(keeping.address) as client:
        client.analyze(SLICE, model="breast-ultrasound")
    page = open_page(keeping.address, ALONE.format(page="worklist"))
    page.app.button(key="open-store-1-0").click()
    page.run()
    assert "keeps answers, not pictures" in page.text
    assert "Most likely: malignant (81 %)" in page.text


def test_without_a_store_the_worklist_says_so(open_page, canned):
    page = open_page(canned.address, ALONE.format(page="worklist"))
    assert "This gateway has no store" in page.text
    assert "How to begin" in page.text


def test_the_models_page_has_every_version_its_state_and_its_card(open_page, canned):
    page = open_page(canned.address, ALONE.format(page="models"))
    assert "phantom-chest 1 answers now" in page.text
    assert "Intended use" in page.text
    canned.servicer.ready = False
    assert "phantom-chest 1 does not answer" in page.run().text


def test_what_changed_since_another_version_stands_above_the_card(open_page, canned):
    canned.servicer.newest = 2
    page = open_page(canned.address, ALONE.format(page="models"))
    assert "What changed from" not in page.text
    page.app.selectbox(key="since-breast-ultrasound-2").select_index(0)
    page.run()
    assert "What changed from version 1 to 2 What Version 1 Version 2 Licence CC-BY-4.0 Apache-2.0" in page.text


def test_the_page_speaks_german_when_asked(open_page, canned):
    page = open_page(canned.address).ask("phantom-chest")
    page.app.selectbox(key="language").select("de")
    page.run()
    assert "So beginnen Sie" in page.text


def of_patient(patient: str, date: str, shade: int) -> bytes:
    uid = f"1.2.{date}.{shade}"
    picture = np.arange(64 * 64).reshape(64, 64) % shade
    return ct(picture, PatientID=patient, StudyDate=date, StudyInstanceUID=uid, SeriesInstanceUID=f"{uid}.1")


def test_a_finding_is_shown_over_a_patients_studies_and_a_prior_beside_the_last(page, keeping):
    keeping.servicer.unusual = True
    page.upload(of_patient("P1", "20250102", 150))
    keeping.servicer.unusual = False
    page.upload(of_patient("P2", "20250403", 160))
    page.upload(of_patient("P1", "20260506", 170))
    assert "Malignant over time" in page.text
    (trend,) = page.charts
    assert [(row["study"], row["value"]) for row in trend] == [("2025-01-02", 0.81), ("2026-05-06", 0.81)]
    assert "P1" not in page.html

    offered = page.app.selectbox(key="beside")
    assert offered.options[0] == "Prior, 2025-01-02"
    offered.select_index(0)
    page.run()
    assert "Prior, 2025-01-02 Unusual for this model" in page.text
    assert "This study, 2026-05-06" in page.text
    assert "2026-05-06 Unusual" not in page.text
    ours, other = page.viewers
    assert ours["slices"] != other["slices"]
    assert other["map"]["label"] == ours["map"]["label"] == "malignant"
    assert ours["link"] == {"pair": other["link"]["pair"], "end": 0, "on": True}
    assert (other["link"]["end"], other["link"]["on"]) == (1, True)


def test_another_method_stands_beside_the_picture(page):
    page.upload(SLICE).explain(Method.SCORE_CAM)
    page.run()
    page.app.selectbox(key="beside").select_index(0)
    page.run()
    ours, other = page.viewers
    assert ours["slices"] == other["slices"]
    assert (other["map"]["title"], other["map"]["on"]) == ("Score-CAM for malignant", True)


def test_two_pictures_that_differ_in_a_few_rows_are_not_taken_for_each_other(page):
    rows = np.arange(1024 * 1024).reshape(1024, 1024) % 200
    other = rows.copy()
    other[200:300] = 7
    first, second = [page.upload(ct(values)).viewer["slices"][0]["url"] for values in (rows, other)]
    assert first != second


def test_a_file_without_a_patient_has_no_prior(page):
    page.upload(ct(np.arange(64 * 64).reshape(64, 64) % 150, StudyInstanceUID="1.2.9", SeriesInstanceUID="1.2.9.1"))
    page.upload(SLICE)
    assert "over time" not in page.text
    assert page.viewer["link"] is None
    beside = page.app.selectbox(key="beside")
    assert beside.options == ["Uploaded picture"]
    beside.select_index(0)
    assert [viewer["link"]["on"] for viewer in page.run().viewers] == [False, False]


def test_similar_cases_of_the_test_set_come_with_their_truth(page):
    page.upload(SLICE)
    page.app.button(key="find-similar").click()
    assert "Of the test set, with what is known of them: Picture 2" in page.run().text
