"""Fits the gate: where the training images lie, and the two limits, with what so many images can promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from training.conformal import limit, prediction_limit
from training.outputs import Outputs
from training.pipeline import Pixels
from zoo import errors
from zoo.imaging import gate
from zoo.imaging.appearance import TOLERANCE, appearance
from zoo.measures import wilson
from zoo.reference import Gate, Limits, Reference, Tested, correlation, thumbnail

FloatArray = npt.NDArray[np.floating]
Rows = npt.NDArray[np.intp]

REFUSALS, CAUTIONS = 0.01, 0.05  # of images of the training's kind, by all comparisons together
_REFUSING, _COMPARISONS = 2, 3  # texture and layout refuse; these and the embedding caution
DIRECTIONS = {"picture": 24, "embedding": 8}
APART = 1.15  # the second limit divided by the first, at least: of few patients one picture would set both
LEAST_PATIENTS = 20  # for limits; fewer say too little of their spread
FOLDS = 10
MOST = 5000  # training images whose pictures are compared; more would say no more
_SEED = 0


@dataclass(frozen=True, eq=False)
class _Pictures:
    """N pictures and what the gate compares of them.

    Attributes:
        patients: [N], whose they are.
        greys: [N, 256], their thumbnails.
        coloured: [N].
        texture, layout: [N, D], `zoo.imaging.appearance`.
    """

    patients: npt.NDArray[np.str_]
    greys: FloatArray
    coloured: npt.NDArray[np.bool_]
    texture: FloatArray
    layout: FloatArray

    @classmethod
    def of(cls, pixels: Pixels, patients: Sequence[str]) -> _Pictures:
        looks = [appearance(picture) for picture in pixels]
        return cls(
            np.asarray(patients, np.str_),
            np.stack([thumbnail(picture) for picture in pixels]),
            np.array([gate.is_coloured(picture) for picture in pixels]),
            *(np.stack(part) for part in zip(*looks, strict=True)),
        )


def fit_gate(said: dict[str, Outputs], pixels: dict[str, Pixels], patients: dict[str, Sequence[str]]) -> Gate:
    """Statistics, limits, and what the gate does with the test split.

    The pictures are compared by numbers that no training has seen, so that where validation has too few patients for
    the promise wanted, the limits are cross-fitted over training and validation: each picture is measured by
    statistics of other patients. The embedding was trained, so its limit is of validation alone.

    Args:
        said: what the network said of the splits `train`, `val` and `test`.
        pixels: uint8 [N, H, W, C] of the same.
        patients: whose each image is; groups of images where no patients are known.
    """
    found = _fit_pictures(pixels, patients)
    embedding = statistics(said["train"].embedding, DIRECTIONS["embedding"])
    distances = embedding.distance(said["val"].embedding)
    if len(set(patients["val"])) >= LEAST_PATIENTS:
        embedding = embedding.model_copy(update={"limits": _caution_limit(distances, patients["val"])})
    found = found.model_copy(update={"embedding": embedding})
    tested = _test(found, pixels["test"], said["test"].embedding, patients["test"])
    return found.model_copy(update={"tested": tested})


def cautions(found: Gate) -> Iterator[str]:
    """What the reader should hold against the gate: limits on few images, or a test split that shows more."""
    for limits in found.limits:
        if limits.refusal_share is not None and limits.refusal_share > REFUSALS / _REFUSING:
            yield (
                f"One of the gate's limits rests on {limits.patients} patients or groups of images, which can promise "
                f"no fewer false refusals than {limits.refusal_share:.1%} by it alone; {REFUSALS:.0%} is wanted of the "
                "whole gate."
            )
    tested, promised = found.tested, found.refusal_share
    if tested is None or promised is None or not tested.images:
        return
    for count, share, what in (
        (tested.refused, promised, "refuses"),
        (tested.refused + tested.cautioned, found.caution_share, "refuses or cautions"),
    ):
        if share is not None and count / tested.images > share:
            low, high = wilson(count / tested.images, tested.images)
            yield (
                f"The gate {what} {count} of {tested.images} test images ({count / tested.images:.1%}, 95 % interval "
                f"{low:.1%} to {high:.1%}); at most {share:.1%} was promised"
                + (", which so few images do not contradict." if low <= share else ".")
            )


def statistics(features: FloatArray, directions: int, *, tolerance: float = 0.0) -> Reference:
    """Mean and standard deviation (divided by N) of features [N, K], and their main directions.

    Args:
        features: of the training images.
        directions: how many to keep at most.
        tolerance: standard deviation of a variation to be allowed for beside that of the training images, independent
            in each feature: images of one scanner are more alike than those of a hospital's.
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


def _fit_pictures(pixels: dict[str, Pixels], patients: dict[str, Sequence[str]]) -> Gate:
    """The part of the gate that needs no network."""
    chosen = np.unique(np.linspace(0, len(pixels["train"]) - 1, min(len(pixels["train"]), MOST)).round().astype(int))
    both = _Pictures.of(
        np.concatenate([pixels["train"][chosen], pixels["val"]]),
        [*np.asarray(patients["train"], np.str_)[chosen], *patients["val"]],
    )
    training, validation = np.split(np.arange(len(both.patients)), [len(chosen)])
    needed = _REFUSING / REFUSALS - 1
    if len(set(both.patients[validation])) >= needed:
        return _with_limits(_fit(both, training), both, [(training, validation)])
    return _with_limits(_fit(both, np.arange(len(both.patients))), both, list(_folds(both.patients)))


