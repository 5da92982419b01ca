"""What training lowers, and the score by which weights are chosen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from training import metrics
from zoo import errors
from zoo.tasks import Kind

if TYPE_CHECKING:
    from keras import KerasTensor

FloatArray = npt.NDArray[np.floating]
Loss = Callable[["KerasTensor", "KerasTensor"], "KerasTensor"]


def class_weights(truth: FloatArray, *, exclusive: bool) -> FloatArray:
    """How much each answer weighs so that rare ones count as much as common ones, together, as all did before.

    Exclusive: n / (L n_l) per class. Otherwise n / (2 n_yes) and n / (2 n_no) per label, over known answers.

    Args:
        truth: [N, L]; one-hot where exclusive, else 0, 1 or nan.

    Returns:
        float64 [2, L]: for the answers no and yes; the same twice where exclusive. 1 for an answer never given.
    """
    known = np.isfinite(truth).sum(axis=0)
    yes = np.nansum(truth, axis=0)
    if exclusive:
        weights = np.divide(known, len(yes) * yes, out=np.ones(len(yes)), where=yes > 0)
        return np.stack([weights, weights])
    counts = np.stack([known - yes, yes])
    return np.divide(known, 2 * counts, out=np.ones_like(counts), where=counts > 0)


def make_loss(weights: FloatArray, *, exclusive: bool, smoothing: float = 0.0) -> Loss:
    """The loss of a batch, in nats, as a Keras function of truth and logits, both [B, L].

    Exclusive: softmax cross-entropy, each image weighed by its class. Otherwise sigmoid cross-entropy per answer,
    weighed, averaged over the known answers; nan is unknown and counts for nothing.

    Args:
        weights: [2, L] of `class_weights`; ones for none.
        smoothing: exclusive t (1 - s) + s / L (Szegedy et al. 2016, section 7); otherwise t (1 - s) + s / 2.
    """
    from keras import ops

    constant = ops.convert_to_tensor(weights, "float32")
    spread = 1 / weights.shape[1] if exclusive else 1 / 2

    def loss(truth: KerasTensor, logits: KerasTensor) -> KerasTensor:
        known = ops.cast(ops.logical_not(ops.isnan(truth)), "float32")
        answer = ops.where(ops.isnan(truth), 0.0, truth)
        target = answer * (1 - smoothing) + smoothing * spread
        if exclusive:
            each = -ops.sum(target * ops.log_softmax(logits, axis=-1), axis=-1)
            share = ops.sum(answer * constant[1], axis=-1)
            return ops.sum(each * share) / ops.maximum(ops.sum(ops.max(known, axis=-1)), 1.0)
        # max(z, 0) - z t + log(1 + exp(-|z|)), which no large logit overflows
        each = ops.relu(logits) - logits * target + ops.log1p(ops.exp(-ops.abs(logits)))
        share = known * (answer * constant[1] + (1 - answer) * constant[0])
        return ops.sum(each * share) / ops.maximum(ops.sum(known), 1.0)

    return loss


def score_name(kind: Kind) -> str:
    """What `score` is called."""
    return {
        Kind.BINARY: "AUROC",
        Kind.MULTILABEL: "mean AUROC",
    }.get(kind, "macro one-vs-rest AUROC")


def score(logits: FloatArray, truth: FloatArray, *, exclusive: bool) -> float:
    """Mean over the labels of the area under the ROC curve, in [0, 1]; for exclusive tasks each class against the rest.

    A label without both answers is left out.

    Args:
        logits: [N, L].
        truth: [N, L]; one-hot where exclusive, else 0, 1 or nan.

    Raises:
        BadManifest: no label has both answers, so that nothing can be chosen by it.
    """
    ranks = softmax(logits.astype(np.float64), axis=1) if exclusive else logits
    areas = [_area(ranks[:, label], truth[:, label]) for label in range(truth.shape[1])]
    if np.isnan(areas).all():
        raise errors.BadManifest(
            f"None of the {truth.shape[1]} labels has both answers among the {len(truth)} validation images; a model "
            "cannot be chosen by them. Give more images, or name the splits in the manifest."
        )
    return float(np.nanmean(areas))


def _area(ranks: FloatArray, truth: FloatArray) -> float:
    known = np.isfinite(truth)
    if not known.any():
        return float("nan")
    _, positive, negative = metrics.tally(ranks[known], truth[known], np.ones((1, int(known.sum()))))
    return float(metrics.auroc(positive, negative)[0])
