"""The worklist's order and filters, what a verdict is worth, what a report holds."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from PIL import Image as Pillow

from dashboard import card as cards
from dashboard import changes, export, intake, listed, rows, words, worth
from dashboard.rows import Order, Row
from dashboard.studies import Study
from serving.client import Decision, Review, Status, StoredAnalysis
from tests.dashboard.canned import CAUTION, POINT, analysis, card, finding
from tests.dashboard.conftest import png
from tests.dashboard.pictures import ct
from zoo import errors
from zoo.measures import Interval, Subgroup
from zoo.reliability import Localisation, MethodReliability
from zoo.results import Analysis, Method, Verdict
from zoo.tasks import PHANTOM_CHEST

NOW = datetime(2026, 11, 21, 12, tzinfo=timezone.utc)


def answer(probability: float, modality: str = "") -> Analysis:
    made = analysis(PHANTOM_CHEST)
    return replace(made, findings=(finding("nodule", probability),), image=replace(made.image, modality=modality))


def row(key: str, minutes: int, given: Analysis | None = None, **more: object) -> Row:
    base = {"title": key, "model": "m", "status": "done" if given else "opened"}
    return Row(key=key, when=NOW - timedelta(minutes=minutes), analysis=given, **(base | more))  # type: ignore[arg-type]


def test_the_most_urgent_come_first_and_of_the_same_urgency_the_newest():
    every = [
        row("absent", 1, answer(0.1)),
        row("old and present", 50, answer(0.9)),
        row("new and present", 5, answer(0.6)),
        row("unsure", 2, answer(0.42)),
        row("refused", 1, None, status="refused"),
    ]
    keys = [each.key for each in rows.ordered(every, Order.URGENT)]
    assert keys == ["new and present", "old and present", "unsure", "refused", "absent"]
    assert rows.ordered(every, Order.NEWEST)[-1].key == "old and present"


def test_each_filter_keeps_what_it_says():
    every = [row("a", 5, answer(0.9)), row("b", 90, answer(0.1), model="other"), row("c", 1, None, status="refused")]

    def kept(**by: object) -> list[str]:
        return [each.key for each in rows.filtered(every, now=NOW, **by)]  # type: ignore[arg-type]

    assert kept() == ["a", "b", "c"]
    assert kept(model="other") == ["b"]
    assert kept(status="refused") == ["c"]
    assert kept(within=timedelta(hours=1)) == ["a", "c"]
    assert kept(verdict=Verdict.ABSENT) == ["b"]
    assert kept(finding="nodule") == ["a"]
    assert kept(finding="nodule", verdict=Verdict.ABSENT) == ["b"]
    assert kept(finding="effusion") == []


def test_a_refused_study_stands_in_the_list_with_its_reason():
    (study,) = intake.studies([b"nothing"])
    study.outcomes[study.scan.sha256, "m", 1] = errors.BadImage("It is no picture.", errors.Reason.NOT_AN_IMAGE)
    (line,) = rows.of_session([study])
    assert (line.status, line.reason) == ("refused", "It is no picture.")
    assert "It is no picture." in listed.line(line)


def test_an_unusual_picture_is_marked_in_the_list_and_among_similar_cases():
    usual, unusual = answer(0.9), replace(answer(0.9), caution=CAUTION)
    assert "Unusual for this model" in listed.line(row("a", 1, unusual))
    assert "Unusual" not in listed.line(row("a", 1, usual))
    found = [(0.9, stored(unusual)), (0.8, stored(usual))]
    assert listed.similar(found).count("Nodule (90 %). Unusual for this model") == 1
    assert listed.similar(found).count("Unusual") == 1


def stored(said: Analysis) -> StoredAnalysis:
    made = said.provenance
    return StoredAnalysis(
        sequence=1,
        analysis_id=made.analysis_id,
        created=NOW,
        model=made.model,
        version=made.version,
        status=Status.DONE,
        image_sha256=made.image_sha256,
        analysis=said,
    )


def test_predictive_values_equal_the_ones_worked_out_by_hand():
    # Of 1000 with prevalence 10 %: 100 have it, 90 of them found (0.9); 900 have it not, 180 alarms (0.8).
    # PPV = 90 / 270 = 1/3; NPV = 720 / (720 + 10) = 0.98630...
    ppv, npv = worth.bayes(0.9, 0.8, 0.1)
    assert ppv == pytest.approx(1 / 3)
    assert npv == pytest.approx(720 / 730)


def test_the_interval_of_a_predictive_value_comes_from_the_ends_of_both_intervals():
    found = worth.worth(POINT, 0.5)
    assert found is not None
    # At 50 % the prevalence cancels: PPV = se / (se + 1 - sp).
    assert found.ppv.low == pytest.approx(0.85 / (0.85 + 0.17))
    assert found.ppv.high == pytest.approx(0.95 / (0.95 + 0.08))


def test_nothing_measured_is_worth_nothing():
    assert worth.worth(POINT.model_copy(update={"sensitivity": Interval(value=None)}), 0.1) is None
    assert worth.bayes(0.0, 1.0, 0.2)[0] is None


def test_the_prevalence_begins_with_that_of_the_test_set():
    assert worth.own_prevalence(card().labels[0]) == pytest.approx(61 / 240)


def test_models_that_say_the_opposite_are_named_before_the_answer():
    here, there = answer(0.9, "CR"), answer(0.1, "CR")
    (said,) = words.warnings(here, card(), [here, there])
    assert said == "phantom-chest, version 1, says the opposite of: nodule. Look for yourself."
    assert words.warnings(here, card(), [answer(0.45, "CR")]) == []


def test_a_file_without_a_modality_is_said_to_be_unchecked():
    (said,) = words.warnings(answer(0.9), card(), [])
    assert "nothing held it against what this model reads: CR, DX" in said


@pytest.fixture
def report() -> export.Report:
    (study,) = intake.studies([png()])
    return made_of(study)


def made_of(study: Study) -> export.Report:
    said = Review(
        analysis_id="c0ffee12", decision=Decision.CORRECT, user="=Doe", finding="nodule", correction=Verdict.ABSENT
    )
    return export.Report(study=study, analysis=analysis(PHANTOM_CHEST), card=card(), reviews=(said,))


def test_the_table_has_a_line_per_finding_with_what_was_said_of_it(report):
    lines = list(csv.DictReader(io.StringIO(report.csv().decode())))
    assert [line["finding"] for line in lines] == list(PHANTOM_CHEST.labels)
    assert (lines[0]["decision"], lines[0]["correction"]) == ("correct", "absent")
    assert lines[0]["user"] == "'=Doe"  # no formula
    assert all("Research use only" in line["notice"] for line in lines)


def test_the_picture_of_the_report_has_the_evidence_on_it(report):
    shown = np.asarray(Pillow.open(io.BytesIO(report.png())))
    assert shown.shape == (96, 96, 3)
    assert np.ptp(shown.astype(int), axis=2).max() > 40


def test_each_export_of_an_unusual_picture_says_so(report):
    cautioned = replace(report, analysis=replace(report.analysis, caution=CAUTION))
    (line, *_) = csv.DictReader(io.StringIO(cautioned.csv().decode()))
    assert (line["caution_ratio"], line["caution"]) == ("1.3100", CAUTION.message)
    (line, *_) = csv.DictReader(io.StringIO(report.csv().decode()))
    assert (line["caution_ratio"], line["caution"]) == ("", "")
    assert CAUTION.message.encode() in cautioned.fhir()
    assert len(cautioned.pdf()) > len(report.pdf())  # what is on it: tests/serving/hospital/results
    plain, told = (np.asarray(Pillow.open(io.BytesIO(each.png()))) for each in (report, cautioned))
    assert (told[0, 0] == 0).all()  # the caption's corner
    assert not (plain[0, 0] == 0).all()
    np.testing.assert_array_equal(told[40:], plain[40:])


def test_a_dicom_report_needs_a_dicom_image(report):
    assert export.lacking(dicom=True, study=report.study)
    assert not export.lacking(dicom=False, study=report.study)
    (study,) = intake.studies([ct(np.eye(64, dtype=np.int64))])
    assert not export.lacking(dicom=True, study=study)


def test_the_documents_of_a_hospital_are_made(report):
    from pydicom import dcmread

    assert report.pdf().startswith(b"%PDF")
    assert b'"resourceType"' in report.fhir()
    (study,) = intake.studies([ct(np.eye(64, dtype=np.int64) * 99)])
    held = dcmread(io.BytesIO(made_of(study).structured()))
    assert held.Modality == "SR"
    assert held.StudyInstanceUID == "1.2.3"


def audited() -> MethodReliability:
    found = Localisation(
        label="nodule", images=40, pointing=Interval(value=0.7, low=0.6, high=0.8), pointing_centre=0.1, mask_area=0.05
    )
    return MethodReliability(
        method="grad-cam", title="Grad-CAM", localisation=(found,), sanity_passed=False, stability=0.9, seconds=0.1
    )


def test_a_method_is_shown_with_what_the_card_says_of_it():
    shown = card().model_copy(update={"explanations": (audited(),)})
    said = listed.reliability(shown, Method.GRAD_CAM, "nodule")
    assert "FAILED the sanity check; peaks inside the lesion in 0.70 (0.60 to 0.80)" in said
    assert "ks-failed" in said
    assert "not audited" in listed.reliability(shown, Method.SCORE_CAM, "nodule")


def test_the_card_page_has_audits_and_subgroups():
    share = Interval(value=0.9)
    group = Subgroup(by="sex", value="F", images=80, patients=40, accuracy=share, macro_auroc=share)
    shown = cards.how(card().model_copy(update={"explanations": (audited(),), "subgroups": (group,)}))
    assert "sex: F" in shown
    assert "Depends on what was learnt" in shown


def test_what_changed_between_two_versions_is_listed_and_nothing_else():
    old = card()
    point = POINT.model_copy(update={"threshold": 0.55})
    new = old.model_copy(
        update={"version": 2, "labels": (old.labels[0].model_copy(update={"operating_point": point}), *old.labels[1:])}
    )
    assert changes.between(old, new) == [["Nodule: operating point", "0.400", "0.550"]]
    assert changes.between(old, old) == []
