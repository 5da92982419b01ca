"""The numbers by which the gate compares pictures: worked out by hand, and blind to what does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.imaging.appearance import appearance


def stripes(side: int) -> np.ndarray:
    """Columns of 100 and 120 in turn; uint8 [side, side, 1]."""
    return np.broadcast_to(np.where(np.arange(side) % 2, 120, 100), (side, side)).astype(np.uint8)[..., None]


def test_stripes_worked_out_by_hand():
    # Quantiles: 100 up to the median, which lies between both, and 120 from there. Their detail is all in the second
    # band of the finest scale, |a - b + c - d| / 4 = |100 - 120 + 100 - 120| / 4 = 10; every other band is 0.
    texture, layout = appearance(stripes(16))
    assert texture[:9] * 64 == pytest.approx([100, 100, 100, 100, 110, 120, 120, 120, 120])
    detail = np.exp(texture[9:]) - 0.5
    assert detail == pytest.approx([0, 0, 0, 10, 10, 10, 0, 0, 0] + 9 * [0], abs=1e-4)
    # Each of the 8 x 8 cells holds one of each column, so that all have the mean.
    assert layout[len(texture) :] == pytest.approx(np.zeros(64), abs=1e-6)


def test_the_layout_worked_out_by_hand():
    # Left half 0, right half 200: mean 100, spread 100, so the cells are -100 / 108 and 100 / 108.
    halves = np.repeat(np.array([[0, 200]], np.uint8), 32, axis=1).repeat(64, axis=0)[..., None]
    texture, layout = appearance(halves)
    cells = layout[len(texture) :].reshape(8, 8)
    assert cells[:, :4] == pytest.approx(np.full((8, 4), -100 / 108), abs=1e-5)
    assert cells[:, 4:] == pytest.approx(np.full((8, 4), 100 / 108), abs=1e-5)


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 3), (64, 64, 1), (160, 160, 1), (224, 224, 3), (96, 331, 1)])
def test_pictures_of_one_size_have_as_many_numbers_each_and_all_are_finite(shape):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8), np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)]
    looks = [appearance(picture) for picture in pictures]
    assert len({len(look.texture) for look in looks}) == 1
    assert all(len(look.layout) == len(look.texture) + 64 for look in looks)
    assert all(np.isfinite(look.layout).all() for look in looks)


def test_chroma_tells_colours_of_the_same_grey_apart():
    red, green = (np.full((32, 32, 3), colour, np.uint8) for colour in ((200, 40, 40), (40, 121, 40)))
    one, other = appearance(red).texture, appearance(green).texture
    assert one[:-4] == pytest.approx(other[:-4], abs=0.05)
    assert np.abs(one[-4:] - other[-4:]).max() > 0.5


def test_a_grey_picture_and_its_rgb_copy_look_alike_but_for_the_chroma():
    grey = np.random.default_rng(0).integers(0, 256, (64, 64, 1), dtype=np.uint8)
    assert appearance(np.repeat(grey, 3, axis=-1)).texture[:-4] == pytest.approx(appearance(grey).texture, abs=1e-5)
