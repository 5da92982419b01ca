"""Where a model's training images lie, and the two limits of the gate: for a caution, and for a refusal."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from zoo.measures import Record

FloatArray = npt.NDArray[np.floating]
Pixels = npt.NDArray[np.uint8]

SIDE = 16
_LEAST_SPREAD = 0.01


class Limits(Record):
    """How far from the training images an image may lie.

    Attributes:
        caution: beyond this distance an image is answered with a caution; None on the cards of older bundles.
        caution_share: the share of images of new patients of the training's kind that lie beyond it, at most. The
            guarantee is of conformal prediction (Lee, Barber and Willett 2023, arXiv 2306.06342, theorem 1): it needs
            exchangeable patients and nothing else.
        refusal: beyond this distance an image is refused; None where none is.
        refusal_share: as `caution_share`.
        patients: how many the limits were set on; groups of images where no patients are known.
        images: of these patients.
        cross_fitted: whether each of these images was measured by statistics of the others (Vovk 2015, arXiv
            1208.0806); False where validation alone had images enough.
    """

    caution: float | None = None
    caution_share: float | None = None
    refusal: float | None = None
    refusal_share: float | None = None
    patients: int
    images: int
    cross_fitted: bool = False


class Reference(Record):
    """Where the training images lie, by some features of theirs.

    Attributes:
        mean: of the features, per dimension.
        standard_deviation: the same.
        images: how many images these are of.
        directions: the leading principal directions of the standardised features, unit vectors.
        variances: along each of them.
        rest: mean variance along all the others.
        limits: None where there were too few images to set them by; then every image is let through.
    """

    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]
    images: int
    directions: tuple[tuple[float, ...], ...] = ()
    variances: tuple[float, ...] = ()
    rest: float | None = None
    limits: Limits | None = None

    def distance(self, features: FloatArray) -> FloatArray:
        """How far features [N, K] lie from the training images', [N], about 1 for one of them.

        The Mahalanobis distance of Lee et al. 2018 (arXiv 1807.03888, equation 1) with one mean for all labels, by the
        covariance of probabilistic PCA (Tipping and Bishop 1999, section 3.2): a few directions and one variance for
        the rest, so that the card stays small; of the standardised features, over the root of K.
        """
        mean, spread, directions, variances = self.arrays
        standard = (np.asarray(features, np.float64) - mean) / spread
        if not self.directions or self.rest is None:
            return np.asarray(np.sqrt((standard**2).mean(axis=1)))
        along = standard @ directions.T
        beside = (standard**2).sum(axis=1) - (along**2).sum(axis=1)
        squared = (along**2 / variances).sum(axis=1) + np.maximum(beside, 0) / self.rest
        return np.asarray(np.sqrt(squared / standard.shape[1]))

    @cached_property
    def arrays(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Mean [K], spread [K], directions [D, K] and variances [D]: made once, for a card is asked at each image."""
        spread = np.asarray(self.standard_deviation)
        spread = np.maximum(spread, _LEAST_SPREAD * spread.mean() + 1e-9)  # a unit that never fired is no yardstick
        return np.asarray(self.mean), spread, np.asarray(self.directions), np.asarray(self.variances)


class Tested(Record):
    """What the limits did with the test split, which took no part in setting them.

    Attributes:
        images, patients: how many it was tried on; groups of images where no patients are known.
        refused: images refused.
        cautioned: images answered with a caution; none by the cards of older bundles.
    """

    images: int
    patients: int
    refused: int
    cautioned: int = 0


class Gate(Record):
    """What an image is compared with before its answer is given. Each part may be missing; then it lets all through.

    Attributes:
        colour: whether the training pictures were all grey, all in colour, or of both kinds.
        mean_picture: the average training picture, grey, 16 x 16, row by row, 0 to 255.
        likeness: the smallest correlation with it of a picture whose negative correlates as much.
        texture: where the pictures lie by their grey levels, texture and colours (`zoo.imaging.appearance`).
        layout: where they lie by the same and by where they are light and dark.
        embedding: where they lie by the network's pooled features. These cautions, and do not refuse: training shapes
            them, so that they tell strangers worse than the pictures do, and differ a little from machine to machine.
        refusal_share: the share of images of the training's kind that are refused, at most: the sum over the limits.
        caution_share: the share that is refused or cautioned, at most; None on the cards of older bundles.
        tested: what the limits did with the test split.
        cautions: what the reader should hold against the gate, in sentences.
    """

    colour: Literal["grey", "colour", "mixed"] = "mixed"
    mean_picture: tuple[int, ...] = ()
    likeness: float | None = None
    texture: Reference | None = None
    layout: Reference | None = None
    embedding: Reference | None = None
    refusal_share: float | None = None
    caution_share: float | None = None
    tested: Tested | None = None
    cautions: tuple[str, ...] = ()

    @property
    def limits(self) -> tuple[Limits, ...]:
        """Those there are."""
        parts = (self.texture, self.layout, self.embedding)
        return tuple(part.limits for part in parts if part and part.limits)

    def resemblance(self, greys: FloatArray) -> float:
        """The correlation of a picture's `thumbnail` with the average training picture's, in [-1, 1]."""
        return correlation(greys, np.asarray(self.mean_picture, np.float64))


def of_older_card(known: dict[str, Any]) -> dict[str, Any]:
    """The `gate` of a card from before there was one: its `reference_embedding`, which refuses as it did."""
    statistics = {name: known[name] for name in known.keys() & Reference.model_fields.keys()}
    negative: dict[str, Any] = {name: known[name] for name in ("mean_picture", "likeness") if name in known}
    if (limit := known.get("limit")) is None:
        return {**negative, "embedding": statistics}
    share, images, tested_images = (known.get(n) or 0 for n in ("false_refusals", "validation_images", "test_images"))
    limits = {"refusal": limit, "refusal_share": share, "patients": images, "images": images}
    tested = {"images": tested_images, "patients": tested_images, "refused": known.get("test_refused", 0)}
    return {**negative, "embedding": statistics | {"limits": limits}, "refusal_share": share, "tested": tested}


def thumbnail(pixels: Pixels) -> FloatArray:
    """A picture uint8 [H, W, C] as 16 x 16 means of its greys, [256]."""
    picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("L")
    return np.asarray(picture.resize((SIDE, SIDE), Pillow.Resampling.BOX), np.float64).ravel()


def correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson's, in [-1, 1]; 0 where either is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm > 1e-9 else 0.0
