"""One picture in, one logit per label out: backbone, global average pooling, dense head, in one flat graph.

Every classifier ends in the same two layers, `pool` and `logits`, so the evidence for each label is a by-product
of the forward pass (`zoo.explain.evidence`). The graph is flat because a backbone nested as one layer
breaks tf-keras-vis.
"""

from __future__ import annotations

import random
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
from keras.src.backend.common import global_state

from zoo import backbones, errors, keras_settings
from zoo.cards import InputSpec

INPUT, POOL, DROPOUT, LOGITS = "pixels", "pool", "dropout", "logits"


def build(
    *,
    backbone: str,
    labels: int,
    spec: InputSpec,
    weights: str = "none",
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """A classifier that gives logits.

    Args:
        backbone: a name of `zoo.backbones.BACKBONES`.
        labels: number of outputs.
        spec: what it takes.
        weights: `imagenet` (Keras Applications, honouring KERAS_HOME), `none` (random), or the path of a
            `.keras` or `.weights.h5` file whose backbone weights are taken over by layer name.
        dropout: share of pooled features dropped while training, in [0, 1); 0 leaves the layer out.
        seed: of the random weights and the dropout; the same seed gives the same weights.

    Returns:
        A functional model from `pixels`, float32 [batch, height, width, channels] in [0, 255], to logits,
        float32 [batch, labels]. Layer names do not depend on what was built before.

    Raises:
        BadConfig: unknown backbone, impossible size, weights that cannot be had or do not fit, or Keras' global
            settings are not those that the network is written for.
    """
    keras_settings.check()
    record = backbones.get(backbone)
    with _fresh_names(), _seeded(seed):
        pixels = keras.Input((spec.height, spec.width, spec.channels), name=INPUT, dtype="float32")
        features = record.features(pixels, weights="imagenet" if weights == "imagenet" else None)
        pooled = keras.layers.GlobalAveragePooling2D(name=POOL)(features)
        if dropout:
            pooled = keras.layers.Dropout(dropout, seed=seed, name=DROPOUT)(pooled)
        logits = keras.layers.Dense(labels, dtype="float32", name=LOGITS)(pooled)
        model = keras.Model(pixels, logits, name=_model_name(backbone))
    if weights not in ("imagenet", "none"):
        _take_over(model, Path(weights))
    return model


def load(path: str | Path) -> keras.Model:
    """A network from its `.keras` file, not compiled.

    Raises:
        BadConfig: Keras' global settings are not those that the network is written for.
        OSError, ValueError: as `keras.models.load_model`.
    """
    keras_settings.check()
    return keras.models.load_model(path, compile=False)


def evidence_layer(model: keras.Model) -> str:
    """The name of the layer that feeds global average pooling: where evidence and Grad-CAM are read."""
    return _layer(model, POOL).input._keras_history.operation.name


def head(model: keras.Model) -> keras.layers.Dense:
    """The dense layer `logits`: kernel [K, L], bias [L]."""
    return _layer(model, LOGITS)


def backbone_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """All layers between the input and the pooling, in the order of the graph."""
    names = [layer.name for layer in model.layers]
    _layer(model, POOL)
    return [layer for layer in model.layers[: names.index(POOL)] if not isinstance(layer, keras.layers.InputLayer)]


def split_head(model: keras.Model) -> keras.Model:
    """The same network, weights shared, from pixels to the pooled features [batch, K]."""
    return keras.Model(model.inputs[0], _layer(model, POOL).output, name=f"{model.name}_pooled")


def _layer(model: keras.Model, name: str) -> keras.layers.Layer:
    try:
        return model.get_layer(name)
    except ValueError:
        raise errors.BadConfig(
            f"The network {model.name!r} has no layer {name!r}, so it was not built by zoo.models.classifier.build. "
            "Build it there and take the weights over with weights = PATH."
        ) from None


def _model_name(backbone: str) -> str:
    return backbone.replace(".", "_").replace("-", "_")


@contextmanager
def _fresh_names() -> Iterator[None]:
    """Counts automatic layer names from one, so that InceptionV3's `conv2d_7` is the same layer in every process."""
    key = "object_name_uids"
    before = global_state.get_global_attribute(key)
    global_state.set_global_attribute(key, defaultdict(int))
    try:
        yield
    finally:
        global_state.set_global_attribute(key, before if before is not None else defaultdict(int))


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Keras draws the seed of each initialiser from Python's generator; everybody else's state is put back."""
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


def _take_over(model: keras.Model, path: Path) -> None:
    """Copies every backbone layer's weights from a file, by layer name."""
    if not path.is_file():
        raise errors.BadConfig(
            f'weights = "{path}" is no file. It may be "imagenet", "none", or the path of a .keras or .weights.h5 file.'
        )
    if path.name.endswith(".weights.h5"):
        _load_h5(model, path)
    else:
        _copy_by_name(_loaded(path), model, path)
    for layer in backbone_layers(model):
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            _settle(layer)


def _settle(normalization: keras.layers.Normalization) -> None:
    """Has a layer that learnt its mean and variance use those that it was just given.

    EfficientNet's published variance is a standard deviation by mistake; Keras makes up for it by one more layer, but
    only where it loads the weights itself. Here it is squared, which comes to the same.
    """
    mean, variance, count = normalization.get_weights()
    if np.allclose(variance, backbones.TORCH_STANDARD_DEVIATION, atol=1e-3):
        normalization.set_weights([mean, variance**2, count])
    normalization.finalize_state()


def _load_h5(model: keras.Model, path: Path) -> None:
    body = keras.Model(model.inputs[0], _layer(model, POOL).output)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Keras only warns of layers that it leaves as they are
            body.load_weights(path, skip_mismatch=False)
    except Exception as error:
        raise errors.BadConfig(
            f"{path} does not fit {model.name}: {error} Give weights of the same backbone."
        ) from None


def _loaded(path: Path) -> keras.Model:
    try:
        return load(path)
    except errors.KerascopeError:
        raise
    except Exception as error:
        raise errors.BadConfig(
            f"{path} is no readable Keras model: {error} Give a .keras or .weights.h5 file."
        ) from None


def _copy_by_name(source: keras.Model, model: keras.Model, path: Path) -> None:
    given = {layer.name: layer.get_weights() for layer in source.layers}
    wanted = [layer for layer in backbone_layers(model) if layer.weights]
    shapes = {layer.name: [tuple(weight.shape) for weight in layer.weights] for layer in wanted}
    faults = [name for name in shapes if [weight.shape for weight in given.get(name, [])] != shapes[name]]
    if faults:
        raise errors.BadConfig(
            f"{path} does not fit {model.name}: {len(faults)} of {len(wanted)} layers are missing or of another "
            f"shape, first {faults[0]!r}. Give weights of the same backbone."
        )
    for layer in wanted:
        layer.set_weights(given[layer.name])
