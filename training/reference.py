"""The gate's statistics: where the training images lie, and the limits beyond which an image is refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import stats

from training.outputs import Outputs
from training.pipeline import Pixels
from zoo.reference import ReferenceEmbedding, correlation, thumbnail

FloatArray = npt.NDArray[np.floating]

FALSE_REFUSALS = 0.01
DIRECTIONS = 8
LEAST_VALIDATION = 5  # fewer images say too little of their spread


def reference(said: dict[str, Outputs], pixels: dict[str, Pixels]) -> ReferenceEmbedding:
    """Statistics of the training split, limits from validation, and what they turn away of the test split.

    Args:
        said: what the network said of the splits `train`, `val` and `test`.
        pixels: uint8 [N, H, W, C] of the same.
    """
    found = _statistics(said["train"].embedding, pixels["train"])
    distances = found.distance(said["val"].embedding)
    alike = _resemblances(found, pixels["val"])
    if len(distances) < LEAST_VALIDATION:
        return found
    limit = float(np.exp(_beyond(np.log(np.maximum(distances, 1e-9)))))
    likeness = float(np.tanh(-_beyond(-np.arctanh(np.clip(alike, -0.999999, 0.999999)))))
    refused = (found.distance(said["test"].embedding) > limit) | _negative(
        _resemblances(found, pixels["test"]), likeness
    )
    return found.model_copy(
        update={
            "limit": round(limit, 6),
            "likeness": round(likeness, 6),
            "false_refusals": FALSE_REFUSALS,
            "validation_images": len(distances),
            "test_images": len(refused),
            "test_refused": int(refused.sum()),
        }
    )


def _statistics(embedding: FloatArray, pixels: Pixels) -> ReferenceEmbedding:
    """Mean and standard deviation (divided by N) of features [N, K], their main directions, the mean picture."""
    centre, spread = embedding.mean(axis=0, dtype=np.float64), embedding.std(axis=0, dtype=np.float64)
    safe = np.maximum(spread, 0.01 * spread.mean() + 1e-9)
    _, singular, directions = np.linalg.svd((embedding - centre) / safe, full_matrices=False)
    variances = singular**2 / len(embedding)
    kept = min(DIRECTIONS, int((variances > 1e-6).sum()), embedding.shape[1] - 1, max(len(embedding) // 10, 0))
    rest = (variances.sum() - variances[:kept].sum()) / (embedding.shape[1] - kept)
    mean_picture = np.mean([thumbnail(picture) for picture in pixels], axis=0)
    return ReferenceEmbedding(
        mean=tuple(np.round(centre, 6).tolist()),
        standard_deviation=tuple(np.round(spread, 6).tolist()),
        images=len(embedding),
        directions=tuple(tuple(np.round(direction, 5).tolist()) for direction in directions[:kept]),
        variances=tuple(np.round(variances[:kept], 6).tolist()),
        rest=max(float(np.round(rest, 9)), 1e-9),
        mean_picture=tuple(int(value) for value in np.rint(mean_picture)),
    )


def _resemblances(found: ReferenceEmbedding, pixels: Pixels) -> FloatArray:
    average = np.asarray(found.mean_picture, np.float64)
    return np.array([correlation(thumbnail(picture), average) for picture in pixels])


def _negative(alike: FloatArray, likeness: float) -> npt.NDArray[np.bool_]:
    """As `zoo.imaging.gate` has it: the picture is unlike the average one, and its negative is not."""
    return (alike < likeness) & (-alike >= likeness)


def _beyond(values: FloatArray) -> float:
    """A value that the next one exceeds with probability `FALSE_REFUSALS`.

    The larger of the sample's quantile and a normal distribution's prediction limit (Hahn and Meeker 1991, section
    4.8): mean + t * s * sqrt(1 + 1/n). The quantile of a few dozen images alone would refuse far more than it says.
    """
    count = len(values)
    quantile = float(np.quantile(values, 1 - FALSE_REFUSALS, method="higher"))
    t = float(stats.t.ppf(1 - FALSE_REFUSALS, count - 1))
    return max(quantile, float(values.mean() + t * values.std(ddof=1) * np.sqrt(1 + 1 / count)))
