"""What every backbone of the zoo must hold to, from the first layer to the bundle.

A few small ones are `slow`; all the others are `large` and run by `make test-all`, one at a time, each freed before the
next is built.
"""

from __future__ import annotations

import gc
import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image as Pillow

from tests.zoo.conftest import card_for, settled_network, smooth_images
from training import depth
from training.config import Stage
from zoo.backbones import BACKBONES
from zoo.bundles import Bundle
from zoo.cards import InputSpec
from zoo.explain import methods
from zoo.export import export
from zoo.models import classifier
from zoo.results import Method
from zoo.tasks import Kind

SMALL = ("small-cnn", "mobilenet-0.25")
LABELS = 3
# The smallest picture that leaves a grid of two cells a side or more, so that there is a map to speak of.
SIZES = {"inceptionv3": 128, "inceptionresnetv2": 128, "xception": 71}


@dataclass(frozen=True)
class Made:
    """A network, its bundle, the bundle read back, and its answers to a batch of three pictures."""

    name: str
    model: keras.Model
    bundle: Bundle
    served: object
    again: keras.Model
    images: np.ndarray
    answers: dict[str, np.ndarray]

    def ask(self, signature: str, **inputs: object) -> dict[str, np.ndarray]:
        tensors = {name: tf.constant(value) for name, value in inputs.items()}
        return {name: value.numpy() for name, value in self.served.signatures[signature](**tensors).items()}


def marked(name: str) -> object:
    large = [pytest.mark.large, pytest.mark.timeout(3600)]
    return pytest.param(name, marks=pytest.mark.slow if name in SMALL else large)


# The networks of Keras at width 1 first, then the narrower and wider ones.
NAMES = sorted(BACKBONES, key=lambda name: BACKBONES[name].width not in (None, 1))


@pytest.fixture(scope="module", params=[marked(name) for name in NAMES])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    folder = tmp_path_factory.mktemp("contract")
    try:
        yield make(request.param, folder)
    finally:
        shutil.rmtree(folder)
        keras.backend.clear_session()
        gc.collect()


def make(name: str, folder: Path) -> Made:
    size = SIZES.get(name, 64)
    model = settled_network(name, size=size, channels=1, labels=LABELS)
    bundle = export(model, card_for(model, Kind.MULTILABEL, backbone=name), folder, batch_sizes=(1,))
    served = tf.saved_model.load(str(bundle.path))
    images = smooth_images(size, size, 1)
    answers = {key: value.numpy() for key, value in served.signatures["analyze"](image=tf.constant(images)).items()}
    again = keras.models.load_model(bundle.keras_path, compile=False)
    return Made(name, model, bundle, served, again, images, answers)


def close(found: np.ndarray, wanted: np.ndarray, scale: np.ndarray | None = None) -> None:
    """Equal to 3e-4 of the largest value; a logit is a mean of evidence of both signs: its `scale` is the evidence."""
    largest = float(np.abs(wanted if scale is None else scale).max())
    np.testing.assert_allclose(found, wanted, rtol=0, atol=3e-4 * largest)


def test_it_is_flat_and_ends_in_pooling_and_a_dense_layer(made: Made):
    layers = made.model.layers
    assert not [layer.name for layer in layers if isinstance(layer, keras.Model)]
    assert [layer.name for layer in layers][-2:] == ["pool", "logits"]
    assert made.model.get_layer(classifier.evidence_layer(made.model)).output is layers[-2].input
    assert min(made.bundle.card.evidence_grid) >= 2


def test_it_tells_pictures_and_places_apart(made: Made):
    """Else every comparison below would hold for a network that answers the same to everything."""
    assert all(np.isfinite(value).all() for value in made.answers.values())
    assert np.ptp(made.answers["logit"], axis=0).max() > 1e-3
    assert np.ptp(made.answers["evidence"], axis=(1, 2)).min() > 1e-3


def test_it_answers_the_same_when_saved_and_read_back(made: Made):
    pixels = made.images.astype(np.float32)
    wanted = made.model(pixels, training=False).numpy()
    close(made.again(pixels, training=False).numpy(), wanted, made.answers["evidence"])
    close(made.answers["logit"], wanted, made.answers["evidence"])


