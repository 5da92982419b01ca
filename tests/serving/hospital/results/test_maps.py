"""Overlay and parametric map lie where their image lies, and show what the model said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom.uid import ParametricMapStorage, SecondaryCaptureImageStorage

from serving.hospital.results import source
from serving.hospital.results.identity import Made
from serving.hospital.results.overlay import secondary_capture
from serving.hospital.results.parametric import parametric_map
from tests.serving.hospital.results.objects import AT, needs, read_back, said_of
from zoo import errors
from zoo.imaging.image import read
from zoo.imaging.overlay import heatmap, overlay


def capture(data, analysis):
    return secondary_capture(source.read(data), Made(analysis, AT), analysis.findings[0], read(data), 1)


def evidence_map(data, analysis):
    return parametric_map(source.read(data), Made(analysis, AT), analysis.findings[0], 1)


@needs("dciodvfy")
@pytest.mark.parametrize("make", [capture, evidence_map])
def test_dciodvfy_finds_no_error(make, ct, analysis, tmp_path: Path):
    said = said_of(make(ct, analysis), "dciodvfy", tmp_path)
    assert "SCImage" in said or "ParametricMap" in said
    assert "Error" not in said


@needs("dciodvfy")
def test_dciodvfy_finds_no_error_in_the_overlay_of_a_radiograph(cr, analysis, tmp_path: Path):
    assert "Error" not in said_of(capture(cr, analysis), "dciodvfy", tmp_path)


def test_the_overlay_is_the_heat_over_the_picture_at_its_own_size(cr, analysis):
    shown = read_back(capture(cr, analysis))
    expected = overlay(read(cr).pixels, heatmap(analysis.findings[0].evidence)[0])
    assert shown.SOPClassUID == SecondaryCaptureImageStorage
    assert shown.pixel_array.shape == (96, 80, 3)
    np.testing.assert_array_equal(shown.pixel_array[40:], expected[40:])  # below the caption


def test_the_caption_is_burnt_into_the_upper_left_corner(cr, analysis):
    image = read(cr)
    bright = replace(image, pixels=np.full((600, 500), 200, np.uint8))
    made = Made(analysis, AT)
    shown = secondary_capture(source.read(cr), made, analysis.findings[0], bright, 1).pixel_array
    corner = shown[:40, :200].reshape(-1, 3)
    assert (corner == (0, 0, 0)).all(axis=-1).any()
    assert (corner == (255, 224, 102)).all(axis=-1).any()
    assert shown[100:].min() > 60


def test_the_overlay_refers_to_its_source_and_lies_on_it(ct, analysis):
    shown, inherited = read_back(capture(ct, analysis)), source.read(ct).dataset
    (reference,) = shown.SourceImageSequence
    assert reference.ReferencedSOPInstanceUID == inherited.SOPInstanceUID
    assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        assert shown.get(keyword) == inherited.get(keyword), keyword
    assert "Research use only" in shown.ImageComments


@needs("dciodvfy")
@pytest.mark.parametrize("make", [capture, evidence_map])
def test_maps_of_an_unusual_image_say_so_where_viewers_look(make, ct, unusual, tmp_path: Path):
    made = make(ct, unusual)
    assert "unusual for th" in (made.get("ImageComments") or made.ContentDescription).lower()
    assert unusual.caution.message in made.ContributingEquipmentSequence[0].ContributionDescription
    assert "Error" not in said_of(made, "dciodvfy", tmp_path)


def test_the_caution_is_burnt_into_the_overlay_below_the_notice(cr, analysis, unusual):
    image = read(cr)
    bright = replace(image, pixels=np.full((600, 500), 200, np.uint8))
    plain, cautioned = (
        secondary_capture(source.read(cr), Made(said, AT), said.findings[0], bright, 1).pixel_array
        for said in (analysis, unusual)
    )
    black = [int((shown == 0).all(axis=-1)[:, 2].sum()) for shown in (plain, cautioned)]
    assert black[1] - black[0] == pytest.approx(black[0] / 3, abs=3)  # four lines in place of three


def test_a_picture_with_a_name_burnt_in_has_an_overlay_that_says_so(make_dicom, analysis):
    data = make_dicom(StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.4", BurnedInAnnotation="YES")
    assert capture(data, analysis).BurnedInAnnotation == "YES"


def test_the_maps_cells_lie_where_worked_out_by_hand(ct, analysis):
    # 96 rows 0.5 mm apart are 48 mm, 24 mm for each of 2 cells; 80 columns 0.25 mm apart are 20 mm, 5 mm for each of 4.
    # The picture's corner is half a pixel before the first centre (10, 20): (9.875, 19.75); half a cell on lie the
    # first cell's centre: 9.875 + 2.5 = 12.375 and 19.75 + 12 = 31.75.
    held = read_back(evidence_map(ct, analysis))
    shared, each = held.SharedFunctionalGroupsSequence[0], held.PerFrameFunctionalGroupsSequence[0]
    assert held.SOPClassUID == ParametricMapStorage
    assert [float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing] == [24.0, 5.0]
    position = (shared if "PlanePositionSequence" in shared else each).PlanePositionSequence[0]
    assert [float(v) for v in position.ImagePositionPatient] == [12.375, 31.75, 30.0]
    assert held.FrameOfReferenceUID == source.read(ct).dataset.FrameOfReferenceUID


def test_the_map_holds_the_evidence_to_the_last_bit(ct, analysis):
    held = read_back(evidence_map(ct, analysis))
    values = np.frombuffer(held.FloatPixelData, np.float32).reshape(held.Rows, held.Columns)
    np.testing.assert_array_equal(values, analysis.findings[0].evidence)


def test_a_radiograph_has_no_map_because_it_has_no_place(cr, analysis):
    with pytest.raises(errors.BadRequest, match=r"no place in the patient.*overlay instead"):
        evidence_map(cr, analysis)
