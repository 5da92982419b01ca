"""The structured report says what the analysis says, and other people's programs find nothing wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import Dataset
from pydicom.uid import Comprehensive3DSRStorage

from serving.hospital.results import source
from serving.hospital.results.identity import Made
from serving.hospital.results.structured import structured_report
from tests.serving.hospital.results.objects import AT, needs, read_back, said_of
from zoo.cards import ModelCard
from zoo.results import Analysis


@pytest.fixture
def sr(cr: bytes, analysis: Analysis, card: ModelCard) -> Dataset:
    return structured_report(source.read(cr), Made(analysis, AT), card)


def groups(report: Dataset) -> list[Dataset]:
    (measurements,) = [item for item in report.ContentSequence if name(item) == "Imaging Measurements"]
    return list(measurements.ContentSequence)


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeMeaning)


def items(group: Dataset) -> Iterator[tuple[str, Dataset]]:
    return ((name(item), item) for item in group.ContentSequence)


def code(item: Dataset) -> tuple[str, str]:
    held = item.ConceptCodeSequence[0]
    return str(held.CodingSchemeDesignator), str(held.get("CodeValue") or held.LongCodeValue)


def number(item: Dataset) -> float:
    return float(item.MeasuredValueSequence[0].NumericValue)


@needs("dciodvfy")
def test_dciodvfy_finds_no_error(sr, tmp_path: Path):
    said = said_of(sr, "dciodvfy", tmp_path)
    assert "Comprehensive3DSR" in said
    assert "Error" not in said


@needs("dsrdump")
def test_dsrdump_reads_every_finding(sr, analysis, tmp_path: Path):
    said = said_of(sr, "dsrdump", tmp_path)
    assert "Verification Flag   : UNVERIFIED" in said
    for each in analysis.findings:
        assert f'"{each.label}: {each.verdict.value}"' in said


def test_nobody_has_verified_it_and_the_series_says_research_use_only(sr):
    report = read_back(sr)
    assert report.SOPClassUID == Comprehensive3DSRStorage
    assert (report.VerificationFlag, report.PreliminaryFlag, report.CompletionFlag) == (
        "UNVERIFIED",
        "PRELIMINARY",
        "COMPLETE",
    )
    assert "RESEARCH USE ONLY" in report.SeriesDescription
    assert report.ContentTemplateSequence[0].TemplateIdentifier == "1500"


def test_it_is_filed_under_the_patient_and_study_of_the_image(sr):
    report = read_back(sr)
    assert (report.PatientName, report.PatientID, report.PatientSex) == ("DOE^JANE", "SECRET-1", "F")
    assert (report.StudyInstanceUID, report.AccessionNumber) == ("1.2.826.0.1.3680043.8.498.1", "A-77")


def test_each_label_is_coded_with_its_verdict_and_what_it_is_worth(sr):
    effusion, pneumothorax, nodule, thickening = (dict(items(group)) for group in groups(read_back(sr)))
    assert code(effusion["Finding"]) == ("SCT", "60046008")
    assert code(thickening["Finding"]) == ("99KERASCOPE", "pleural-thickening")
    verdicts = [code(each["Presence of property"]) for each in (effusion, pneumothorax, nodule, thickening)]
    assert verdicts == [("SCT", "52101004"), ("SCT", "272519000"), ("SCT", "373068000"), ("99KERASCOPE", "unrated")]
    assert number(effusion["Probability"]) == pytest.approx(0.93)
    assert number(effusion["Operating point: threshold of the probability"]) == pytest.approx(0.4)
    sensitivity = effusion["Sensitivity at the operating point, test split"]
    assert number(sensitivity) == pytest.approx(0.91)
    assert sorted(number(item) for item in sensitivity.ContentSequence) == pytest.approx([0.04, 0.06])
    assert "Sensitivity at the operating point, test split" not in thickening


def test_each_label_names_its_image_its_algorithm_and_a_thing_to_track(sr, cr, analysis):
    found = groups(read_back(sr))
    image = source.read(cr).dataset.SOPInstanceUID
    for group in found:
        held = dict(items(group))
        assert held["Source of Measurement"].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == image
        assert (held["Algorithm Name"].TextValue, held["Algorithm Version"].TextValue) == ("chest", "3")
        assert code(held["Algorithm Family"]) == ("DCM", "123110")
        said = [item.TextValue for key, item in items(group) if key == "Algorithm Parameters"]
        assert analysis.notice in said
    tracked = {dict(items(group))["Tracking Unique Identifier"].UID for group in found}
    assert len(tracked) == len(found)


def test_each_label_says_that_its_image_is_unusual_in_code_numbers_and_words(cr, unusual, card):
    report = read_back(structured_report(source.read(cr), Made(unusual, AT), card))
    found = [dict(items(group)) for group in groups(report)]
    assert len(found) == 4
    for group in found:
        assert code(group["Image compared with the model's training images"]) == ("99KERASCOPE", "unusual")
        assert number(group["Distance from the training images / limit of the caution"]) == pytest.approx(1.31)
        assert number(group["Limit of refusal / limit of the caution"]) == pytest.approx(1.8)
        assert group["Comment"].TextValue == unusual.caution.message
    assert unusual.caution.message in report.ContributingEquipmentSequence[0].ContributionDescription


def test_the_report_of_a_usual_image_says_nothing_of_the_kind(sr):
    said = str(read_back(sr)).lower()
    assert "unusual" not in said
    assert "refusal" not in said


@needs("dciodvfy")
@needs("dsrdump")
def test_other_programs_read_a_report_with_a_caution_and_find_no_error(cr, unusual, card, tmp_path: Path):
    made = structured_report(source.read(cr), Made(unusual, AT), card)
    assert "Error" not in said_of(made, "dciodvfy", tmp_path)
    said = said_of(made, "dsrdump", tmp_path)
    assert said.count('"Unusual for this model"') == said.count('"Comment")="Unusual for this model') == 4


def test_the_model_is_contributing_equipment(sr):
    made_by = read_back(sr).ContributingEquipmentSequence[0]
    assert made_by.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"  # processing equipment
    assert made_by.ManufacturerModelName == "chest"
    assert "Research use only" in made_by.ContributionDescription


def test_a_name_in_kanji_comes_back_as_it_was(make_dicom, analysis, card):
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    data = make_dicom(
        SpecificCharacterSet=["", "ISO 2022 IR 87"],
        PatientName=name,
        StudyInstanceUID="1.2.3",
        SeriesInstanceUID="1.2.4",
    )
    report = read_back(structured_report(source.read(data), Made(analysis, AT), card))
    assert report.PatientName == name
