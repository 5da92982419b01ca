"""tf-keras-vis through our one call, on a network small enough to do on paper, and on a real small one."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest

from zoo import errors
from zoo.explain import evidence, visualizers
from zoo.models import classifier
from zoo.results import Method

pytestmark = pytest.mark.slow

PICTURE = np.array([[0, 4], [8, 0]], np.float32)[..., None]


@pytest.fixture(scope="module")
def paper() -> keras.Model:
    """One map, which is the picture itself: A = x; logits 2 * mean(x) + 5 and -4 * mean(x) + 1."""
    pixels = keras.Input((2, 2, 1), name="pixels")
    features = keras.layers.Conv2D(1, 1, kernel_initializer="ones", name="features")(pixels)
    logits = keras.layers.Dense(2, name="logits")(keras.layers.GlobalAveragePooling2D(name="pool")(features))
    model = keras.Model(pixels, logits)
    classifier.head(model).set_weights([np.array([[2, -4]], np.float32), np.array([5, 1], np.float32)])
    return model


@pytest.fixture(scope="module")
def real(make_network: Callable[..., keras.Model]) -> keras.Model:
    return make_network("small-cnn", size=64, channels=1, labels=3)


@pytest.fixture(scope="module")
def picture(make_images: Callable[..., np.ndarray]) -> np.ndarray:
    return make_images(64, 64, 1)[0]


def test_grad_cam_on_paper(paper: keras.Model):
    # E_0 = 2 x, over 4 cells: [[0, 2], [4, 0]]. E_1 = -4 x is nowhere positive.
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=Method.GRAD_CAM, label=0), [[0, 2], [4, 0]])
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=Method.GRAD_CAM, label=1), np.zeros((2, 2)))


def test_grad_cam_plus_plus_on_paper(paper: keras.Model):
    # One slope g = 2 / 4 everywhere makes every alpha 1 / 4, so the weight is exp(logit) * g, with logit 2 * 3 + 5.
    found = visualizers.explain(paper, PICTURE, method=Method.GRAD_CAM_PLUS_PLUS, label=0)
    np.testing.assert_allclose(found, np.exp(11.0) * 0.5 * PICTURE[..., 0], rtol=1e-5)


def test_layer_cam_on_paper(paper: keras.Model):
    # relu(slope) * A = 0.5 * x; for label 1 the slope is -1 everywhere.
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=Method.LAYER_CAM, label=0), [[0, 2], [4, 0]])
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=Method.LAYER_CAM, label=1), np.zeros((2, 2)))


@pytest.mark.parametrize("method", [Method.SALIENCY, Method.SMOOTH_GRAD])
def test_saliency_on_paper(paper: keras.Model, method: Method):
    # |d logit / d x| is 2 / 4 and |-4 / 4| at every pixel, with noise or without.
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=method, label=0), np.full((2, 2), 0.5))
    np.testing.assert_allclose(visualizers.explain(paper, PICTURE, method=method, label=1), np.ones((2, 2)))


def test_score_cam_on_paper(paper: keras.Model):
    # The map scaled to [0, 1] is x / 8, and the picture seen through it [[0, 2], [8, 0]], mean 2.5 where x has 3.
    # Label 0: logit 10 after 11, weight exp(-1). Label 1: logit -9 after -11, weight exp(2).
    one = visualizers.explain(paper, PICTURE, method=Method.SCORE_CAM, label=0)
    np.testing.assert_allclose(one, np.exp(-1) * PICTURE[..., 0], rtol=1e-4)
    other = visualizers.explain(paper, PICTURE, method=Method.SCORE_CAM, label=1)
    np.testing.assert_allclose(other, np.exp(2) * PICTURE[..., 0], rtol=1e-4)


@pytest.mark.parametrize("method", list(Method))
def test_every_method_answers_on_a_real_network_and_repeats_itself(
    real: keras.Model, picture: np.ndarray, method: Method, capfd: pytest.CaptureFixture[str]
):
    found = visualizers.explain(real, picture, method=method, label=1, seed=3)
    again = visualizers.explain(real, picture, method=method, label=1, seed=3)
    grid = (64, 64) if method in (Method.SALIENCY, Method.SMOOTH_GRAD) else (4, 4)
    assert found.shape == grid
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert np.isfinite(found).all()
    assert found.max() > 0
    np.testing.assert_array_equal(found, again)
    assert capfd.readouterr().out == ""


def test_grad_cam_equals_the_evidence(real: keras.Model, picture: np.ndarray):
    features = keras.Model(real.inputs[0], real.get_layer("pool").input)(picture[None].astype(np.float32)).numpy()
    maps = evidence.grad_cam(evidence.evidence(features, classifier.head(real).get_weights()[0]))[0]
    for label in range(3):
        found = visualizers.explain(real, picture, method=Method.GRAD_CAM, label=label)
        np.testing.assert_allclose(found, maps[..., label], rtol=1e-4, atol=1e-4 * maps.max())


def test_the_seed_decides_the_noise_and_nobody_elses(real: keras.Model, picture: np.ndarray):
    np.random.seed(1)
    wanted = np.random.normal()
    np.random.seed(1)
    one = visualizers.explain(real, picture, method=Method.SMOOTH_GRAD, label=0, seed=1)
    assert np.random.normal() == wanted
    assert not np.array_equal(one, visualizers.explain(real, picture, method=Method.SMOOTH_GRAD, label=0, seed=2))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_that_is_not_there_is_refused(real: keras.Model, picture: np.ndarray, label: int):
    with pytest.raises(errors.BadRequest, match="the model has 3"):
        visualizers.explain(real, picture, method=Method.GRAD_CAM, label=label)
