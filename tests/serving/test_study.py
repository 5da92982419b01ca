"""AnalyzeStudy: all images of a study, and what is said of them together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import UID

from serving.audit import trail
from serving.client import Client
from serving.incoming import Incoming
from serving.server import Gateway
from serving.store.store import Store
from serving.study import MOST_IMAGES, Study, summary
from zoo import errors
from zoo.errors import Reason
from zoo.results import Analysis, Finding, ImageFacts, Provenance, Timings, Verdict

TINY = "tiny-chest"


def said(**probabilities: float) -> Analysis:
    """An analysis with these probabilities, present from 0.5 on."""
    findings = tuple(
        Finding(
            label=label,
            probability=probability,
            logit=0.0,
            verdict=Verdict.PRESENT if probability >= 0.5 else Verdict.ABSENT,
            operating_point=None,
            evidence=np.zeros((2, 2), np.float32),
        )
        for label, probability in probabilities.items()
    )
    names = dict.fromkeys(("backbone", "weights_sha256", "analysis_id", "image_sha256", "gateway_version"), "")
    return Analysis(
        findings=findings,
        provenance=Provenance(model="m", version=1, **names),
        image=ImageFacts(format="PNG", width=2, height=2),
        timings=Timings(decode_ms=0, preprocess_ms=0, model_ms=0, total_ms=0),
    )


def test_the_summary_by_hand():
    # nodule: 0.2, 0.9, 0.6: the second image has the most, and two of three reach 0.5. effusion: 0.4, 0.1, 0.4: the
    # first of the equal ones, and none reaches it.
    nodule, effusion = summary(
        {
            "a": said(nodule=0.2, effusion=0.4),
            "b": said(nodule=0.9, effusion=0.1),
            "c": said(nodule=0.6, effusion=0.4),
        }
    )
    assert (nodule.label, nodule.probability, nodule.verdict) == ("nodule", 0.9, Verdict.PRESENT)
    assert (nodule.image_id, nodule.present_on) == ("b", 2)
    assert (effusion.label, effusion.probability, effusion.verdict) == ("effusion", 0.4, Verdict.ABSENT)
    assert (effusion.image_id, effusion.present_on) == ("a", 0)


def test_of_no_image_there_is_no_summary():
    assert summary({}) == ()


def checked(study: Study, *files: bytes) -> list[Incoming]:
    return list(study.checked(Incoming(str(number), data) for number, data in enumerate(files)))


def test_the_first_dicom_file_says_which_study_it_is(make_dicom, png):
    study = Study("")
    checked(study, make_dicom(StudyInstanceUID="1.2.3"), make_dicom(StudyInstanceUID="1.2.3"), make_dicom(), png)
    assert study.uid == "1.2.3"
    assert study.order == ["0", "1", "2", "3"]


def test_pictures_that_cannot_say_are_a_study_of_their_own(png, jpeg):
    study, other = Study(""), Study("")
    checked(study, png, jpeg)
    checked(other, jpeg)
    assert UID(study.uid).is_valid
    assert study.uid.startswith("2.25.")
    assert study.uid != other.uid
    named = Study("1.2.3")
    checked(named, png)
    assert named.uid == "1.2.3"


def test_images_of_two_studies_are_a_bad_request(make_dicom, png):
    one, other = make_dicom(StudyInstanceUID="1.2.3"), make_dicom(StudyInstanceUID="1.2.4")
    for study, files in ((Study(""), [one, other]), (Study("1.2.4"), [one]), (Study(""), [png, one])):
        with pytest.raises(errors.BadRequest, match="another Study Instance UID"):
            checked(study, *files)


def test_a_study_is_named_by_a_uid_and_its_images_each_by_another_name(png):
    with pytest.raises(errors.BadRequest, match="no UID"):
        Study("DOE^JANE")
    with pytest.raises(errors.BadRequest, match="same image_id"):
        list(Study("").checked([Incoming("a", png), Incoming("a", png)]))
    with pytest.raises(errors.BadRequest, match=str(MOST_IMAGES)):
        checked(Study(""), *[b""] * (MOST_IMAGES + 1))


@pytest.fixture
def asked(registry, model_server, start_gateway: Callable[..., Gateway], tmp_path: Path):
    """A client of a gateway with a store and an audit trail in `tmp_path`."""
    settings = {"store": f"sqlite:///{tmp_path}/store.db", "audit": tmp_path / "audit.jsonl"}
    with Client(start_gateway(registry, model_server.port, **settings).address) as client:
        yield client


@pytest.mark.slow
def test_a_study_is_answered_image_by_image_and_as_a_whole_and_is_one_in_the_store(
    asked: Client, tmp_path, make_dicom, png
):
    views = {name: make_dicom(StudyInstanceUID="1.2.3", SOPInstanceUID=f"1.2.3.{name}") for name in "21"}
    images = {**views, "ct": make_dicom(StudyInstanceUID="1.2.3", Modality="CT"), "picture": png}
    answer = asked.analyze_study(images.items(), model=TINY, request_id="mine")
    assert [image.image_id for image in answer.images] == ["2", "1", "ct", "picture"]
    assert answer.images[2].error.reason is Reason.WRONG_MODALITY
    analyses = {image.image_id: image.analysis for image in answer.images if image.analysis}
    assert answer.summary == summary(analyses)
    assert len(answer.summary) == len(asked.card(TINY).labels)
    assert (answer.study_uid, answer.model, answer.version) == ("1.2.3", TINY, 1)
    assert "Research use only" in answer.notice
    study, stored = asked.study("1.2.3")
    assert len(study.items) == len(stored) == 4
    again = asked.analyze_study(images.items(), model=TINY, request_id="mine")
    assert [image.from_store for image in again.images] == [True, True, False, True]
    assert again.summary == answer.summary
    assert len(Store(f"sqlite:///{tmp_path}/store.db").analyses.since(0)) == 4
    assert [record["action"] for record in trail.read(tmp_path / "audit.jsonl")].count("analyze") == 8


@pytest.mark.slow
def test_a_study_says_how_many_of_its_images_are_unusual(asked: Client, unusual, make_dicom):
    images = {"a": make_dicom(), "b": make_dicom(SOPInstanceUID="1.2.3.9"), "ct": make_dicom(Modality="CT")}
    answer = asked.analyze_study(images.items(), model=TINY, study_uid="")
    assert answer.unusual == 2
    assert [image.analysis.caution for image in answer.images[:2]] == [unusual] * 2


@pytest.mark.slow
def test_pictures_without_a_study_are_kept_as_one(asked: Client, make_png):
    answer = asked.analyze_study([(str(seed), make_png(seed)) for seed in range(3)], model=TINY)
    assert len(asked.study(answer.study_uid)[1]) == 3


@pytest.mark.slow
def test_a_study_of_which_nothing_is_for_the_model_has_answers_and_no_summary(asked: Client, make_dicom):
    answer = asked.analyze_study([("a", make_dicom(Modality="CT"))], model=TINY)
    assert answer.images[0].error.reason is Reason.WRONG_MODALITY
    assert answer.summary == ()


@pytest.mark.slow
def test_what_is_no_study_is_a_bad_request(asked: Client, make_dicom, png, tmp_path):
    one, other = make_dicom(StudyInstanceUID="1.2.3"), make_dicom(StudyInstanceUID="1.2.4")
    for images, words in (
        ({"a": one, "b": other}, "another Study Instance UID"),
        ({"DOE^JANE": png}, "letters, digits"),
        ({}, "no image"),
    ):
        with pytest.raises(errors.BadRequest, match=words):
            asked.analyze_study(images.items(), model=TINY)
    with pytest.raises(errors.BadImage, match="cannot be read"):
        asked.analyze_study([("a", tmp_path / "none")], model=TINY)


@pytest.mark.slow
def test_a_study_that_nobody_can_answer_for_is_no_study_half_answered(registry, start_gateway, make_dicom, png):
    images = [("ct", make_dicom(Modality="CT")), ("good", png)]
    with Client(start_gateway(registry, 1).address) as client, pytest.raises(errors.ModelNotReady):
        client.analyze_study(images, model=TINY)
