from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from zoo import backbones, errors
from zoo.backbones import BACKBONES
from zoo.cards import InputSpec

PUBLISHED = {name: record for name, record in BACKBONES.items() if record.pretrained}


def test_an_unknown_name_is_told_what_is_near():
    with pytest.raises(errors.BadConfig, match=r"densenet121"):
        backbones.get("densenet-121")


def test_a_width_is_part_of_the_name():
    assert backbones.get("mobilenetv2-0.35").width == 0.35
    assert backbones.get("mobilenetv2").width == 1


@pytest.mark.slow
def test_the_table_has_every_constructor_of_keras_applications():
    import keras

    constructors = {name for name in dir(keras.applications) if name[0].isupper()}
    assert {record.constructor for record in PUBLISHED.values()} == constructors


@pytest.mark.slow
@pytest.mark.parametrize("constructor", sorted({record.constructor for record in PUBLISHED.values()}))
def test_preprocessing_is_that_of_keras_applications(constructor: str):
    import keras

    family = sys.modules[getattr(keras.applications, constructor).__module__]
    (mode,) = {record.mode for record in PUBLISHED.values() if record.constructor == constructor}
    colour = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype(np.float32)
    wanted = family.preprocess_input(colour.copy())
    np.testing.assert_allclose(_prepare(colour, mode), wanted, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["tf", "torch", "caffe", "included"])
def test_grey_is_prepared_as_the_same_grey_in_three_channels(mode: backbones.Mode):
    grey = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 1)).astype(np.float32)
    np.testing.assert_allclose(_prepare(grey, mode), _prepare(np.repeat(grey, 3, axis=-1), mode), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["tf", "torch", "caffe"])
def test_preprocessing_survives_the_keras_file_without_custom_code(mode: backbones.Mode, tmp_path: Path):
    import keras

    pixels = keras.Input((5, 4, 3))
    model = keras.Model(pixels, backbones.preprocessed(pixels, mode))
    model.save(tmp_path / "prepare.keras")
    again = keras.models.load_model(tmp_path / "prepare.keras", safe_mode=True)
    colour = np.random.default_rng(0).uniform(0, 255, (2, 5, 4, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(colour), model(colour))


def _prepare(pixels: np.ndarray, mode: backbones.Mode) -> np.ndarray:
    import keras

    given = keras.Input(pixels.shape[1:])
    return keras.Model(given, backbones.preprocessed(given, mode))(pixels).numpy()


@pytest.mark.slow
def test_a_picture_too_small_for_the_network_is_refused():
    with pytest.raises(errors.BadConfig, match="75 x 75 pixels or more, got 64 x 64"):
        _build("inceptionv3", size=64)


@pytest.mark.slow
def test_our_own_network_has_no_imagenet_weights():
    with pytest.raises(errors.BadConfig, match="trained from scratch"):
        _build("small-cnn", weights="imagenet")


@pytest.mark.slow
def test_a_failed_download_says_what_was_wanted_and_where(weights_server: Path, keras_home: Path, capfd):
    with pytest.raises(errors.BadConfig) as caught:
        _build("mobilenetv2-0.35", weights="imagenet")
    message = str(caught.value)
    assert "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5" in message
    assert "404" in message
    assert f"{keras_home}/models" in message
    assert "KERAS_HOME" in message
    assert caught.value.__suppress_context__


@pytest.mark.slow
def test_imagenet_weights_are_fetched_once_and_used(weights_server: Path, keras_home: Path, capfd):
    import keras

    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    source = keras.applications.MobileNetV2(alpha=0.35, include_top=False, weights=None, input_shape=(96, 96, 3))
    source.save(weights_server / name)
    first = _build("mobilenetv2-0.35", weights="imagenet")
    wanted = source.get_layer("Conv1").get_weights()[0]
    np.testing.assert_array_equal(first.get_layer("Conv1").get_weights()[0], wanted)

    (weights_server / name).unlink()
    again = _build("mobilenetv2-0.35", weights="imagenet")
    np.testing.assert_array_equal(again.get_layer("Conv1").get_weights()[0], wanted)


def _build(name: str, *, size: int = 64, weights: str = "none"):
    from zoo.models import classifier

    spec = InputSpec(height=size, width=size, channels=1)
    return classifier.build(backbone=name, labels=2, spec=spec, weights=weights)


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty KERAS_HOME; Keras reads the variable once, when it is imported."""
    from keras.src.backend import config

    home = tmp_path / "keras"
    home.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(home))
    monkeypatch.setattr(config, "_KERAS_DIR", str(home))
    return home


@pytest.fixture
def weights_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that a server on this machine serves in the place of Keras' own."""
    from keras.src.applications import mobilenet_v2

    folder = tmp_path / "served"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(mobilenet_v2, "BASE_WEIGHT_PATH", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield folder
    server.shutdown()
    thread.join()
    server.server_close()