def _fit(pictures: _Pictures, rows: Rows) -> Gate:
    return _kind(pictures.greys[rows], pictures.coloured[rows]).model_copy(
        update={
            name: statistics(getattr(pictures, name)[rows], DIRECTIONS["picture"], tolerance=TOLERANCE)
            for name in ("texture", "layout")
        }
    )


def _kind(greys: FloatArray, coloured: npt.NDArray[np.bool_]) -> Gate:
    """What the pictures have in common whatever their distances: grey or colour, and which way round the greys are."""
    colour: Literal["grey", "colour", "mixed"] = "mixed" if coloured.any() else "grey"
    average = np.rint(greys.mean(axis=0))
    alike = np.array([correlation(picture, average) for picture in greys])
    bound = prediction_limit(-np.arctanh(np.clip(alike, -0.999999, 0.999999)), REFUSALS) if len(alike) > 1 else 0.0
    return Gate(
        colour="colour" if coloured.all() else colour,
        mean_picture=tuple(int(value) for value in average),
        likeness=round(float(np.tanh(-bound)), 6),
    )


def _with_limits(found: Gate, pictures: _Pictures, parts: list[tuple[Rows, Rows]]) -> Gate:
    """Sets the limits by pictures that took no part in the statistics that measure them.

    A picture that is refused for its kind counts as infinitely far by its texture. Where that happens too often for a
    limit, the kind is not asked for.
    """
    held = np.concatenate([rows for _, rows in parts])
    patients = pictures.patients[held]
    if len(set(patients)) < LEAST_PATIENTS:
        return found
    fitted = [(_fit(pictures, fit), rows) for fit, rows in parts]

    def distances(name: str, far: Callable[[Gate, Rows], FloatArray]) -> FloatArray:
        each = [getattr(part, name).distance(getattr(pictures, name)[rows]) + far(part, rows) for part, rows in fitted]
        return np.concatenate(each)

    def of_another_kind(part: Gate, rows: Rows) -> FloatArray:
        greys, coloured = pictures.greys, pictures.coloured
        return np.array(
            [np.inf if gate.of_another_kind(greys[r], part, coloured=bool(coloured[r])) else 0.0 for r in rows]
        )

    def anyway(part: Gate, rows: Rows) -> FloatArray:
        return np.zeros(len(rows))

    is_cross_fitted = len(parts) > 1
    texture = _picture_limits(distances("texture", of_another_kind), patients, cross_fitted=is_cross_fitted)
    if texture.refusal == np.inf:
        found = found.model_copy(update={"colour": "mixed", "likeness": None})
        texture = _picture_limits(distances("texture", anyway), patients, cross_fitted=is_cross_fitted)
    layout = _picture_limits(distances("layout", anyway), patients, cross_fitted=is_cross_fitted)
    assert found.texture is not None
    assert found.layout is not None
    return found.model_copy(
        update={
            "texture": found.texture.model_copy(update={"limits": texture}),
            "layout": found.layout.model_copy(update={"limits": layout}),
        }
    )


def _folds(patients: npt.NDArray[np.str_]) -> Iterator[tuple[Rows, Rows]]:
    """(rows to fit, rows held out), each patient held out once."""
    names, whose = np.unique(patients, return_inverse=True)
    fold = np.random.default_rng(_SEED).permutation(len(names)) % min(FOLDS, len(names))
    for number in range(min(FOLDS, len(names))):
        held = fold[whose] == number
        yield np.flatnonzero(~held), np.flatnonzero(held)


def _picture_limits(distances: FloatArray, patients: Sequence[str], *, cross_fitted: bool) -> Limits:
    """Both limits on held-out distances of pictures; a refusal that begins farther keeps its promise all the more."""
    found = _caution_limit(distances, patients)
    refusal = limit(distances, patients, REFUSALS / _REFUSING)
    return found.model_copy(
        update={
            "refusal": max(_rounded_up(refusal.value), APART * (found.caution or 0.0)),
            "refusal_share": refusal.share,
            "cross_fitted": cross_fitted,
        }
    )


def _caution_limit(distances: FloatArray, patients: Sequence[str]) -> Limits:
    """The first limit alone."""
    caution = limit(distances, patients, CAUTIONS / _COMPARISONS)
    return Limits(
        caution=_rounded_up(caution.value),
        caution_share=caution.share,
        patients=len(set(patients)),
        images=len(distances),
    )


def _rounded_up(value: float) -> float:
    """To six digits after the point, never below the value: the image that set a limit lies within it."""
    return float(np.ceil(value * 1e6) / 1e6)


def _test(found: Gate, pixels: Pixels, embedding: FloatArray, patients: Sequence[str]) -> Tested:
    """What the gateway would do with each image."""
    refused = cautioned = 0
    for picture, features in zip(pixels, embedding, strict=True):
        try:
            cautions = (gate.check_pixels(picture, found), gate.check_embedding(features, found))
        except errors.ImageRefused:
            refused += 1
        else:
            cautioned += gate.graver(*cautions) is not None
    return Tested(images=len(pixels), patients=len(set(patients)), cautioned=cautioned, refused=refused)
