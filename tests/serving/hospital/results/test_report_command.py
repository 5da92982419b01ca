"""`kerascope report` against a real gateway."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from rich.console import Console

from serving.hospital.report import Files, report
from zoo import errors

pytestmark = pytest.mark.slow
TINY = "tiny-chest"


@pytest.fixture
def ask(gateway, tmp_path):
    def ask(data: bytes, **files: str) -> str:
        (tmp_path / "image").write_bytes(data)
        buffer = io.StringIO()
        wanted = Files(**{name: tmp_path / target for name, target in files.items()})
        report(tmp_path / "image", wanted, model=TINY, gateway=gateway.address, console=Console(file=buffer))
        return buffer.getvalue()

    return ask


def test_the_caution_is_said_after_what_was_written(ask, png, unusual, monkeypatch):
    from serving.client import Client

    analyze = Client.analyze
    monkeypatch.setattr(
        Client, "analyze", lambda *args, **said: replace(analyze(*args, **said), caution=unusual.caution)
    )
    said = " ".join(ask(png, pdf="report.pdf").split())
    assert f"Caution. {unusual.caution.message} Research use only" in said


def test_every_form_of_an_answer_is_written(ask, ct_of_a_radiographs_model, tmp_path: Path):
    said = ask(ct_of_a_radiographs_model, sr="sr.dcm", pdf="pdf.dcm", fhir="fhir.json", overlay="sc.dcm", map="pm.dcm")
    classes = {name: dcmread(tmp_path / f"{name}.dcm").SOPClassUID.name for name in ("sr", "pdf", "sc", "pm")}
    assert classes == {
        "sr": "Comprehensive 3D SR Storage",
        "pdf": "Encapsulated PDF Storage",
        "sc": "Secondary Capture Image Storage",
        "pm": "Parametric Map Storage",
    }
    assert json.loads((tmp_path / "fhir.json").read_text())["resourceType"] == "Bundle"
    assert "Research use only" in said


@pytest.fixture
def ct_of_a_radiographs_model(ct: bytes) -> bytes:
    """The tiny model takes CR and DX alone, so the slice says that it is one."""
    buffer = io.BytesIO()
    ds = dcmread(io.BytesIO(ct))
    ds.Modality = "CR"
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def test_a_png_has_a_pdf_and_fhir_and_is_refused_for_the_rest(ask, png, tmp_path: Path):
    ask(png, pdf="report.pdf", fhir="fhir.json")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    for files in ({"sr": "sr.dcm"}, {"pdf": "pdf.dcm"}, {"overlay": "sc.dcm"}):
        with pytest.raises(errors.BadRequest, match=r"no DICOM file"):
            ask(png, **files)


def test_no_file_asked_for_is_said_so(ask, png):
    with pytest.raises(errors.BadRequest, match=r"Name one or more: --sr"):
        ask(png)


def test_no_map_of_something_absent_is_written(ask, cr, monkeypatch):
    monkeypatch.setattr(
        "zoo.results.Analysis.leading", property(lambda analysis: analysis.findings[1])
    )  # always absent
    with pytest.raises(errors.BadRequest, match=r"consolidation, is below its operating point"):
        ask(cr, overlay="sc.dcm")
