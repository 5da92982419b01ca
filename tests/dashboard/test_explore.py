"""Explore: drift, agreement, hits and misses and curves worked out by hand, and the page on a real store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from dashboard import cases, charts, drift
from dashboard.cases import Kind
from serving.client import Client, Decision
from tests.dashboard.canned import CannedGateway, card, reference_set
from tests.dashboard.conftest import Page, png
from tests.dashboard.pictures import ct
from zoo import errors
from zoo.reference import Gate, Reference
from zoo.tasks import BREAST_ULTRASOUND, PHANTOM_CHEST

OpenPage = Callable[..., Page]
EXPLORE = """
import streamlit as st
from dashboard import app
from dashboard.views import explore, study
app.around(lambda: (study.page(), explore.page()))
"""
NOON = datetime(2026, 3, 4, 12, 30, tzinfo=timezone.utc)  # a Wednesday


def fact(
    hours: float, probability: float, *, refused: str = "", cautioned: bool = False, said: Decision | None = None
) -> drift.Fact:
    return drift.Fact(
        created=NOON + timedelta(hours=hours),
        version=1,
        refused=refused,
        cautioned=cautioned,
        probabilities={} if refused else {"nodule": probability},
        distance=None if refused else probability,
        said={"nodule": said} if said else {},
    )


def test_the_shift_between_two_samples_is_the_largest_step_between_them():
    # Of (1..5) all lie at or below 5, of (4..8) two do: 1 - 2/5 = 0.6. sqrt(ln 40 / 2) * sqrt(10 / 25) = 0.8589.
    found = drift.shift([1, 2, 3, 4, 5], np.array([4, 5, 6, 7, 8]))
    assert (found.distance, round(found.limit, 4), found.pictures) == (pytest.approx(0.6), 0.8589, 5)
    assert drift.shift([3, 1, 2, 5, 4], np.arange(1, 6)).distance == 0


def test_of_few_pictures_no_shift_is_told():
    assert drift.shift([1, 2, 3, 4], np.arange(9)) is None


def test_periods_begin_at_midnight_and_weeks_on_a_monday():
    every = [fact(0, 0.1), fact(1, 0.2), fact(24, 0.3)]
    days = drift.periods(every, timedelta(days=1))
    assert [(p.start.day, p.start.hour, len(p.facts)) for p in days] == [(4, 0, 2), (5, 0, 1)]
    assert [p.start.day for p in drift.periods(every, timedelta(weeks=1))] == [2]


def test_answers_are_held_against_the_reference_set_and_refusals_are_counted():
    (period,) = drift.periods(
        [*(fact(n / 60, 0.95) for n in range(5)), fact(0.2, 0, refused="BLANK")], timedelta(days=1)
    )
    # All of the period's answers are 0.95; all of the reference set's are 0.9 and below.
    assert drift.answer_shift(period, card(), reference_set(), "nodule").distance == 1
    assert period.refused == 1
    assert drift.input_shift(period, card(), reference_set()) is None  # this card has no gate
    known = Gate(embedding=Reference(mean=(0,) * 4, standard_deviation=(1,) * 4, images=9))
    shifted = drift.input_shift(period, card().model_copy(update={"gate": known}), reference_set())
    # Distances sqrt((x^2 + y^2 + 2) / 4): two of eight, (0, 0) and (1, 0) at 0.71 and 0.87, and (0, 1) lie below 0.95.
    assert shifted.distance == pytest.approx(1 - 3 / 8)


def test_answers_with_a_caution_are_counted_apart_from_refusals():
    every = [fact(0, 0.9), fact(0, 0.9, cautioned=True), fact(0, 0, refused="BLANK")]
    (period,) = drift.periods(every, timedelta(days=1))
    assert (len(period.facts), period.cautioned, period.refused) == (3, 1, 1)


def test_agreement_counts_the_last_decision_on_each_finding():
    said = [Decision.ACCEPT, Decision.ACCEPT, Decision.REJECT, None]
    (period,) = drift.periods([fact(0, 0.5, said=each) for each in said], timedelta(days=1))
    assert drift.agreement(period, "nodule") == {Decision.ACCEPT: 2, Decision.REJECT: 1, Decision.CORRECT: 0}
    assert sum(drift.agreement(period, "effusion").values()) == 0


def test_hits_and_misses_come_with_the_worst_mistakes_first():
    # The first four have it, with 0.9, 0.8, 0.7, 0.6; the rest not, with 0.5, 0.4, 0.3, 0.2; the threshold is 0.4.
    reference = reference_set()
    assert cases.of_kind(reference, card(), "nodule", Kind.FOUND).tolist() == [0, 1, 2, 3]
    assert cases.of_kind(reference, card(), "nodule", Kind.FALSE_ALARM).tolist() == [4, 5]
    assert cases.of_kind(reference, card(), "nodule", Kind.MISSED).tolist() == []
    turned = replace(reference, truth=(1 - reference.truth).astype(np.int8))
    assert cases.of_kind(turned, card(), "nodule", Kind.MISSED).tolist() == [7, 6]
    assert cases.evenly(np.arange(100), 3).tolist() == [0, 50, 99]


def test_curves_are_those_worked_out_by_hand():
    # In the order of probability: it is there, not, there, not. Steps of a half each way.
    probability = np.array([[0.9], [0.8], [0.7], [0.1]], np.float32)
    truth = np.array([[1], [0], [1], [0]], np.int8)
    reference = replace(reference_set(), truth=truth, probability=probability)
    roc = cases.roc(reference, 0)
    assert (roc.x.tolist(), roc.y.tolist()) == ([0, 0, 0.5, 0.5, 1], [0, 0.5, 0.5, 1, 1])
    pr = cases.precision_recall(reference, 0)
    assert pr.x.tolist() == [0.5, 0.5, 1, 1]
    np.testing.assert_allclose(pr.y, [1, 1 / 2, 2 / 3, 1 / 2])
    curve = cases.reliability(reference, 0)  # too few for more than one bin
    assert (curve.x.tolist(), curve.y.tolist()) == ([pytest.approx(0.625)], [0.5])
    assert cases.roc(replace(reference, truth=np.ones_like(truth)), 0) is None


def test_equal_probabilities_are_one_step_of_the_curve():
    same = replace(reference_set(), probability=np.full((8, 5), 0.5, np.float32))
    assert cases.roc(same, 0).x.tolist() == [0, 1]


def test_the_current_picture_is_drawn_last_and_large():
    rows = [{"number": 0, "x": 1, "y": 1, "group": "this picture", "answer": "5 %"}]
    rows += [{"number": 1, "x": 0, "y": 0, "group": "there", "answer": "9 %"}]
    spec = charts.plane("All", rows, ["there"], "this picture", ("", ""))
    assert [row["group"] for row in spec["data"]["values"]] == ["there", "this picture"]
    assert spec["encoding"]["size"]["condition"]["test"] == "datum.group === 'this picture'"


@pytest.mark.slow
class TestThePage:
    """The page under AppTest, below the study's: AppTest opens no page but the first."""

    def test_the_current_picture_is_among_the_reference_set(self, open_page: OpenPage, canned: CannedGateway):
        page = open_page(canned.address, EXPLORE).ask("phantom-chest").upload(png())
        assert "8 of the 16 pictures of the test set." in page.text
        (drawn,) = page.charts
        assert [row["group"] for row in drawn].count("this picture") == 1
        # Its features are those of the second picture: (1, 0, 1, 1).
        assert "Most like this picture" in page.text
        assert "Picture 2 Nodule is there the model: 80 % cosine 1.000" in page.text

    def test_a_picture_is_chosen_by_its_number(self, open_page: OpenPage, canned: CannedGateway):
        page = open_page(canned.address, EXPLORE).ask("phantom-chest")
        page.app.number_input(key="case-phantom-chest-nodule-None").set_value(7)
        assert "Picture 7 Nodule is not there the model: 30 %" in page.run().text

    def test_hits_and_misses_have_their_maps(self, open_page: OpenPage, canned: CannedGateway):
        page = open_page(canned.address, EXPLORE).ask("phantom-chest")
        page.app.button_group(key="explore").set_value("Hits and misses")
        page.run()
        page.app.button_group(key="kind").set_value(Kind.FALSE_ALARM)
        text = page.run().text
        assert "2 of 2, the worst first." in text
        assert page.html.count("data:image/jpeg") == 2

    def test_a_bundle_without_a_reference_set_says_so(self, open_page: OpenPage, canned: CannedGateway):
        canned.servicer.has_reference_set = False
        page = open_page(canned.address, EXPLORE).ask("phantom-chest")
        assert "holds no reference set" in page.text

    def test_over_time_tells_drift_and_agreement_of_the_store(self, open_page: OpenPage, keeping: CannedGateway):
        with Client(keeping.address) as client:
            for shade in range(5):
                made = client.analyze(ct(np.arange(64 * 64).reshape(64, 64) % (150 + shade)), model="breast-ultrasound")
                client.review(made.provenance.analysis_id, Decision.ACCEPT, user="x", finding="malignant")
            keeping.servicer.unusual = True
            client.analyze(ct(np.arange(64 * 64).reshape(64, 64) % 149), model="breast-ultrasound")
            with pytest.raises(errors.ImageRefused):
                client.analyze(ct(np.zeros((64, 64), np.int64)), model="breast-ultrasound")
        page = open_page(keeping.address, EXPLORE).ask("breast-ultrasound")
        page.app.button_group(key="explore").set_value("Over time")
        page.run()
        page.app.selectbox(key="explored-breast-ultrasound").set_value("malignant")
        assert "People accepted 5 of 5 findings on malignant (100 %)." in page.run().text
        prediction, pictures, agreed = ([(row["name"], row["value"]) for row in rows] for rows in page.charts)
        # Each answer is 0.81; of the reference set one of eight lies above: 1 - 1/8.
        assert prediction == [("answers on malignant", 0.875)]
        assert pictures == [("answered", 5), ("answered with a caution", 1), ("refused", 1)]
        assert "Unusual for the model: 17 % of the answers. Refused: 14 % of the pictures." in page.text  # 1/6 and 1/7
        assert "In the newest period: 17 % unusual, 14 % refused." in page.text
        assert agreed == [("accepted", 5), ("corrected", 0), ("rejected", 0)]

    def test_without_a_store_nothing_is_told_over_time(self, open_page: OpenPage, canned: CannedGateway):
        page = open_page(canned.address, EXPLORE).ask("phantom-chest")
        page.app.button_group(key="explore").set_value("Over time")
        assert "it has no store" in page.run().text


def test_an_exclusive_task_is_coloured_by_its_labels():
    from dashboard.views import shown_cases

    model = card(BREAST_ULTRASOUND)
    names = shown_cases.truths(model, "malignant")
    assert len(names) == len(BREAST_ULTRASOUND.labels)
    assert shown_cases.truth(model, reference_set(BREAST_ULTRASOUND), 7, 0) == names[1]
    assert shown_cases.truths(card(PHANTOM_CHEST), "nodule")[1] == "Nodule is not there"
