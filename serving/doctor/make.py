"""Writes the self-test's bundle, image and answers anew: `python -m serving.doctor.make`.

A small network from a seed, exported as every other model is. Needed where the format of bundles or cards has changed;
a test says so.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from serving.doctor.known import ANSWERS, BUNDLE, HERE, IMAGE, NAME, OUTPUTS, VERSION, FloatArray
from zoo import terminal
from zoo.bundles import Bundle
from zoo.cards import InputSpec, Interval, Label, ModelCard, OperatingPoint, Training, TrainingData
from zoo.imaging.overlay import encode_png
from zoo.registry import archive
from zoo.tasks import Kind

SIDE, LABELS, MAPS = 64, ("first", "second"), (12, 16, 24)
SEED = 20260


def pixels() -> npt.NDArray[np.uint8]:
    """The image, uint8 [64, 64]: a coarse pattern, interpolated in whole numbers, so the same on every machine."""
    coarse = np.random.default_rng(SEED).integers(0, 256, (9, 9))
    place, share = np.divmod(np.arange(SIDE), 8)
    rows = coarse[place] * (8 - share)[:, None] + coarse[place + 1] * share[:, None]
    both = rows[:, place] * (8 - share) + rows[:, place + 1] * share
    return (both // 64).astype(np.uint8)


def export(registry: Path) -> Bundle:
    """The network as a bundle, in a registry that holds none of its name."""
    terminal.load_tensorflow()
    import keras

    from zoo import export as exporting
    from zoo.models import classifier

    image = x = keras.Input((SIDE, SIDE, 1), name=classifier.INPUT)
    x = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="preprocess")(x)
    for number, maps in enumerate(MAPS, start=1):
        convolve = keras.layers.Conv2D(maps, 3, strides=2, padding="same", activation="relu", name=f"stage{number}")
        x = convolve(x)
    pooled = keras.layers.GlobalAveragePooling2D(name=classifier.POOL)(x)
    model = keras.Model(image, keras.layers.Dense(len(LABELS), name=classifier.LOGITS)(pooled), name="self_test")
    draw = np.random.default_rng(SEED)
    model.set_weights([_drawn(draw, weight.shape) for weight in model.weights])
    return exporting.export(model, _card(model.count_params()), registry, batch_sizes=(1,))


def _drawn(draw: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
    """He et al. 2015, section 2.2 (https://arxiv.org/abs/1502.01852); biases alike, and small."""
    fan_in = int(np.prod(shape[:-1])) if len(shape) > 1 else 200
    return (draw.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)


def _card(parameters: int) -> ModelCard:
    nothing = Interval(value=None)
    point = OperatingPoint(
        threshold=0.5, not_sure=(0.5, 0.5), chosen_by="hand", sensitivity=nothing, specificity=nothing
    )
    return ModelCard(
        name=NAME,
        version=VERSION,
        task=NAME,
        question="Does Kerascope compute on this machine what it computed elsewhere?",
        kind=Kind.MULTILABEL,
        backbone=NAME,
        parameters=parameters,
        input=InputSpec(height=SIDE, width=SIDE, channels=1),
        labels=tuple(Label(name=name, operating_point=point) for name in LABELS),
        evidence_layer=f"stage{len(MAPS)}",
        evidence_grid=(SIDE >> len(MAPS),) * 2,
        embedding_size=MAPS[-1],
        licence="Apache-2.0",
        intended_use="`kerascope doctor`",
        not_for="anything else: its weights are random",
        data=TrainingData(name="none", fingerprint="0" * 64, images={}, grouped_by="image"),
        training=Training(config={}, code_revision="unknown", packages={}),
        created="2026-01-01T00:00:00+00:00",
    )


def main(folder: Path = HERE) -> None:
    """Writes the three files."""
    from serving.doctor.selftest import saved_model_answers

    with tempfile.TemporaryDirectory() as scratch:
        bundle = export(Path(scratch))
        archive.pack(bundle, folder / BUNDLE)
        answers = saved_model_answers(bundle, pixels())
    (folder / IMAGE).write_bytes(encode_png(pixels()))
    rounded = {name: np.round(answers[name].astype(float), 7).tolist() for name in OUTPUTS}
    (folder / ANSWERS).write_text(json.dumps(rounded) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
