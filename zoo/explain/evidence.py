"""Evidence maps: a classifier's answer, spread over the picture, at the price of one forward pass.

Where a network ends in global average pooling and a dense layer (`zoo.models.classifier`)::

    features A   (h, w, K)                                    the tensor that feeds the pooling
    evidence E_l[y, x] = sum_k  W[k, l] * A[y, x, k]          signed, in logits, one map per label
    logit_l    = mean_yx E_l[y, x] + b_l                      the maps add up to the answer, exactly
    Grad-CAM   = relu(E_l) / (h * w)                          equals tf-keras-vis on the same layer
    Finer-CAM  = relu(E_c - alpha * mean_d E_d)               c against its most similar labels d

Evidence is in logits, before any sigmoid, softmax or calibration. For an exclusive task the softmax looks only at
differences between logits: what all maps share moves no probability, and a map that is positive everywhere
may belong to the least probable label. Compare maps there, or take Finer-CAM, which is such a comparison.

The functions take NumPy arrays; `tf_evidence` is the first formula for graphs, and the others need no twin
there. Sources: Zhou et al. 2016, eq. 1 and 2, https://arxiv.org/abs/1512.04150 (evidence, under the name of
class activation map); Selvaraju et al. 2017, eq. 1 and 2, https://arxiv.org/abs/1610.02391 (Grad-CAM; for this head the
mean slope of logit l with respect to A_k is W[k, l] / (h * w)); Zhang et al. 2025,
https://arxiv.org/abs/2501.11309 (Finer-CAM).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zoo import errors

if TYPE_CHECKING:
    import tensorflow as tf

Floats = npt.NDArray[np.floating]


def evidence(features: Floats, kernel: Floats) -> Floats:
    """The signed evidence of every label: E_l[y, x] = sum_k W[k, l] * A[y, x, k].

    Args:
        features: A [..., h, w, K], the tensor that feeds the pooling.
        kernel: W [K, L], the head's.

    Returns:
        [..., h, w, L], in logits, unbounded.
    """
    return features @ kernel


def tf_evidence(features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """`evidence` in a TensorFlow graph: features [B, h, w, K] and kernel [K, L] give [B, h, w, L].

    One matrix product over all cells; h, w and K must be known when the graph is made.
    """
    import tensorflow as tf

    rows, columns, maps = features.shape[1:]
    flat = tf.matmul(tf.reshape(features, [-1, maps]), kernel)
    return tf.reshape(flat, [-1, rows, columns, kernel.shape[-1]])


def logits(maps: Floats, bias: Floats) -> Floats:
    """The answer that the maps add up to: logit_l = mean_yx E_l[y, x] + b_l.

    Args:
        maps: evidence [..., h, w, L].
        bias: b [L], the head's.

    Returns:
        [..., L].
    """
    return maps.mean(axis=(-3, -2)) + bias


def grad_cam(maps: Floats) -> Floats:
    """Grad-CAM of every label: relu(E_l) / (h * w).

    Args:
        maps: evidence [..., h, w, L].

    Returns:
        The same shape, none of it negative; not divided by its maximum.
    """
    rows, columns = maps.shape[-3:-1]
    return np.maximum(maps, 0) / (rows * columns)


def finer_cam(maps: Floats, *, label: int, similar: Sequence[int], alpha: float = 0.6) -> Floats:
    """What speaks for one label rather than for those it is easily taken for: relu(E_c - alpha * mean_d E_d).

    Args:
        maps: evidence [..., h, w, L] of an exclusive task.
        label: c.
        similar: the labels d, for example `nearest_labels`.
        alpha: how much of their evidence is taken away; 0 leaves Grad-CAM times h * w. 0.6 as in the paper's code.

    Returns:
        [..., h, w], in logits, none of it negative.

    Raises:
        BadRequest: `similar` is empty or holds `label` itself.
    """
    if not similar or label in similar:
        raise errors.BadRequest(
            f"Finer-CAM compares label {label} with others, got {tuple(similar)}. It needs a task of two labels or "
            "more; for one label take Grad-CAM."
        )
    others = maps[..., list(similar)].mean(axis=-1)
    return np.maximum(maps[..., label] - alpha * others, 0)


def nearest_labels(values: Floats, label: int, count: int = 3) -> tuple[int, ...]:
    """The labels whose logits lie nearest to that of `label`, nearest first: what it is most easily taken for.

    Args:
        values: logits [L] of one picture.
        label: which to compare with.
        count: how many; fewer where there are no more.
    """
    order = np.argsort(np.abs(values - values[label]), kind="stable")
    return tuple(int(other) for other in order if other != label)[:count]
