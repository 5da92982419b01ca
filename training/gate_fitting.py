"""Fits the gate of a model: the statistics, the limits, and what they do with the test split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from training.conformal import prediction_limit
from training.outputs import Outputs
from training.pipeline import Pixels
from training.reference import REFUSALS, REFUSING, caution_limit, picture_limits, statistics
from zoo import errors
from zoo.imaging import gate
from zoo.imaging.appearance import TOLERANCE, appearance
from zoo.measures import wilson
from zoo.reference import Gate, Tested, correlation, thumbnail

FloatArray = npt.NDArray[np.floating]
Rows = npt.NDArray[np.intp]

DIRECTIONS = {"picture": 24, "embedding": 8}
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
    def of(cls, pixels: Pixels, patients: Sequence[str], console: Console) -> _Pictures:
        looks = [appearance(picture) for picture in track(pixels, "Comparing", console=console, transient=True)]
        return cls(
            np.asarray(patients, np.str_),
            np.stack([thumbnail(picture) for picture in pixels]),
            np.array([gate.is_coloured(picture) for picture in pixels]),
            *(np.stack(part) for part in zip(*looks, strict=True)),
        )

    def of_another_kind(self, known: Gate, rows: Rows) -> npt.NDArray[np.bool_]:
        """Which of some pictures are refused whatever their distances."""
        return np.array(
            [
                gate.is_of_other_colour(known, coloured=bool(self.coloured[row]))
                or gate.is_negative(self.greys[row], known)
                for row in rows
            ]
        )


def fit_gate(
    said: dict[str, Outputs],
    pixels: dict[str, Pixels],
    patients: Mapping[str, Sequence[str]],
    *,
    console: Console | None = None,
) -> Gate:
    """Statistics, limits, and what the gate does with the test split.

    The pictures are compared by numbers that no training has seen, so that where validation has too few patients for
    the promise wanted, the limits are cross-fitted over training and validation: each picture is measured by
    statistics of other patients. The embedding was trained, so its limit is of validation alone.

    Args:
        said: what the network said of the splits `train`, `val` and `test`.
        pixels: uint8 [N, H, W, C] of the same.
        patients: whose each image is; groups of images where no patients are known.
        console: where progress is shown; silent without.

    Raises:
        BadRun: features are not finite.
    """
    console = console or Console(quiet=True)
    found = _fit_pictures(pixels, patients, console)
    if not all(np.isfinite(outputs.embedding).all() for outputs in said.values()):
        raise errors.BadRun("The network's features are not finite for some images. Train it again at a lower rate.")
    embedding = statistics(said["train"].embedding, DIRECTIONS["embedding"])
    distances = embedding.distance(said["val"].embedding)
    if len(set(patients["val"])) >= LEAST_PATIENTS and np.ptp(said["train"].embedding, axis=0).any():
        embedding = embedding.model_copy(update={"limits": caution_limit(distances, patients["val"])})
    found = found.model_copy(update={"embedding": embedding})
    promised = {name: _together(found, name) for name in ("refusal_share", "caution_share")}
    tested = _test(found, pixels["test"], said["test"].embedding, patients["test"], console)
    found = found.model_copy(update=promised | {"tested": tested})
    return found.model_copy(update={"cautions": tuple(cautions(found))})


def _together(found: Gate, share: str) -> float | None:
    """What all limits promise together: the sum of the shares of each; None where none promises."""
    shares = [each for limits in found.limits if (each := getattr(limits, share)) is not None]
    return min(1.0, sum(shares)) if shares else None


def cautions(found: Gate) -> Iterator[str]:
    """What the reader should hold against the gate: limits on few images, or a test split that shows more."""
    tested, promised = found.tested, found.refusal_share
    if promised is not None and promised > REFUSALS and found.layout is not None and found.layout.limits is not None:
        yield (
            f"The gate's limits rest on {found.layout.limits.patients} patients or groups of images, which can promise "
            f"no fewer false refusals than {promised:.1%}; {REFUSALS:.0%} is wanted."
        )
    if tested is None or promised is None or not tested.images:
        return
    for count, share, what in (
        (tested.refused, promised, "refuses"),
        (tested.refused + tested.cautioned, found.caution_share, "refuses or cautions"),
    ):
        if share is not None and count / tested.images > share:
            low, high = wilson(count / tested.images, tested.patients)  # the images of a patient are alike
            yield (
                f"The gate {what} {count} of {tested.images} test images of {tested.patients} patients or groups "
                f"({count / tested.images:.1%}, 95 % interval {low:.1%} to {high:.1%}); at most {share:.1%} was "
                + ("promised, which lies within the interval." if low <= share else "promised.")
            )


def _fit_pictures(pixels: dict[str, Pixels], patients: Mapping[str, Sequence[str]], console: Console) -> Gate:
    """The part of the gate that needs no network."""
    chosen = np.unique(np.linspace(0, len(pixels["train"]) - 1, min(len(pixels["train"]), MOST)).round().astype(int))
    both = _Pictures.of(
        np.concatenate([pixels["train"][chosen], pixels["val"]]),
        [*np.asarray(patients["train"], np.str_)[chosen], *patients["val"]],
        console,
    )
    training, validation = np.split(np.arange(len(both.patients)), [len(chosen)])
    needed = REFUSING / REFUSALS - 1
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
    texture, layout = (
        np.concatenate([getattr(part, name).distance(getattr(pictures, name)[rows]) for part, rows in fitted])
        for name in ("texture", "layout")
    )
    odd = np.concatenate([pictures.of_another_kind(part, rows) for part, rows in fitted])
    is_cross_fitted = len(parts) > 1
    limits = {
        "texture": picture_limits(np.where(odd, np.inf, texture), patients, cross_fitted=is_cross_fitted),
        "layout": picture_limits(layout, patients, cross_fitted=is_cross_fitted),
    }
    if limits["texture"].refusal == np.inf:
        found = found.model_copy(update={"colour": "mixed", "likeness": None})
        limits["texture"] = picture_limits(texture, patients, cross_fitted=is_cross_fitted)
    return found.model_copy(
        update={name: getattr(found, name).model_copy(update={"limits": each}) for name, each in limits.items()}
    )


def _folds(patients: npt.NDArray[np.str_]) -> Iterator[tuple[Rows, Rows]]:
    """(rows to fit, rows held out), each patient held out once."""
    names, whose = np.unique(patients, return_inverse=True)
    fold = np.random.default_rng(_SEED).permutation(len(names)) % min(FOLDS, len(names))
    for number in range(min(FOLDS, len(names))):
        held = fold[whose] == number
        yield np.flatnonzero(~held), np.flatnonzero(held)


def _test(found: Gate, pixels: Pixels, embedding: FloatArray, patients: Sequence[str], console: Console) -> Tested:
    """What the gateway would do with each image."""
    refused = cautioned = 0
    for row in track(range(len(pixels)), "Trying the gate", console=console, transient=True):
        try:
            cautioned += gate.check_both(pixels[row], embedding[row], found) is not None
        except errors.ImageRefused:
            refused += 1
    return Tested(images=len(pixels), patients=len(set(patients)), cautioned=cautioned, refused=refused)
