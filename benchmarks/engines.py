"""The engines of the embedded model server, each by the SavedModel as TensorFlow loads it, at batch 1."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tensorflow as tf

from benchmarks.bundles import bundle
from benchmarks.timing import Measured, compare
from serving.modelserver.servables import load

# Largest ratio of OpenVINO's time by the SavedModel's.
OPENVINO_BARS = {"mobilenetv2": 1 / 3, "densenet121": 1 / 1.5}
SIGNATURE = "analyze"


def measure(registry: Path) -> Iterator[Measured]:
    """`analyze` of one picture of 224 x 224 pixels, answers as arrays."""
    for backbone, bar in OPENVINO_BARS.items():
        made = bundle(backbone, registry)
        pixels = tf.constant(np.random.default_rng(0).integers(0, 256, (1, 224, 224, 1), dtype=np.uint8))
        saved = tf.saved_model.load(str(made.path))
        plain = partial(_asked, saved.signatures[SIGNATURE], pixels)
        for engine in ("tensorflow", "openvino"):
            if find_spec(engine):
                run = load(made.name, made.version, made.path, engine=engine).signatures[SIGNATURE].function
                yield compare(
                    f"engine {engine}, {backbone}",
                    partial(run, image=pixels.numpy()),
                    "SavedModel in TensorFlow",
                    plain,
                    rounds=10,
                    calls=20,
                    bar=bar if engine == "openvino" else None,
                )


def _asked(function: tf.types.experimental.ConcreteFunction, pixels: tf.Tensor) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in function(image=pixels).items()}
