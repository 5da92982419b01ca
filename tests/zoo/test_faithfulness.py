from __future__ import annotations

import numpy as np
import pytest

from zoo.explain import faithfulness

# A map of 2 x 4 cells on a picture of 8 x 16 pixels: cells are 4 x 4. The peak is cell (1, 2), whose middle
# is row 1.5 * 4 = 6, column 2.5 * 4 = 10.
EVIDENCE = np.array([[0.1, -5, 0.2, 0], [0.3, 0.2, 0.9, 0.8]], np.float32)


def mask(row: int, column: int) -> np.ndarray:
    drawn = np.zeros((8, 16), bool)
    drawn[row, column] = True
    return drawn


def test_the_peak_is_the_middle_of_the_strongest_cell():
    assert faithfulness.peak(EVIDENCE, 8, 16) == (6, 10)


def test_a_hit_is_a_peak_inside_the_mask():
    assert faithfulness.hit(EVIDENCE, mask(6, 10))


@pytest.mark.parametrize(("row", "column"), [(5, 10), (6, 11), (2, 6), (6, 14)])
def test_a_peak_beside_the_mask_is_a_miss(row: int, column: int):
    assert not faithfulness.hit(EVIDENCE, mask(row, column))


def test_a_map_that_is_the_same_everywhere_points_nowhere():
    assert not faithfulness.hit(np.full((2, 4), 0.5, np.float32), np.ones((8, 16), bool))


def test_the_peak_agrees_with_bilinear_upsampling():
    from PIL import Image

    maps = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    drawn = np.asarray(Image.fromarray(maps).resize((224, 224), Image.Resampling.BILINEAR))
    row, column = np.unravel_index(np.argmax(drawn), drawn.shape)
    assert np.abs(np.subtract(faithfulness.peak(maps, 224, 224), (row, column))).max() <= 16


def test_the_centre_guess_hits_what_lies_in_the_middle():
    assert faithfulness.centre_hit(mask(4, 8))
    assert not faithfulness.centre_hit(mask(0, 0))
