"""The PDF and the FHIR bundle: for people and for records."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from fhir.resources.R4B.bundle import Bundle
from pydicom.uid import EncapsulatedPDFStorage

from serving.hospital.results import document, fhir, source
from serving.hospital.results.identity import Made
from tests.serving.hospital.results.objects import AT, needs, read_back, said_of
from zoo.imaging.image import read


def text_of(pdf: bytes, folder: Path) -> str:
    (folder / "report.pdf").write_bytes(pdf)
    done = subprocess.run(
        ["pdftotext", "-layout", str(folder / "report.pdf"), "-"], capture_output=True, text=True, check=True
    )
    return " ".join(done.stdout.split())


@needs("pdftotext")
def test_the_pdf_says_all_that_a_reader_must_know(cr, analysis, card, tmp_path):
    text = text_of(document.pdf(Made(analysis, AT), card, read(cr), source.read(cr)), tmp_path)
    for words in (
        analysis.notice,
        "no person has verified it",
        *("DOE, JANE", "SECRET-1", "1970-01-02", "accession A-77"),
        *("Effusion present 0.930 0.400", "0.85 to 0.95", "Pneumothorax absent", "unrated 0.200 none"),
        *("no outline of a lesion", "Not for. patients", "tests & nothing else", "7 images train"),
        "ab" * 32,
    ):
        assert words in text, words


@needs("pdftotext")
def test_the_pdf_says_on_each_page_that_the_picture_is_unusual(cr, analysis, unusual, card, tmp_path):
    made = document.pdf(Made(unusual, AT), card, read(cr), source.read(cr))
    text = text_of(made, tmp_path)
    assert "Caution: this picture is unusual for the model" in text
    assert unusual.caution.message in text
    assert text.index(unusual.caution.message) < text.index("Findings")
    assert text.count("Caution: the picture is unusual for the model.") == text.count("no person has verified it")
    usual = text_of(document.pdf(Made(analysis, AT), card, read(cr), source.read(cr)), tmp_path)
    assert "unusual" not in usual


@needs("pdftotext")
def test_the_pdf_of_a_png_names_no_patient(png, analysis, card, tmp_path):
    text = text_of(document.pdf(Made(analysis, AT), card, read(png)), tmp_path)
    assert "Patient" not in text
    assert "PNG, 80 x 96 pixels" in text


@needs("dciodvfy")
def test_dciodvfy_finds_no_error_in_the_encapsulated_pdf(cr, analysis, card, tmp_path):
    origin, made = source.read(cr), Made(analysis, AT)
    pdf = document.pdf(made, card, read(cr), origin)
    held = document.encapsulated(origin, made, pdf)
    said = said_of(held, "dciodvfy", tmp_path)
    assert "EncapsulatedPDF" in said
    assert "Error" not in said
    again = read_back(held)
    assert again.SOPClassUID == EncapsulatedPDFStorage
    assert again.EncapsulatedDocument[: again.EncapsulatedDocumentLength] == pdf
    assert (again.VerificationFlag, again.BurnedInAnnotation) == ("UNVERIFIED", "YES")


def test_the_fhir_bundle_is_valid_preliminary_and_whole(cr, analysis, card):
    text = fhir.bundle(Made(analysis, AT), card, source.read(cr)).model_dump_json()
    bundle = Bundle.model_validate_json(text)
    report, *observations, device = (entry.resource for entry in bundle.entry)
    assert {each.status for each in (report, *observations)} == {"preliminary"}
    known = {entry.fullUrl for entry in bundle.entry}
    assert {each.reference for each in report.result} == {f"urn:uuid:{each.id}" for each in observations} <= known
    assert {each.device.reference for each in observations} == {f"urn:uuid:{device.id}"}
    assert "Research use only" in report.conclusion
    effusion = json.loads(text)["entry"][1]["resource"]
    assert effusion["code"]["coding"][0] == {
        "system": "http://snomed.info/sct",
        "code": "60046008",
        "display": "Pleural effusion",
    }
    assert effusion["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    assert [part["valueQuantity"]["value"] for part in effusion["component"]] == [0.93, 0.4, 0.91, 0.88]


def test_the_fhir_bundle_says_in_each_observation_and_the_conclusion_that_the_image_is_unusual(cr, unusual, card):
    text = fhir.bundle(Made(unusual, AT), card, source.read(cr)).model_dump_json()
    report, *observations, _ = (entry.resource for entry in Bundle.model_validate_json(text).entry)
    assert unusual.caution.message in report.conclusion
    for each in observations:
        likeness, ratio, refusal = each.component[-3:]
        assert likeness.valueCodeableConcept.coding[0].code == "unusual"
        assert [float(part.valueQuantity.value) for part in (ratio, refusal)] == [1.31, 1.8]
        assert unusual.caution.message in each.note[0].text
        assert "Research use only" in each.note[0].text


def test_the_fhir_bundle_names_the_patient_by_identifier_alone(cr, analysis, card):
    text = fhir.bundle(Made(analysis, AT), card, source.read(cr)).model_dump_json()
    assert "SECRET-1" in text
    assert "DOE" not in text
    assert "urn:oid:1.2.826.0.1.3680043.8.498.1" in text


def test_the_fhir_bundle_of_a_png_has_neither_subject_nor_study(analysis, card):
    text = fhir.bundle(Made(analysis, AT), card).model_dump_json()
    assert "subject" not in text
    assert "imagingStudy" not in text
