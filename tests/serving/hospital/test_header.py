"""What decides where an image goes is read, and nothing of the patient."""

from __future__ import annotations

import warnings
from dataclasses import astuple

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from serving.hospital import header
from serving.hospital.header import Header


def test_what_a_file_says_of_itself_is_read_in_capitals(make_dicom):
    read = header.read(
        make_dicom(
            StudyInstanceUID="1.2.3",
            SOPInstanceUID="1.2.3.4",
            BodyPartExamined="Chest",
            ViewPosition="pa ",
            StudyDescription="Thorax",
            ProtocolName="Routine",
        )
    )
    assert (read.study_uid, read.instance_uid) == ("1.2.3", "1.2.3.4")
    assert (read.modality, read.body_part, read.view) == ("CR", "CHEST", "PA")
    assert read.description == "Thorax\nRoutine"


def test_nothing_of_the_patient_is_read(make_dicom):
    assert not {"DOE^JANE", "SECRET-1", "19700102"} & set(astuple(header.read(make_dicom())))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\0" * 128 + b"DICM" + b"\xff" * 64])
def test_what_is_no_dicom_file_has_an_empty_header(data: bytes):
    assert header.read(data) == Header()


def test_a_deflated_file_is_inflated_no_further_than_a_picture_could_need(make_dicom):
    about = {"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.4"}
    small = make_dicom(syntax=DeflatedExplicitVRLittleEndian, **about)
    bomb = make_dicom(syntax=DeflatedExplicitVRLittleEndian, **about, ImageComments="0" * (20 << 20))
    assert (header.read(small).study_uid, header.read(small).transfer_syntax) == ("1.2.3", "1.2.840.10008.1.2.1.99")
    assert len(bomb) < 1 << 17
    assert header.read(bomb, max_pixels=100_000) == Header()


@pytest.mark.parametrize("uid", ["../../etc/passwd", "1.02.3", "1..2", "DOE^JANE", "1." + "2" * 63, ""])
def test_a_uid_that_breaks_the_rules_counts_as_none_and_is_quoted_nowhere(make_dicom, uid: str):
    # PS3.5 section 9.1: digits and dots, no component with a leading zero, at most 64 characters.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = make_dicom(StudyInstanceUID=uid)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert header.read(data).study_uid == ""
