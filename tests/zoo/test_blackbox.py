"""LIME and SHAP on a function whose answer is a sum over superpixels, done on paper."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import errors
from zoo.explain import blackbox

QUARTERS = np.kron(np.arange(4).reshape(2, 2), np.ones((4, 4), int))
BRIGHT = np.array([160, 80, 0, 0])  # of each quarter
PICTURE = BRIGHT.astype(np.uint8)[QUARTERS][..., None]


class Scale:
    """Answers (mean grey / 10, and its negative); counts whom it was asked about."""

    def __init__(self) -> None:
        self.asked = 0
        self.largest = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        assert images.shape[1:] == PICTURE.shape
        self.asked += len(images)
        self.largest = max(self.largest, len(images))
        mean = images.mean(axis=(1, 2, 3)) / 10
        return np.stack([mean, -mean], axis=1).astype(np.float32)


def test_shap_on_paper():
    # Hidden quarters show the mean grey 60, so f(hidden) = 6; the answer is a sum, and the Shapley value of a quarter
    # is its own part of it: (160 - 60) / 40 = 2.5, (80 - 60) / 40 = 0.5, and -60 / 40 = -1.5 twice; sum 0.
    scale = Scale()
    found = blackbox.shap(scale, PICTURE, 0, segments=QUARTERS)
    np.testing.assert_allclose(found.weight, [2.5, 0.5, -1.5, -1.5], atol=1e-5)
    np.testing.assert_allclose(blackbox.shap(Scale(), PICTURE, 1, segments=QUARTERS).weight, -found.weight, atol=1e-5)
    assert found.hidden == pytest.approx(6)
    assert found.evaluations == scale.asked == 16  # all sets of four, the whole and the hidden among them
    np.testing.assert_allclose(found.map[::4, ::4], [[2.5, 0.5], [-1.5, -1.5]], atol=1e-5)


def test_lime_finds_the_slope_of_what_is_linear():
    # Hidden under their own mean, which is their own even grey, even quarters change nothing: so one pixel of the first
    # is made brighter by 128, and its mean by 8; seen against hidden it answers the same. A gradient is hidden, though:
    # f depends on one pixel only, 288 - 160 - 8 = 120 above its quarter's mean.
    picture = PICTURE.copy()
    picture[0, 0] = 255  # the mean of the first quarter is (15 * 160 + 255) / 16 = 165.9, as uint8 165

    def first(images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0, :].astype(np.float32)

    found = blackbox.lime(first, picture, 0, segments=QUARTERS, evaluations=400)
    # The weight is 255 - 165 = 90, less what the ridge of 1 takes: a few per mille of 400 evaluations.
    np.testing.assert_allclose(found.weight, [90, 0, 0, 0], atol=2)
    assert found.hidden == pytest.approx(165, abs=2)
    assert found.evaluations == 400


def test_superpixels_cover_the_picture_and_follow_it():
    picture = np.zeros((64, 64, 1), np.uint8)
    picture[:, 23:] = 120  # on no line of a grid of 4 x 4
    found = blackbox.superpixels(picture, count=16)
    assert found.shape == (64, 64)
    assert set(np.unique(found)) == set(range(found.max() + 1))
    assert 8 <= found.max() + 1 <= 24
    assert not (found[:, 20] == found[:, 26]).any()


@pytest.mark.parametrize("method", [blackbox.lime, blackbox.shap])
def test_the_seed_decides_and_nothing_is_printed(method, capfd: pytest.CaptureFixture[str]):
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    weights = np.random.default_rng(1).normal(size=picture.shape)

    def predict(images: np.ndarray) -> np.ndarray:
        return ((images / 255) ** 2 * weights).sum(axis=(1, 2, 3))[:, None].astype(np.float32)

    found = [method(predict, picture, 0, evaluations=64, seed=seed).weight for seed in (1, 1, 2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.array_equal(found[0], found[2])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", [blackbox.lime, blackbox.shap])
def test_pictures_are_asked_about_in_batches(method):
    scale = Scale()
    found = method(scale, PICTURE, 0, evaluations=100)
    assert scale.asked == found.evaluations
    assert scale.largest <= blackbox.BATCH


def test_shap_adds_up_even_where_sets_are_drawn():
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 1), dtype=np.uint8)

    def predict(images: np.ndarray) -> np.ndarray:
        return np.sin(images.astype(np.float32) / 40).sum(axis=(1, 2))

    found = blackbox.shap(predict, picture, 0, evaluations=200)
    assert found.weight.sum() == pytest.approx(float(predict(picture[None])[0, 0]) - found.hidden, abs=1e-3)


def test_fewer_answers_than_superpixels_settle_nothing_and_are_not_asked_for():
    scale = Scale()
    with pytest.raises(errors.BadRequest, match="3 evaluations do not settle the SHAP values of 4 superpixels"):
        blackbox.shap(scale, PICTURE, 0, segments=QUARTERS, evaluations=3)
    assert scale.asked == 0