def test_its_three_signatures_have_their_names_types_and_shapes(made: Made):
    card = made.bundle.card
    assert {name: value.shape for name, value in made.answers.items()} == {
        "probability": (3, LABELS),
        "logit": (3, LABELS),
        "evidence": (3, *card.evidence_grid, LABELS),
        "embedding": (3, card.embedding_size),
    }
    assert {value.dtype for value in made.answers.values()} == {np.dtype(np.float32)}
    assert set(made.served.signatures) == {"serving_default", "analyze", "analyze_encoded"}
    short = made.ask("serving_default", image=made.images)
    assert set(short) == {"probability", "logit"}
    close(short["logit"], made.answers["logit"], made.answers["evidence"])
    encoded = made.ask("analyze_encoded", encoded=[png(image) for image in made.images])
    close(encoded["evidence"], made.answers["evidence"])


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(image[..., 0]).save(buffer, format="PNG")
    return buffer.getvalue()


def test_its_evidence_is_grad_cam_of_tf_keras_vis_on_the_same_layer(made: Made):
    maps = np.maximum(made.answers["evidence"][0], 0) / np.prod(made.bundle.card.evidence_grid)
    label = int(maps.max(axis=(0, 1)).argmax())
    assert maps[..., label].max() > 0
    reference = methods.explain(made.again, made.images[0], method=Method.GRAD_CAM, label=label)
    close(maps[..., label], reference)


def test_its_evidence_averages_to_the_logit(made: Made):
    bias = classifier.head(made.model).get_weights()[1]
    evidence = made.answers["evidence"]
    close(evidence.mean(axis=(1, 2)) + bias, made.answers["logit"], evidence)


def test_a_batch_gives_what_its_pictures_give_alone(made: Made):
    for index, image in enumerate(made.images):
        alone = made.ask("analyze", image=image[None])
        close(alone["evidence"][0], made.answers["evidence"][index])
        close(alone["logit"][0], made.answers["logit"][index], made.answers["evidence"])


def test_its_stages_are_listed_from_the_picture_to_the_pooling(made: Made):
    stages = depth.stages(made.model)
    layers = [layer.name for layer in classifier.backbone_layers(made.model)]
    assert list(stages) == layers
    assert stages[layers[-1]] == max(stages.values())
    assert sorted(set(stages.values())) == list(range(max(stages.values()) + 1))
    assert max(stages.values()) >= 4


def test_the_gradient_reaches_every_layer_that_is_to_learn_and_no_other(made: Made):
    stage = Stage(epochs=1, unfreeze_from=0.3, peak_learning_rate=1e-4)
    depth.unfreeze(made.again, stage, from_scratch=False)
    with tf.GradientTape() as tape:
        # Not as in training, where chance may leave out a whole block of EfficientNet or ConvNeXt.
        loss = tf.reduce_sum(tf.square(made.again(made.images.astype(np.float32), training=False)))
    learning = [variable.value for variable in made.again.trainable_variables]
    slopes = tape.gradient(loss, learning)
    assert 0 < len(learning) < len(made.again.weights)
    assert not [variable.path for variable, slope in zip(learning, slopes, strict=True) if slope is None]
    assert all(np.isfinite(slope).all() for slope in slopes)
    assert np.mean([np.abs(slope).max() > 0 for slope in slopes]) > 0.9


FAMILIES = (
    pytest.param("mobilenet-0.25", marks=pytest.mark.slow),
    *(
        pytest.param(name, marks=[pytest.mark.large, pytest.mark.timeout(3600)])
        for name in (
            "mobilenetv2-0.35",
            "mobilenetv3-small-0.75",
            "densenet121",
            "resnet50",
            "resnet50v2",
            "inceptionv3",
            "inceptionresnetv2",
            "xception",
            "vgg16",
            "efficientnetb0",
            "efficientnetv2-b0",
            "convnext-tiny",
            "nasnet-mobile",
        )
    ),
)


@pytest.mark.parametrize("name", FAMILIES)
def test_its_weights_are_taken_over_by_another_of_its_kind(name: str, tmp_path: Path):
    size = SIZES.get(name, 64)
    source = settled_network(name, size=size, channels=1, labels=LABELS)
    source.save(tmp_path / "source.keras")
    spec = InputSpec(height=size, width=size, channels=1)
    other = classifier.build(backbone=name, labels=2, spec=spec, weights=str(tmp_path / "source.keras"), seed=9)
    pixels = smooth_images(size, size, 1).astype(np.float32)
    close(classifier.split_head(other)(pixels).numpy(), classifier.split_head(source)(pixels).numpy())
    keras.backend.clear_session()
    gc.collect()
