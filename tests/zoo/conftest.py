"""Real networks with random weights for the tests of the model side, each built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from zoo.cards import Calibration, InputSpec, Label, ModelCard, Training, TrainingData
from zoo.tasks import Kind

if TYPE_CHECKING:
    import keras


def card_for(
    model: keras.Model,
    kind: Kind,
    calibration: Calibration | None = None,
    name: str = "net",
    backbone: str = "small-cnn",
) -> ModelCard:
    from zoo.models import classifier

    layer = classifier.evidence_layer(model)
    rows, columns, maps = model.get_layer(layer).output.shape[1:]
    height, width, channels = model.input_shape[1:]
    return ModelCard(
        name=name,
        version=1,
        task="test",
        question="Which?",
        kind=kind,
        backbone=backbone,
        parameters=model.count_params(),
        input=InputSpec(height=height, width=width, channels=channels),
        labels=tuple(Label(name=f"label {n}") for n in range(model.output_shape[-1])),
        evidence_layer=layer,
        evidence_grid=(rows, columns),
        embedding_size=maps,
        calibration=calibration or Calibration(),
        licence="Apache-2.0",
        intended_use="tests",
        not_for="patients",
        data=TrainingData(name="none", fingerprint="0", images={}, grouped_by="image"),
        training=Training(config={}, code_revision="unknown", packages={}),
        created="2026-01-01T00:00:00+00:00",
    )


@pytest.fixture(scope="session")
def make_card() -> Callable[..., ModelCard]:
    """make_card(model, kind, calibration=..., name="net"): a card that fits the model."""
    return card_for


@pytest.fixture(scope="session")
def make_images() -> Callable[..., np.ndarray]:
    """make_images(height, width, channels, count=3): smooth random pictures, uint8, the same at every call."""
    return smooth_images


def smooth_images(height: int, width: int, channels: int, count: int = 3) -> np.ndarray:
    coarse = np.random.default_rng(7).uniform(0, 255, (count, 6, 6, channels))
    rows = np.arange(height) * 6 // height
    columns = np.arange(width) * 6 // width
    grain = np.random.default_rng(8).normal(0, 12, (count, height, width, channels))
    return np.clip(coarse[:, rows][:, :, columns] + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def make_network() -> Callable[..., keras.Model]:
    """make_network(backbone, size, channels, labels): random weights, but with activations as a trained network's.

    Batch normalisation is given the statistics of real pictures and the head a bias, so that no map is empty,
    saturated or the same as another.
    """
    return settled_network


# The last norm of a residual block begins at 0 in a good training (Goyal et al. 2017, arXiv 1706.02677, section 5.1).
# Fresh from Keras it is 1, and the fifty blocks of ResNet152 then make a rounding error 6 000 times larger.
RESIDUAL = 0.2


def settled_network(backbone: str, *, size: int, channels: int, labels: int, weights: str = "none") -> keras.Model:
    import keras

    from zoo.models import classifier

    spec = InputSpec(height=size, width=size, channels=channels)
    model = classifier.build(backbone=backbone, labels=labels, spec=spec, weights=weights, seed=3)
    if weights == "none":
        norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.momentum = 0.0
            if norm.name.endswith(("_3_bn", "_project_bn")):
                norm.gamma.assign(np.full(norm.gamma.shape, RESIDUAL, np.float32))
        model(smooth_images(size, size, channels, 8).astype(np.float32), training=True)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
    classifier.head(model).bias.assign(np.linspace(-0.5, 0.5, labels, dtype=np.float32))
    return model
