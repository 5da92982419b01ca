"""Limits that a new patient's image exceeds no more often than stated, whatever the scores' distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A limit on a score.

    Attributes:
        value: the limit.
        share: the share of images of new patients that exceed it, at most.
    """

    value: float
    share: float


def limit(scores: FloatArray, patients: Sequence[str], share: float) -> Limit:
    """A limit that the score of an image of a new patient exceeds with a probability of at most `share`.

    The patients, not the images, are exchangeable. With K patients, N_k images of patient k and scores s_ki::

        value = the smallest s with  sum_k (1 / N_k) #{i: s_ki <= s} >= (1 - share) (K + 1)

    K patients can promise no less than 1 / (K + 1): where `share` is smaller, the limit is the largest score, and the
    share that is given back is 1 / (K + 1).

    Args:
        scores: [N], higher is more unusual; of images that neither the network nor the score was fitted on.
        patients: [N], whose image it is.
        share: in (0, 1).

    Raises:
        ValueError: there is no score.

    Source: Lee, Barber and Willett 2023, arXiv 2306.06342, theorem 1. With one image a patient it is split conformal
        prediction (Papadopoulos et al. 2002): the ceil((1 - share) (K + 1))-th smallest score.
    """
    if len(scores) == 0:
        raise ValueError("A limit needs at least one score.")
    _, whose, counts = np.unique(np.asarray(patients), return_inverse=True, return_counts=True)
    share = max(share, 1 / (len(counts) + 1))
    order = np.argsort(scores, kind="stable")
    below = np.cumsum(1 / counts[whose[order]])
    place = int(np.searchsorted(below, (1 - share) * (len(counts) + 1) - 1e-9))
    return Limit(value=float(np.asarray(scores)[order][min(place, len(order) - 1)]), share=share)


def prediction_limit(scores: FloatArray, share: float) -> float:
    """The limit that the next score exceeds with probability `share` if the scores are normal.

    ::

        mean + t s sqrt(1 + 1 / n),   t the 1 - share quantile of Student's distribution with n - 1 degrees of freedom

    Source: Hahn and Meeker 1991, Statistical Intervals, section 4.8.
    """
    count = len(scores)
    t = float(stats.t.ppf(1 - share, count - 1))
    return float(scores.mean() + t * scores.std(ddof=1) * np.sqrt(1 + 1 / count))
