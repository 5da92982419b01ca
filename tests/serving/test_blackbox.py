"""LIME and SHAP through the embedded model server: the same maps as from the Keras model in the bundle."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from serving import blackbox as served
from serving.tfserving import ModelServer
from tests.conftest import TINY
from zoo import errors
from zoo.bundles import Bundle, Registry
from zoo.explain import blackbox

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(registry: Path) -> Bundle:
    return Registry(registry).bundle(TINY)


@pytest.fixture(scope="module")
def backend(model_server) -> Iterator[ModelServer]:
    server = ModelServer(f"localhost:{model_server.port}")
    yield server
    server.close()


@pytest.fixture(scope="module")
def images(bundle: Bundle) -> np.ndarray:
    spec = bundle.card.input
    coarse = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 1), dtype=np.uint8)
    return np.kron(coarse, np.ones((1, spec.height // 8, spec.width // 8, 1), np.uint8))


@pytest.fixture(scope="module")
def model(bundle: Bundle):
    import keras

    return keras.models.load_model(bundle.keras_path, compile=False)


def test_the_served_answers_are_the_models_whatever_the_batch(backend, bundle, images, model):
    wanted = model(images.astype(np.float32), training=False).numpy()
    for batch in (1, 4, 16):
        found = served.predictor(backend, bundle.card, batch=batch)(images)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-3 * np.abs(wanted).max())


@pytest.mark.parametrize("method", [blackbox.lime, blackbox.shap])
def test_a_served_model_is_explained_as_the_model_itself(method, backend, bundle, images, model):
    from zoo.explain.methods import predictor

    over_grpc = method(served.predictor(backend, bundle.card), images[0], 1, evaluations=200, seed=4)
    here = method(predictor(model), images[0], 1, evaluations=200, seed=4)
    assert np.ptp(here.weight) > 0
    np.testing.assert_allclose(over_grpc.weight, here.weight, atol=1e-2 * np.abs(here.weight).max())
    assert over_grpc.evaluations == here.evaluations


def test_a_server_that_is_away_is_said_so(bundle, images):
    server = ModelServer("localhost:1")
    try:
        with pytest.raises(errors.ModelNotReady, match="No model server answers"):
            served.predictor(server, bundle.card, timeout_s=0.3)(images[:1])
    finally:
        server.close()


def test_pictures_of_another_size_are_a_mismatch(backend, bundle, images):
    with pytest.raises(errors.BadBundle, match="not what its card says"):
        served.predictor(backend, bundle.card)(images[:, :32, :32])
