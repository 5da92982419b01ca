"""Where the training images lie by some features, and the two limits, with what so many patients can promise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from training.conformal import limit
from zoo.reference import Limits, Reference

FloatArray = npt.NDArray[np.floating]

REFUSALS, CAUTIONS = 0.01, 0.05  # of images of the training's kind, by all comparisons together
REFUSING, COMPARISONS = 2, 3  # texture and layout refuse; these and the embedding caution
LEAST = 0.5  # of a limit on a picture, for sets in which little varies but by the tolerance of `zoo.imaging`
APART = 1.05  # the second limit divided by the first, at least: of few patients one picture would set both


def statistics(features: FloatArray, directions: int, *, tolerance: float = 0.0) -> Reference:
    """Mean and standard deviation (divided by N) of features [N, K], and their main directions.

    Args:
        features: of the training images.
        directions: how many to keep at most.
        tolerance: standard deviation of a variation to be allowed for beside that of the training images, independent
            in each feature: images of one scanner are more alike than a hospital's.
    """
    centre, spread = features.mean(axis=0, dtype=np.float64), features.std(axis=0, dtype=np.float64)
    spread = np.hypot(spread, tolerance)
    safe = np.maximum(spread, 0.01 * spread.mean() + 1e-9)
    standard = (features - centre) / safe
    if tolerance:  # as many rows more as make its covariance that of both variations
        standard = np.vstack([standard, np.diag(np.sqrt(len(features)) * tolerance / safe)])
    with threadpool_limits(1, user_api="blas"):  # several would wait for one another
        _, singular, axes = np.linalg.svd(standard, full_matrices=False)
    variances = singular**2 / len(features)
    kept = min(directions, int((variances > 1e-6).sum()), features.shape[1] - 1, len(features) // 10)
    rest = (variances.sum() - variances[:kept].sum()) / (features.shape[1] - kept)
    return Reference(
        mean=tuple(np.round(centre, 6).tolist()),
        standard_deviation=tuple(np.round(spread, 6).tolist()),
        images=len(features),
        directions=tuple(tuple(np.round(axis, 5).tolist()) for axis in axes[:kept]),
        variances=tuple(np.round(variances[:kept], 6).tolist()),
        rest=max(float(np.round(rest, 9)), 1e-9),
    )


def picture_limits(distances: FloatArray, patients: Sequence[str], *, cross_fitted: bool) -> Limits:
    """Both limits on held-out distances [N]; one that begins farther keeps its promise all the more."""
    found = caution_limit(distances, patients)
    refusal = limit(distances, patients, REFUSALS / REFUSING)
    first = max(found.caution or 0.0, LEAST)
    return found.model_copy(
        update={
            "caution": first,
            "refusal": max(_rounded_up(refusal.value), APART * first),
            "refusal_share": refusal.share,
            "cross_fitted": cross_fitted,
        }
    )


def caution_limit(distances: FloatArray, patients: Sequence[str]) -> Limits:
    """The first limit alone, on held-out distances [N]."""
    caution = limit(distances, patients, CAUTIONS / COMPARISONS)
    return Limits(
        caution=_rounded_up(caution.value),
        caution_share=caution.share,
        patients=len(set(patients)),
        images=len(distances),
    )


def _rounded_up(value: float) -> float:
    """To six digits after the point, never below the value: the image that set a limit lies within it."""
    return float(np.ceil(value * 1e6) / 1e6)
