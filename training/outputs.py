"""What a network says of many images in one pass: logits, embedding and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from zoo.explain import evidence
from zoo.models import classifier

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Outputs:
    """One split, seen by the network.

    Attributes:
        logits: [N, L], uncalibrated.
        embedding: [N, K], the pooled features.
        evidence: [N, h, w, L], signed, in logits; h = w = 0 where it was not asked for.
    """

    logits: FloatArray
    embedding: FloatArray
    evidence: FloatArray


def outputs(model: keras.Model, batches: Iterable[npt.NDArray[np.uint8]], *, maps: bool = True) -> Outputs:
    """Runs the network once over all batches.

    Args:
        model: from `zoo.models.classifier.build`, N images in all.
        batches: uint8 [b, H, W, C] each, b at least 1.
        maps: whether to keep the evidence maps.
    """
    features = model.get_layer(classifier.evidence_layer(model)).output
    pooled = model.get_layer(classifier.POOL).output
    taps = keras.Model(model.inputs, [pooled, model.outputs[0], *([features] if maps else [])])
    kernel = keras.ops.convert_to_numpy(classifier.head(model).kernel)
    found: list[tuple[FloatArray, ...]] = []
    for batch in batches:
        embedding, logits, *seen = taps.predict_on_batch(batch.astype(np.float32))
        where = evidence.evidence(seen[0], kernel) if maps else np.zeros((len(batch), 0, 0, kernel.shape[1]), "float32")
        found.append((logits, embedding, where))
    return Outputs(*(np.concatenate(part) for part in zip(*found, strict=True)))
