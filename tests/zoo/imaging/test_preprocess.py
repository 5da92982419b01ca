"""One way to resize, the same for training and serving."""

from __future__ import annotations

import numpy as np

from zoo.cards import InputSpec
from zoo.imaging.image import Image
from zoo.imaging.preprocess import preprocess, resize_mask

GREY = InputSpec(height=2, width=2, channels=1)


def test_halving_a_picture_worked_out_by_hand():
    # Antialiased bilinear from 4 to 2: the triangle reaches 2 source pixels each way from 1.0, so the weights
    # of the four columns are 3/8, 3/8, 1/8 (0.75, 0.75, 0.25 over their sum 1.75 -> 3/7, 3/7, 1/7).
    row = np.array([0, 0, 0, 210], np.uint8)
    image = Image(pixels=np.tile(row, (4, 1)), format="PNG")
    result = preprocess(image, GREY)
    # left: 0; right: weights 1/7, 3/7, 3/7 on columns 1, 2, 3 -> 210 * 3 / 7 = 90.
    np.testing.assert_array_equal(result[..., 0], [[0, 90], [0, 90]])


def test_colour_becomes_luma():
    # 0.299 * 100 + 0.587 * 200 + 0.114 * 50 = 153.0
    pixels = np.broadcast_to(np.array([100, 200, 50], np.uint8), (8, 8, 3)).copy()
    assert set(preprocess(Image(pixels=pixels, format="PNG"), GREY).ravel()) == {153}


def test_grey_becomes_three_equal_channels():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    result = preprocess(Image(pixels=pixels, format="PNG"), InputSpec(height=10, width=12, channels=3))
    assert result.shape == (10, 12, 3)
    assert (result == result[..., :1]).all()


def test_a_picture_of_the_right_size_is_left_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16), dtype=np.uint8)
    result = preprocess(Image(pixels=pixels, format="PNG"), InputSpec(height=16, width=16, channels=1))
    np.testing.assert_array_equal(result[..., 0], pixels)


def test_a_mask_follows_its_picture_and_a_tiny_lesion_is_not_lost():
    spec = InputSpec(height=4, width=4, channels=1)
    half = np.zeros((8, 8), np.uint8)
    half[:, 4:] = 1
    np.testing.assert_array_equal(resize_mask(half, spec), np.tile([False, False, True, True], (4, 1)))
    dot = np.zeros((64, 64), np.uint8)
    dot[33, 17] = 1
    assert np.argwhere(resize_mask(dot, spec)).tolist() == [[2, 1]]
    assert not resize_mask(np.zeros((8, 8)), spec).any()
