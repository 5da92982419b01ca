"""What the viewer is handed: values before windowing, windows, sides of the patient."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from pydicom import Dataset

from dashboard.viewer import orientation, presets
from dashboard.viewer.pixels import Slice, Window, slice_of
from tests.dashboard.conftest import png
from tests.dashboard.pictures import SIDE, ct
from zoo.imaging import image


def seen(data: bytes) -> Slice:
    return slice_of(data, image.read(data), hashlib.sha256(data).hexdigest())


def values_of(shown: Slice) -> np.ndarray:
    stored = np.frombuffer(shown.data, "<u2").reshape(shown.height, shown.width)
    return stored * shown.slope + shown.intercept


def test_a_ct_slice_keeps_its_hounsfield_units():
    values = np.linspace(-1000, 2000, SIDE * SIDE).astype(np.int64).reshape(SIDE, SIDE)
    shown = seen(ct(values))
    assert (shown.kind, shown.unit, shown.windows) == ("grey16", "HU", (Window(centre=40, width=400),))
    np.testing.assert_array_equal(values_of(shown), values)


def test_slope_and_intercept_are_applied():
    # Stored 1024 + 7 = 1031; value 2 * 1031 - 1000 = 1062.
    shown = seen(ct(np.full((SIDE, SIDE), 7) + np.eye(SIDE, dtype=np.int64), RescaleSlope=2, RescaleIntercept=-1000))
    assert values_of(shown)[0, 1] == 1062


def test_the_full_range_shows_the_smallest_value_black_and_the_largest_white():
    values = np.arange(SIDE * SIDE).reshape(SIDE, SIDE) % 101 - 50  # -50 to 50
    full = seen(ct(values)).full
    # LINEAR: (x - (c - 0.5)) / (w - 1) + 0.5 with c = 0.5 and w = 101 is 0 at -50 and 1 at 50.
    assert full == Window(centre=0.5, width=101.0)


def test_padding_is_drawn_as_the_smallest_value():
    values = np.full((SIDE, SIDE), 100)
    values[0], values[1, 0] = -1024, -10
    shown = seen(ct(values, PixelPaddingValue=0))
    assert values_of(shown).min() == -10


def test_low_values_of_monochrome1_are_white():
    assert seen(ct(np.eye(SIDE, dtype=np.int64) * 9, PhotometricInterpretation="MONOCHROME1")).inverted
    assert not seen(ct(np.eye(SIDE, dtype=np.int64) * 9)).inverted


def test_several_windows_are_offered_by_number_and_the_usual_ones_of_ct_after_them():
    shown = seen(ct(np.eye(SIDE, dtype=np.int64) * 99, WindowCenter=[40, -600], WindowWidth=[400, 1500]))
    names = [name for name, _window in presets.offered(shown)]
    assert names == ["As stored", "As stored 2", "Mediastinum", "Soft tissue", "Bone", "Brain", "Liver", "Percentiles"]


def test_a_radiograph_is_offered_no_windows_of_ct():
    names = [name for name, _window in presets.offered(seen(png()))]
    assert names[0] == "As stored"
    assert "Lung" not in names


def test_a_png_is_shown_as_it_is():
    shown = seen(png())
    assert (shown.kind, shown.unit, shown.windows[0]) == ("grey8", "", Window(centre=128.0, width=256.0))
    assert shown.data == image.read(png()).pixels.tobytes()


@pytest.mark.parametrize(
    ("cosines", "sides"),
    [
        # Rows to the patient's left, columns to the back: an axial slice seen from the feet.
        ([1, 0, 0, 0, 1, 0], {"top": "A", "right": "L", "bottom": "P", "left": "R"}),
        # Rows to the back, columns to the feet: a sagittal one.
        ([0, 1, 0, 0, 0, -1], {"top": "H", "right": "P", "bottom": "F", "left": "A"}),
        # Tilted by 30 degrees around the long axis: cos 0.87 to the left, sin 0.5 to the back.
        ([0.87, 0.5, 0, 0, 0, -1], {"top": "H", "right": "LP", "bottom": "F", "left": "RA"}),
    ],
)
def test_the_sides_are_named_from_the_orientation(cosines, sides):
    dataset = Dataset()
    dataset.ImageOrientationPatient = cosines
    assert orientation.marks(dataset) == sides


def test_a_radiograph_says_its_sides_in_letters():
    dataset = Dataset()
    dataset.PatientOrientation = ["L", "F"]
    assert orientation.marks(dataset) == {"top": "H", "right": "L", "bottom": "F", "left": "R"}


def test_a_file_that_does_not_say_has_no_sides():
    assert orientation.marks(Dataset()) is None
    odd = Dataset()
    odd.PatientOrientation = ["DOE", "JANE"]
    assert orientation.marks(odd) is None
