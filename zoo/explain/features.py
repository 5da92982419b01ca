"""What a network makes of a whole data set: which pictures it takes for alike, and which of its units see lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from zoo import errors
from zoo.explain import forward

FloatArray = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

QUANTILE = 0.005
DETECTOR = 0.04
PERPLEXITY = 30.0
_UNITS = 64  # maps enlarged at once


def maps(
    model: keras.Model, images: Pixels, *, batch: int = forward.BATCH, on_batch: Callable[[int], None] | None = None
) -> FloatArray:
    """What feeds the pooling, picture by picture.

    Args:
        model: a classifier.
        images: uint8 [N, H, W, C].
        batch: pictures at once.
        on_batch: told how many are done after each batch.

    Returns:
        float32 [N, h, w, K]; its mean over h and w is the embedding.
    """
    parts = []
    for start in range(0, len(images), batch):
        parts.append(forward.features(model, np.asarray(images[start : start + batch]), batch=batch))
        if on_batch:
            on_batch(min(start + batch, len(images)))
    return np.concatenate(parts)


@dataclass(frozen=True, kw_only=True, eq=False)
class Neighbours:
    """For each of M pictures, those of a data set it is most like.

    Attributes:
        index: int [M, count], places in the data set, most alike first.
        similarity: float32 [M, count], cosine similarity in [-1, 1].
    """

    index: npt.NDArray[np.intp]
    similarity: FloatArray


def neighbours(
    known: FloatArray, asked: FloatArray, count: int, *, skip: npt.NDArray[np.intp] | None = None
) -> Neighbours:
    """The nearest pictures in embedding space: cos(a, b) = a . b / (|a| |b|).

    Args:
        known: embeddings [N, K] of the data set.
        asked: embeddings [M, K].
        count: how many of each; fewer where there are no more.
        skip: int [M], the place of each asked picture in the data set, which is not its own neighbour; -1 for none.
    """
    similarity = (_unit_length(asked) @ _unit_length(known).T).astype(np.float32)
    if skip is not None:
        rows = np.flatnonzero(skip >= 0)
        similarity[rows, skip[rows]] = -np.inf
        count = min(count, len(known) - 1)
    index = np.argsort(-similarity, axis=1, kind="stable")[:, :count]
    return Neighbours(index=index, similarity=np.take_along_axis(similarity, index, axis=1))


def _unit_length(vectors: FloatArray) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, norms, out=np.zeros_like(vectors), where=norms > 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Flat:
    """A data set on a plane.

    Attributes:
        points: float32 [N, 2].
        explained: share of the variance along each axis, for a principal component analysis; None for t-SNE, whose
            axes and distances between groups mean nothing.
        directions: float32 [2, K], the axes in the embedding's space; None likewise.
    """

    points: FloatArray
    explained: tuple[float, float] | None
    directions: FloatArray | None = None


def pca(embedding: FloatArray) -> Flat:
    """The two directions in which embeddings [N, K] vary most, by scikit-learn (full decomposition, signs fixed).

    Raises:
        BadRequest: fewer than three pictures.
    """
    _enough(embedding, 3)
    fitted = PCA(2, svd_solver="full")
    points = fitted.fit_transform(embedding)
    first, second = fitted.explained_variance_ratio_
    directions = fitted.components_.astype(np.float32)
    return Flat(points=points.astype(np.float32), explained=(float(first), float(second)), directions=directions)


def tsne(embedding: FloatArray, *, perplexity: float = PERPLEXITY, seed: int = 0) -> Flat:
    """Embeddings [N, K] on a plane so that neighbours stay neighbours, by scikit-learn, begun from the PCA.

    Args:
        perplexity: about how many neighbours count; lowered to (N - 1) / 3 for small sets.
        seed: of the optimiser.

    Raises:
        BadRequest: fewer than four pictures.

    Source: van der Maaten and Hinton 2008, https://jmlr.org/papers/v9/vandermaaten08a.html.
    """
    _enough(embedding, 4)
    fitted = TSNE(2, perplexity=min(perplexity, (len(embedding) - 1) / 3), init="pca", random_state=seed)
    return Flat(points=fitted.fit_transform(embedding).astype(np.float32), explained=None)


def _enough(embedding: FloatArray, least: int) -> None:
    if len(embedding) < least:
        raise errors.BadRequest(
            f"There are {len(embedding)} pictures; a map takes {least} or more. Take another split."
        )


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One feature map of the last layer, as a detector of lesions.

    Attributes:
        unit: its number.
        threshold: the activation it exceeds in a share `quantile` of all cells.
        iou: of the places above the threshold with the lesions, over all pictures.
        weight: what the head makes of it for the label, in logits per unit of activation.
    """

    unit: int
    threshold: float
    iou: float
    weight: float

    @property
    def detector(self) -> bool:
        """Whether the paper would call it one: an IoU above 0.04."""
        return self.iou > DETECTOR


def dissect(
    activations: FloatArray,
    lesions: npt.NDArray[np.bool_],
    weights: FloatArray,
    *,
    quantile: float = QUANTILE,
    on_units: Callable[[int], None] | None = None,
) -> list[Unit]:
    """Which units light up where the lesions are, best first.

    ::

        T_k:  P(A_k > T_k) = quantile over all cells of all pictures
        M_k(x) = up(A_k(x)) >= T_k
        IoU_k = sum_x |M_k(x) and L(x)| / sum_x |M_k(x) or L(x)|

    Args:
        activations: A, float32 [N, h, w, K].
        lesions: L, bool [N, H, W], in the same frame.
        weights: [K], the head's for the label.
        quantile: the paper's is 0.005; a share nearer to that of the lesions makes larger masks.
        on_units: told how many units are done.

    Source: Bau et al. 2017, section 2.1 and eq. 1, https://arxiv.org/abs/1704.05796; up is bilinear with half-pixel
        centres, and a place where the map is zero is never above the threshold.
    """
    cells = activations.reshape(-1, activations.shape[-1])
    thresholds = np.quantile(cells, 1 - quantile, axis=0, method="higher")
    overlap = np.zeros(len(weights))
    union = np.zeros(len(weights))
    for start in range(0, len(weights), _UNITS):
        some = slice(start, start + _UNITS)
        for picture, lesion in zip(activations, lesions, strict=True):
            above = above_threshold(picture[..., some], thresholds[some], lesion.shape[0], lesion.shape[1])
            overlap[some] += (above & lesion[..., None]).sum(axis=(0, 1))
            union[some] += (above | lesion[..., None]).sum(axis=(0, 1))
        if on_units:
            on_units(min(start + _UNITS, len(weights)))
    shares = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return [
        Unit(unit=int(k), threshold=float(thresholds[k]), iou=float(shares[k]), weight=float(weights[k]))
        for k in np.argsort(-shares, kind="stable")
    ]


def above_threshold(
    activations: FloatArray, thresholds: npt.NDArray[np.floating], height: int, width: int
) -> npt.NDArray[np.bool_]:
    """M_k: where enlarged maps [h, w, K] reach their thresholds [K], bool [height, width, K]; nowhere where A is 0."""
    large = tf.image.resize(activations, (height, width)).numpy()
    return (large >= thresholds) & (large > 0)
