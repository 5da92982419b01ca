"""What the evidence costs inside the graph, and what it costs by tf-keras-vis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from benchmarks.bundles import bundle
from benchmarks.timing import Measured, compare
from zoo.explain.visualizers import explain
from zoo.results import Method

BACKBONES = ("mobilenetv2", "densenet121", "resnet50")
ANALYZE_BAR = 1.10


def measure(registry: Path) -> Iterator[Measured]:
    """`analyze` by `serving_default`, and tf-keras-vis' Grad-CAM by `analyze`, at batch 1."""
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 1), dtype=np.uint8)
    for backbone in BACKBONES:
        made = bundle(backbone, registry)
        served = tf.saved_model.load(str(made.path))
        image = tf.constant(pixels)
        analyze, plain = served.signatures["analyze"], served.signatures["serving_default"]
        yield compare(
            f"analyze, {backbone}",
            lambda analyze=analyze: analyze(image=image),
            "serving_default",
            lambda plain=plain: plain(image=image),
            bar=ANALYZE_BAR,
        )
        model = keras.models.load_model(made.keras_path, compile=False)
        picture = pixels[0].astype(np.float32)
        yield compare(
            f"tf-keras-vis Grad-CAM, {backbone}",
            lambda model=model: explain(model, picture, method=Method.GRAD_CAM, label=0),
            "analyze",
            lambda analyze=analyze: analyze(image=image),
            rounds=9,
        )
