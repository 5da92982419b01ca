"""Where "present" begins, and how wide "not sure" is: chosen on validation, on calibrated probabilities."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.metrics import REPLICATES, FloatArray, divide, resamples, tally
from zoo import errors

_TARGET = re.compile(r"(sensitivity|specificity) ?>= ?(0?\.\d+|0|1)")
_ZONE = (10.0, 90.0)  # percentiles of the bootstrapped threshold
_ZONE_SHARE = 0.1  # of the validation images, at most, on each side of the threshold


@dataclass(frozen=True)
class Choice:
    """A threshold for one label.

    Attributes:
        threshold: probability from which the label counts as present.
        not_sure: low and high end of the zone around it; low <= threshold <= high.
        chosen_by: the rule, in words.
    """

    threshold: float
    not_sure: tuple[float, float]
    chosen_by: str


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen.

    Attributes:
        statistic: `youden`, `sensitivity` or `specificity`.
        least: what the statistic must reach; unused for `youden`.
    """

    statistic: str
    least: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Reads `youden`, `sensitivity>=0.9` or `specificity>=0.9`.

        Raises:
            BadConfig: it says anything else.
        """
        if text.strip() == "youden":
            return cls("youden")
        found = _TARGET.fullmatch(text.strip())
        if not found:
            raise errors.BadConfig(
                f"The operating point {text!r} is not one we know. Write youden, sensitivity>=0.9 or specificity>=0.9 "
                "(any number from 0 to 1)."
            )
        return cls(found[1], float(found[2]))

    def __str__(self) -> str:
        if self.statistic == "youden":
            return "Youden's J on validation"
        return f"{self.statistic} of at least {self.least:g} on validation"


def choose(
    probability: FloatArray,
    truth: FloatArray,
    groups: Sequence[str],
    rule: Rule,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Choice | None:
    """The threshold of one label and the zone in which it might as well have been put.

    The threshold lies midway between neighbouring probabilities. Youden's J = sensitivity + specificity - 1 is
    greatest there (of equals, the lowest threshold: the more sensitive); a wanted sensitivity takes the highest
    threshold that reaches it, a wanted specificity the lowest.
    The zone is the central 80 % of the thresholds that the same rule picks on resampled patients, cut back so that
    each side of the threshold holds at most a tenth of the validation images: "not sure" must stay the exception.

    Args:
        probability: [N], calibrated.
        truth: [N], 0, 1 or nan (left out).
        groups: [N], the patient of each image.

    Returns:
        None where validation has no image with the label, or none without it.

    Source: Youden 1950, Cancer 3:32; the zone is ours.
    """
    known = np.isfinite(truth)
    probability, truth = probability[known].astype(np.float64), truth[known]
    if len(np.unique(truth)) < 2:
        return None
    threshold = float(thresholds(probability, truth, np.ones((1, len(truth))), rule)[0])
    members = [group for group, ok in zip(groups, known, strict=True) if ok]
    drawn = resamples(members, replicates=replicates, seed=seed)
    spread = np.concatenate([thresholds(probability, truth, chunk, rule) for chunk in drawn])
    low, high = np.percentile(spread[np.isfinite(spread)], _ZONE)
    floor, ceiling = _widest(probability, threshold)
    zone = (min(max(float(low), floor), threshold), max(min(float(high), ceiling), threshold))
    return Choice(threshold, zone, str(rule))


def thresholds(probability: FloatArray, truth: FloatArray, weights: FloatArray, rule: Rule) -> FloatArray:
    """The threshold the rule picks under each row of weights: [R], nan where a row has only one answer.

    Args:
        probability: [N] in [0, 1].
        truth: [N], 0 or 1.
        weights: [R, N].

    The U + 1 candidates lie midway between neighbouring distinct probabilities, and between the outermost and 0 or 1.
    """
    values, positive, negative = tally(probability, truth, weights)
    sensitivity = 1 - divide(_below(positive), positive.sum(axis=1, keepdims=True))
    specificity = divide(_below(negative), negative.sum(axis=1, keepdims=True))
    both = np.isfinite(sensitivity[:, 0]) & np.isfinite(specificity[:, 0])
    cut = _cut(np.nan_to_num(sensitivity), np.nan_to_num(specificity), rule)
    return np.where(both, _midway(values, _below(positive + negative), cut), np.nan)


def _midway(values: FloatArray, below: FloatArray, cut: npt.NDArray[np.intp]) -> FloatArray:
    """Midway between the neighbours of each row's cut that were drawn: images of weight 0 are not there."""
    edges = np.concatenate([[0.0], values, [1.0]])
    same = below == np.take_along_axis(below, cut[:, None], axis=1)
    first = same.argmax(axis=1)
    midway: FloatArray = (edges[first] + edges[first + same.sum(axis=1)]) / 2
    return midway


def _below(counts: FloatArray) -> FloatArray:
    """Weight below each of the U + 1 cuts between, before and after U ascending probabilities: [R, U + 1]."""
    return np.cumsum(np.pad(counts, ((0, 0), (1, 0))), axis=1)


def _cut(sensitivity: FloatArray, specificity: FloatArray, rule: Rule) -> npt.NDArray[np.intp]:
    """Index of the cut from which "present" begins, per row; sensitivity falls along it, specificity rises."""
    if rule.statistic == "youden":
        return np.argmax(np.round(sensitivity + specificity, 12), axis=1)
    if rule.statistic == "sensitivity":
        return (sensitivity >= rule.least - 1e-12).sum(axis=1) - 1
    return (specificity >= rule.least - 1e-12).argmax(axis=1)


def _widest(probability: FloatArray, threshold: float) -> tuple[float, float]:
    """The zone that holds a tenth of the images on each side of the threshold."""
    ranked = np.sort(probability)
    edges = np.concatenate([[0.0], (ranked[1:] + ranked[:-1]) / 2, [1.0]])
    below, room = int((ranked < threshold).sum()), int(_ZONE_SHARE * len(ranked))
    return float(edges[max(below - room, 0)]), float(edges[min(below + room, len(ranked))])
