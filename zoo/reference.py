"""Where a model's training images lie: in its embedding and in the look of the average picture. For the gate."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from zoo.measures import Record

FloatArray = npt.NDArray[np.floating]

SIDE = 16
_LEAST_SPREAD = 0.01


class ReferenceEmbedding(Record):
    """What an image is compared with before its answer is believed.

    A card without `limit` or `likeness`, as those of older bundles are, lets every image through.

    Attributes:
        mean: of the embedding, per dimension, over the training split.
        standard_deviation: the same.
        images: how many images these are of.
        directions: the leading principal directions of the standardised embedding, unit vectors.
        variances: along each of them.
        rest: mean variance along all the others.
        limit: the largest distance let through.
        mean_picture: the average training picture, grey, 16 x 16, row by row, 0 to 255.
        likeness: the smallest correlation with it let through where the negative has as much.
        false_refusals: the share of images of the training's kind that each limit is meant to turn away.
        validation_images: how many images the limits were set on.
        test_images: how many images of the test split they were tried on.
        test_refused: how many of those either limit turned away.
    """

    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]
    images: int
    directions: tuple[tuple[float, ...], ...] = ()
    variances: tuple[float, ...] = ()
    rest: float | None = None
    limit: float | None = None
    mean_picture: tuple[int, ...] = ()
    likeness: float | None = None
    false_refusals: float | None = None
    validation_images: int = 0
    test_images: int = 0
    test_refused: int = 0

    def distance(self, embedding: FloatArray) -> FloatArray:
        """How far embeddings [N, K] lie from the training images', [N], about 1 for one of them.

        The Mahalanobis distance of Lee et al. 2018 (arXiv 1807.03888, equation 1) with one mean for all labels, by the
        covariance of probabilistic PCA (Tipping and Bishop 1999, section 3.2): a few directions and one variance for
        the rest, so that the card stays small; of the standardised embedding, over the root of K.
        """
        mean, spread, directions, variances = self.arrays
        standard = (np.asarray(embedding, np.float64) - mean) / spread
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

    def resemblance(self, pixels: npt.NDArray[np.uint8]) -> float:
        """The correlation of a picture [H, W, C] with the average training picture, in [-1, 1]."""
        return correlation(thumbnail(pixels), np.asarray(self.mean_picture, np.float64))


def thumbnail(pixels: npt.NDArray[np.uint8]) -> FloatArray:
    """A picture uint8 [H, W, C] as 16 x 16 means of its greys, [256]."""
    picture = Pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("L")
    return np.asarray(picture.resize((SIDE, SIDE), Pillow.Resampling.BOX), np.float64).ravel()


def correlation(first: FloatArray, second: FloatArray) -> float:
    """Pearson's, in [-1, 1]; 0 where either is constant."""
    first, second = first - first.mean(), second - second.mean()
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / norm if norm > 1e-9 else 0.0
