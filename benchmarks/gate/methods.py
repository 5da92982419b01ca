"""Scores of how unlike the training images a picture is, ours and the field's, each with limits of the same promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp
from sklearn.decomposition import TruncatedSVD
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize

from training.conformal import Limit, limit, prediction_limit
from training.gate_fitting import DIRECTIONS, FOLDS
from training.reference import statistics
from zoo.imaging.appearance import TOLERANCE

NEIGHBOURS = 5

FloatArray = npt.NDArray[np.floating]
Rows = npt.NDArray[np.intp]
Score = Callable[["Features"], FloatArray]


@dataclass(frozen=True, eq=False)
class Features:
    """What the scores go by: float [N, ...] each.

    Attributes:
        texture, layout: of the pictures, as `zoo.imaging.appearance`.
        embedding: of the network, [N, K].
    """

    texture: FloatArray
    layout: FloatArray
    embedding: FloatArray

    def __len__(self) -> int:
        return len(self.embedding)

    def take(self, rows: Rows) -> Features:
        """Those of some of the images."""
        return Features(self.texture[rows], self.layout[rows], self.embedding[rows])


@dataclass(frozen=True, eq=False)
class Head:
    """The dense layer that makes logits [N, L] of embeddings [N, K].

    Attributes:
        kernel: [K, L].
        bias: [L].
        exclusive: whether one label holds of each image.
    """

    kernel: FloatArray
    bias: FloatArray
    exclusive: bool

    def __call__(self, embedding: FloatArray) -> FloatArray:
        return np.asarray(embedding @ self.kernel + self.bias)


def mahalanobis(known: Features, head: Head) -> Score:
    """Lee et al. 2018, arXiv 1807.03888, with one mean: the only comparison before the gate had two limits."""
    reference = statistics(known.embedding, DIRECTIONS["embedding"])
    return lambda new: reference.distance(new.embedding)


def neighbours(known: Features, head: Head) -> Score:
    """The distance to the k-th nearest training image, between embeddings of length one.

    Source: Sun et al. 2022, arXiv 2204.06507, section 3.
    """
    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(known))).fit(normalize(known.embedding))
    return lambda new: index.kneighbors(normalize(new.embedding))[0][:, -1]


def energy(known: Features, head: Head) -> Score:
    """The free energy, -log sum exp z; of labels that do not exclude each other, the sum of -log(1 + exp z).

    Source: Liu et al. 2020, arXiv 2010.03759, equation 4; Wang et al. 2021, arXiv 2111.12797, equation 4.
    """

    def score(new: Features) -> FloatArray:
        logits = head(new.embedding)
        return np.asarray(-logsumexp(logits, axis=1) if head.exclusive else -np.logaddexp(0, logits).sum(axis=1))

    return score


def vim(known: Features, head: Head) -> Score:
    """The energy and a virtual logit: how far the embedding lies from the training images' principal space.

    ::

        alpha |residual of x - o| - log sum exp z,   o = -pinv(W^T) b,   alpha = mean max z / mean |residual|

    The principal space has 512 dimensions, or half of the embedding's where these are fewer than 768; at most half as
    many as there are training images.

    Source: Wang et al. 2022, arXiv 2203.10807, equations 4 to 8; for softmax.
    """
    images, width = known.embedding.shape
    origin = -np.linalg.pinv(head.kernel.T.astype(np.float64)) @ head.bias
    wide = min(512 if width >= 768 else width // 2, images // 2)
    space = TruncatedSVD(wide, random_state=0).fit(known.embedding - origin)

    def residual(new: Features) -> FloatArray:
        centred = new.embedding - origin
        beside = (centred**2).sum(axis=1) - (space.transform(centred) ** 2).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(beside, 0)))

    alpha = head(known.embedding).max(axis=1).mean() / max(float(residual(known).mean()), 1e-9)
    return lambda new: alpha * residual(new) + energy(known, head)(new)


def texture(known: Features, head: Head) -> Score:
    """The gate's first comparison."""
    reference = statistics(known.texture, DIRECTIONS["picture"], tolerance=TOLERANCE)
    return lambda new: reference.distance(new.texture)


def layout(known: Features, head: Head) -> Score:
    """The gate's second comparison."""
    reference = statistics(known.layout, DIRECTIONS["picture"], tolerance=TOLERANCE)
    return lambda new: reference.distance(new.layout)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One score and how its limits are set.

    Attributes:
        name: as it is printed.
        fit: from training features to the score.
        of_picture: limits cross-fitted over training and validation, as the picture's can be, which no training has
            seen; else they are of validation alone.
        parametric: limits by a normal distribution of the score's logarithm, as the gate had before; no promise.
    """

    name: str
    fit: Callable[[Features, Head], Score]
    of_picture: bool = False
    parametric: bool = False

    def limits(
        self, train: Features, val: Features, patients: Sequence[str], head: Head, shares: Sequence[float]
    ) -> tuple[Score, list[Limit]]:
        """The score, and for each share the limit that at most so many exceed.

        Args:
            train, val: the features of the two splits.
            patients: of train, then of val.
            head: the network's, fitted on train.
            shares: in (0, 1).
        """
        if self.of_picture:
            known = both(train, val)
            held = self._held_out(known, patients, head)
            return self.fit(known, head), [limit(held, patients, share) for share in shares]
        score = self.fit(train, head)
        reached = score(val)
        if self.parametric:
            return score, [_parametric(reached, share) for share in shares]
        return score, [limit(reached, patients[len(train) :], share) for share in shares]

    def _held_out(self, known: Features, patients: Sequence[str], head: Head) -> FloatArray:
        """The score of each image by statistics of other patients."""
        found = np.empty(len(known))
        folds = GroupKFold(min(FOLDS, len(set(patients))))
        for fit, held in folds.split(found, groups=patients):
            found[held] = self.fit(known.take(fit), head)(known.take(held))
        return found


def _parametric(scores: FloatArray, share: float) -> Limit:
    """The larger of the sample's quantile and the prediction limit of a log-normal distribution."""
    logs = np.log(np.maximum(scores, 1e-9))
    quantile = float(np.quantile(logs, 1 - share, method="higher"))
    return Limit(value=float(np.exp(max(quantile, prediction_limit(logs, share)))), share=share)


def both(one: Features, other: Features) -> Features:
    """The images of one, then those of the other."""
    pairs = ((one.texture, other.texture), (one.layout, other.layout), (one.embedding, other.embedding))
    return Features(*(np.concatenate(pair) for pair in pairs))


def methods(*, exclusive: bool) -> tuple[Method, ...]:
    """All that are compared with the gate; ViM is defined where one label holds of each image."""
    return (
        Method(name="Mahalanobis, before", fit=mahalanobis, parametric=True),
        Method(name="Mahalanobis", fit=mahalanobis),
        Method(name=f"{NEIGHBOURS} nearest neighbours", fit=neighbours),
        *([Method(name="ViM", fit=vim)] if exclusive else []),
        Method(name="energy", fit=energy),
        Method(name="texture", fit=texture, of_picture=True),
        Method(name="layout", fit=layout, of_picture=True),
    )
