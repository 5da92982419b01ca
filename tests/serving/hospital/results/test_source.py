"""What a result inherits from its image, and which images can have none."""

from __future__ import annotations

import logging
import warnings

import pytest

from serving.hospital.results import source
from serving.hospital.results.filing import objects
from tests.serving.hospital.results.objects import AT
from zoo import errors

STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.4"}


def test_a_png_has_no_study_to_file_a_result_under(png):
    with pytest.raises(errors.BadRequest, match=r"no DICOM file.*PDF or FHIR"):
        source.read(png)


@pytest.mark.parametrize("study", [{}, {"StudyInstanceUID": "", "SeriesInstanceUID": "1.2"}])
def test_an_image_without_a_study_is_refused_without_naming_the_patient(make_dicom, study):
    with pytest.raises(errors.BadImage, match=r"no valid StudyInstanceUID") as caught:
        source.read(make_dicom(**study))
    assert "DOE" not in str(caught.value)


def test_values_that_the_standard_does_not_allow_are_left_empty(make_dicom):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = make_dicom(**STUDY, PatientSex="female", StudyDate="4 March", StudyTime="99", StudyID="x" * 40)
    ds = source.read(data).dataset
    assert (ds.PatientSex, ds.StudyDate, ds.StudyTime, ds.StudyID) == ("", "", "", "")
    assert ds.PatientID == "SECRET-1"


def test_an_odd_name_reaches_no_log_and_no_warning(make_dicom, analysis, card, caplog):
    data = make_dicom(**STUDY, PatientName="SECRETIVE, Jane", PatientID="SECRET-1")
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        objects(data, analysis, card, at=AT)
    said = caplog.text + "".join(str(each.message) for each in caught)
    assert "SECRET" not in said


def test_only_an_image_with_spacing_position_orientation_and_frame_has_a_place(cr, ct):
    assert source.read(ct).has_geometry
    assert not source.read(cr).has_geometry
