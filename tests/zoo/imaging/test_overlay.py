"""Maps over pictures: the hottest place is the brightest, and a cold one leaves the picture alone."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow

from zoo.imaging.overlay import INFERNO, colours, encode_png, heatmap, overlay


def test_only_what_speaks_for_the_label_is_shown():
    # relu([[4, -2], [0, 1]]) / 4
    heat, strength = heatmap(np.array([[4.0, -2.0], [0.0, 1.0]]))
    np.testing.assert_allclose(heat, [[1, 0], [0, 0.25]])
    assert strength == 4.0


def test_nothing_for_the_label_gives_an_empty_map():
    heat, strength = heatmap(np.array([[-4.0, -2.0]]))
    assert (heat.tolist(), strength) == ([[0.0, 0.0]], 0.0)


def test_colours_grow_lighter_all_the_way():
    luma = colours(np.linspace(0, 1, 101)) @ np.array([0.299, 0.587, 0.114])
    assert (np.diff(luma) >= -0.5).all()
    assert luma[-1] > 200 > 10 > luma[0]


def test_the_hottest_place_takes_the_colour_and_the_coldest_keeps_the_picture():
    pixels = np.full((40, 40), 100, np.uint8)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    result = overlay(pixels, heat, opacity=0.5)
    np.testing.assert_allclose(result[0, 0], (100 + INFERNO[-1]) / 2, atol=1)
    assert result[39, 39].tolist() == [100, 100, 100]


def test_no_opacity_gives_the_picture_back():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(pixels, np.ones((3, 3), np.float32), opacity=0), pixels)


def test_a_png_can_be_read_again():
    pixels = np.random.default_rng(0).integers(0, 256, (30, 20, 3), dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(Pillow.open(io.BytesIO(encode_png(pixels)))), pixels)
