"""How stored values become a picture: bits, polarity, functional groups, shutter, pixels that are not square."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from pydicom import Dataset

from tests.zoo.imaging.test_dicom import STEPS, as_bytes, dataset, shown
from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import grey
from zoo.imaging.image import read

WHOLE = {"WindowCenter": 2048, "WindowWidth": 4096}


def test_a_sample_ends_at_its_high_bit_whatever_lies_beside_it():
    beside = (STEPS << 4) | 0b1011
    np.testing.assert_array_equal(shown(dataset(beside, HighBit=15, **WHOLE)), shown(dataset(STEPS, **WHOLE)))
    above = STEPS | 0xA000
    np.testing.assert_array_equal(shown(dataset(above, **WHOLE)), shown(dataset(STEPS, **WHOLE)))


def test_a_signed_sample_of_twelve_bits_keeps_its_sign():
    # -1000 in 12 bits is 0xC18; window LINEAR_EXACT of 2000 about 0 shows -1000, 0 and 1000 as 0, 127.5 and 255.
    stored = np.array([[-1000 & 0xFFF, 0, 1000]], np.uint16)
    ds = dataset(stored, PixelRepresentation=1, WindowCenter=0, WindowWidth=2000, VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_array_equal(shown(ds), [[0, 128, 255]])


@pytest.mark.parametrize("busy", [False, True])
def test_a_large_picture_is_shown_as_its_parts_are_whatever_else_is_under_way(busy):
    stored = np.random.default_rng(0).integers(0, 4096, (1031, 1031)).astype(np.uint16)
    done = threading.Event()
    if busy:
        grey._beside.submit(done.wait)
    try:
        whole = shown(dataset(stored, **WHOLE))
    finally:
        done.set()
    parts = [shown(dataset(part, **WHOLE)) for part in np.array_split(stored, 3)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_a_presentation_lut_shape_of_inverse_turns_the_picture_over_once():
    upright = shown(dataset(STEPS, **WHOLE))
    for said in ({"PhotometricInterpretation": "MONOCHROME1"}, {}):  # with and without saying the same twice
        turned = shown(dataset(STEPS, PresentationLUTShape="INVERSE", **said, **WHOLE))
        np.testing.assert_array_equal(turned, 255 - upright)


def test_a_modality_lut_comes_before_the_window():
    # Stored 10, 11, 12 stand for 0, 50 and 100; below and above, the first and the last hold (PS3.3 C.11.1.1).
    item = Dataset()
    item.LUTDescriptor, item.LUTData, item.ModalityLUTType = [3, 10, 16], [0, 50, 100], "US"
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    ds = dataset(np.array([[5, 10, 11, 12, 20]], np.uint16), ModalityLUTSequence=[item])
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = 50, 100, "LINEAR_EXACT"
    np.testing.assert_array_equal(shown(ds), [[0, 0, 128, 255, 255]])


def test_a_range_of_padding_is_black():
    ds = dataset(STEPS, PixelPaddingValue=3000, PixelPaddingRangeLimit=4095, **WHOLE)
    np.testing.assert_array_equal(shown(ds), [[0, 62, 125], [0, 0, 0]])


def test_padding_is_black_where_the_smallest_value_is_white():
    ds = dataset(STEPS, PixelPaddingValue=0, PhotometricInterpretation="MONOCHROME1", **WHOLE)
    assert shown(ds)[0, 0] == 0


def group(**attributes: object) -> Dataset:
    """A functional group of one frame."""
    item, transformation, window = Dataset(), Dataset(), Dataset()
    for keyword, value in attributes.items():
        setattr(window if keyword.startswith("Window") else transformation, keyword, value)
    if len(window):
        item.FrameVOILUTSequence = [window]
    if len(transformation):
        item.PixelValueTransformationSequence = [transformation]
    return item


def test_an_enhanced_object_is_windowed_by_its_functional_groups():
    # Frame's own window 0..100 HU after the shared rescale: stored 1024 and 1124 are 0 and 100 HU.
    ds = dataset(
        np.array([[1024, 1074, 1124]], np.uint16), WindowCenter=5, WindowWidth=1, VOILUTFunction="LINEAR_EXACT"
    )
    ds.SharedFunctionalGroupsSequence = [group(RescaleIntercept=-1024, RescaleSlope=1)]
    ds.PerFrameFunctionalGroupsSequence = [group(WindowCenter=50, WindowWidth=100)]
    np.testing.assert_array_equal(shown(ds), [[0, 128, 255]])


def test_colour_of_twelve_bits_keeps_its_upper_eight():
    pixels = np.array([[[0, 15, 16], [2048, 4080, 4095]]], np.uint16)
    np.testing.assert_array_equal(shown(dataset(pixels)), [[[0, 0, 1], [128, 255, 255]]])


@pytest.mark.parametrize("enhanced", [False, True])
def test_a_palette_is_looked_up_whether_or_not_there_are_functional_groups(enhanced):
    ds = dataset(np.array([[0, 1, 2]], np.uint8), PhotometricInterpretation="PALETTE COLOR", BitsStored=8, HighBit=7)
    for number, levels in enumerate(((0, 128, 255), (255, 128, 0), (7, 7, 7)), start=1):
        ds.add_new((0x0028, 0x1100 + number), "US", [3, 0, 16])  # three entries of 16 bits, for values from 0
        ds.add_new((0x0028, 0x1200 + number), "OW", (np.array(levels, np.uint16) * 257).tobytes())
    if enhanced:
        ds.SharedFunctionalGroupsSequence = [group(WindowCenter=50, WindowWidth=100)]
    np.testing.assert_array_equal(shown(ds), [[[0, 255, 7], [128, 128, 7], [255, 0, 7]]])


def flat(value: int = 3000) -> np.ndarray:
    return np.full((8, 10), value, np.uint16)


def test_a_rectangular_shutter_shows_its_edges_and_what_lies_between():
    ds = dataset(flat(), ShutterShape="RECTANGULAR", **WHOLE)
    ds.ShutterLeftVerticalEdge, ds.ShutterRightVerticalEdge = 3, 5
    ds.ShutterUpperHorizontalEdge, ds.ShutterLowerHorizontalEdge = 2, 4
    pixels = shown(ds)
    assert (pixels[1:4, 2:5] == 187).all()
    assert pixels.astype(int).sum() == 9 * 187


def test_two_shutters_show_what_lies_inside_both_and_their_own_grey_elsewhere():
    ds = dataset(flat(), ShutterShape=["CIRCULAR", "POLYGONAL"], ShutterPresentationValue=0x4000, **WHOLE)
    ds.CenterOfCircularShutter, ds.RadiusOfCircularShutter = [4, 5], 3
    ds.VerticesOfThePolygonalShutter = [1, 1, 1, 10, 4, 10, 4, 1]  # rows 1 to 4
    pixels = shown(ds)
    assert pixels[3, 4] == 187
    assert set(np.unique(pixels)) == {0x40, 187}
    assert (pixels[5:] == 0x40).all()


def test_a_shutter_without_its_edges_is_damage():
    with pytest.raises(errors.BadImage, match=r"its shutter cannot be read") as caught:
        shown(dataset(flat(), ShutterShape="RECTANGULAR", **WHOLE))
    assert caught.value.reason is Reason.DAMAGED


def test_what_the_collimator_hid_does_not_set_the_window():
    pixels = np.linspace(1000, 1500, 10_000).astype(np.uint16).reshape(100, 100)
    pixels[:, 60:] = 4000  # direct exposure beside the collimator's shadow
    ds = dataset(pixels, CollimatorShape="RECTANGULAR")
    ds.CollimatorLeftVerticalEdge, ds.CollimatorRightVerticalEdge = 1, 60
    ds.CollimatorUpperHorizontalEdge, ds.CollimatorLowerHorizontalEdge = 1, 100
    assert float(shown(ds)[50, 30]) == pytest.approx(128, abs=6)


@pytest.mark.parametrize(
    ("attributes", "aspect"),
    [
        ({"PixelAspectRatio": [2, 1]}, 2.0),
        ({"PixelSpacing": [0.5, 0.25]}, 2.0),
        ({"ImagerPixelSpacing": [0.1, 0.2]}, 0.5),
        ({"PixelSpacing": [0, 0]}, 1.0),
        ({}, 1.0),
    ],
)
def test_pixels_that_are_not_square_are_said_so(attributes, aspect):
    assert read(as_bytes(dataset(STEPS, **attributes))).pixel_aspect == pytest.approx(aspect)


@pytest.mark.parametrize(("said", "found"), [("YES", True), ("NO", False), ("", None)])
def test_a_name_burnt_into_the_pixels_is_passed_on_as_the_file_says(said, found):
    assert read(as_bytes(dataset(STEPS, BurnedInAnnotation=said))).burned_in is found


def test_a_number_that_is_none_is_damage_and_is_not_quoted():
    ds = dataset(STEPS, **WHOLE)
    data = as_bytes(ds).replace(b"2048", b"DOE ")
    with pytest.raises(errors.BadImage, match=r"damaged") as caught:
        read(data)
    assert "DOE" not in str(caught.value)
