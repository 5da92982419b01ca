"""What a network says of many images in one pass: logits, embedding and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

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


class Network:
    """A classifier with its pooled features and its evidence laid open, traced once for any batch size.

    Args:
        model: from `zoo.models.classifier.build`.
    """

    def __init__(self, model: keras.Model) -> None:
        features = model.get_layer(classifier.evidence_layer(model)).output
        pooled = model.get_layer(classifier.POOL).output
        taps = keras.Model(model.inputs[0], [model.outputs[0], pooled, features])
        signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32)]
        self._taps = tf.function(lambda pixels: taps(pixels, training=False), input_signature=signature)
        self._kernel = keras.ops.convert_to_numpy(classifier.head(model).kernel)

    def __call__(self, batches: Iterable[npt.NDArray[np.uint8]], *, maps: bool = True) -> Outputs:
        """Runs once over all batches, uint8 [b, H, W, C] each; `maps` keeps the evidence."""
        found = [self._one(batch, maps) for batch in batches]
        return Outputs(*(np.concatenate(part) for part in zip(*found, strict=True)))

    def _one(self, batch: npt.NDArray[np.uint8], maps: bool) -> tuple[FloatArray, ...]:
        logits, embedding, features = self._taps(tf.constant(batch, tf.float32))
        kept = features.numpy() if maps else np.zeros((len(batch), 0, 0, len(self._kernel)), np.float32)
        return logits.numpy(), embedding.numpy(), evidence.evidence(kept, self._kernel)
