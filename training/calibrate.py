"""From logits to probabilities that mean what they say: fitted on validation, judged on test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from zoo import errors
from zoo.calibration import calibrated
from zoo.cards import Calibration
from zoo.tasks import Kind

FloatArray = npt.NDArray[np.floating]
BINS = 15
TEMPERATURES = (0.1, 10.0)
_PRIOR_SD = 1.0  # of log T: one unit of prior against the likelihood of all validation images


@dataclass(frozen=True)
class Calibrator:
    """A calibration with the kind of task it is for: what `zoo.calibration` asks of a card, before there is one."""

    kind: Kind
    calibration: Calibration


def probabilities(logits: FloatArray, calibration: Calibration, kind: Kind) -> FloatArray:
    """Calibrated probabilities [N, L], by the very formula and in the very precision (float32) that is served."""
    return calibrated(np.asarray(logits, np.float32), Calibrator(kind, calibration))


def negative_log_likelihood(logits: FloatArray, truth: FloatArray, *, exclusive: bool) -> float:
    """Mean negative log likelihood per image (softmax) or per known answer (sigmoids), in nats.

    Args:
        logits: [N, L].
        truth: [N, L]; one-hot where exclusive, else 0 or 1; nan (unknown) is left out.
    """
    if exclusive:
        kept = np.isfinite(truth).all(axis=1)
        return float(-(special.log_softmax(logits[kept], axis=1) * truth[kept]).sum(axis=1).mean())
    known = np.isfinite(truth)
    return float(np.logaddexp(0, np.where(truth[known] == 1, -logits[known], logits[known])).mean())


def log_loss(probability: FloatArray, truth: FloatArray, *, exclusive: bool) -> float:
    """The same from probabilities [N, L]; those below 1e-7 count as 1e-7."""
    given = np.clip(np.asarray(probability, np.float64), 1e-7, 1 - 1e-7)
    known = np.isfinite(truth)
    if exclusive:
        return float(-np.log(given[truth == 1]).mean())
    return float(-np.log(np.where(truth[known] == 1, given[known], 1 - given[known])).mean())


def fit(
    logits: FloatArray,
    truth: FloatArray,
    *,
    exclusive: bool,
    method: Literal["none", "temperature", "platt"] = "temperature",
) -> Calibration:
    """Fits the calibration on validation images.

    Args:
        logits: [N, L], uncalibrated.
        truth: [N, L]; one-hot where exclusive, else 0, 1 or nan.
        exclusive: one temperature for the softmax, or one per label for the sigmoids.
        method: Platt's sigmoid is for sigmoids only, since it would break a softmax's sum of one.

    Raises:
        BadConfig: Platt was asked for on an exclusive task.
    """
    if method == "none":
        return Calibration()
    if method == "platt":
        return _fit_platt(logits, truth, exclusive)
    columns = [slice(None)] if exclusive else [slice(label, label + 1) for label in range(logits.shape[1])]
    found = [temperature(logits[:, column], truth[:, column], exclusive=exclusive) for column in columns]
    return Calibration(method="temperature", temperature=tuple(found))


def temperature(logits: FloatArray, truth: FloatArray, *, exclusive: bool) -> float:
    """The T that makes logits / T most likely, within `TEMPERATURES`.

    Minimises  N * nll(logits / T) + (log T)^2 / 2  over log T: a normal prior of standard deviation 1 on log T, ours,
    which keeps a handful of validation images (all of them right, say) from calling for T near 0 and fades as N grows.
    Never worse on validation than T = 1; 1 where an answer is missing on validation, so that nothing can be learnt.

    Source: Guo et al. 2017, section 4.2, https://arxiv.org/abs/1706.04599; the prior and the guard are ours.
    """
    if not _answerable(truth, exclusive=exclusive):
        return 1.0
    known = np.isfinite(truth).all(axis=1)
    logits, truth = logits[known].astype(np.float64), truth[known]

    def loss(log_t: float) -> float:
        return negative_log_likelihood(logits / np.exp(log_t), truth, exclusive=exclusive)

    def penalised(log_t: float) -> float:
        return len(logits) * loss(log_t) + log_t**2 / (2 * _PRIOR_SD**2)

    best = float(optimize.minimize_scalar(penalised, bounds=np.log(TEMPERATURES), method="bounded").x)
    return float(np.exp(best)) if loss(best) <= loss(0.0) else 1.0


def _answerable(truth: FloatArray, *, exclusive: bool) -> bool:
    """Whether at least two different answers occur."""
    seen = truth[np.isfinite(truth).all(axis=1)]
    return len(np.unique(seen.argmax(axis=1) if exclusive else seen)) > 1


def _fit_platt(logits: FloatArray, truth: FloatArray, exclusive: bool) -> Calibration:
    if exclusive:
        raise errors.BadConfig(
            "Platt calibration was asked for on a task whose labels exclude each other; their probabilities would no "
            'longer add up to one. Use calibration = "temperature".'
        )
    found = [platt(logits[:, label], truth[:, label]) for label in range(logits.shape[1])]
    return Calibration(method="platt", slope=tuple(a for a, _ in found), intercept=tuple(b for _, b in found))


def platt(logits: FloatArray, truth: FloatArray) -> tuple[float, float]:
    """Slope a and intercept b of sigmoid(a * logit + b) for one label.

    The targets are Platt's, (N+ + 1) / (N+ + 2) and 1 / (N- + 2), which keep separable data finite. Falls back on
    (1, 0) where validation lacks an answer, where a <= 0 would turn the ranking round, or where it is no more likely.

    Source: Platt 1999, section 2.2; the fallback is ours.
    """
    known = np.isfinite(truth)
    score, answer = logits[known].astype(np.float64), truth[known]
    positives, negatives = int((answer == 1).sum()), int((answer == 0).sum())
    if not positives or not negatives:
        return 1.0, 0.0
    target = np.where(answer == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(goal: FloatArray) -> Callable[[FloatArray], float]:
        return lambda line: float(
            (np.logaddexp(0, line[0] * score + line[1]) - goal * (line[0] * score + line[1])).mean()
        )

    a, b = (float(x) for x in optimize.minimize(loss(target), np.array([1.0, 0.0]), method="BFGS").x)
    plain = loss(answer)
    better = plain(np.array([a, b])) <= plain(np.array([1.0, 0.0]))
    return (a, b) if a > 0 and better else (1.0, 0.0)


def reliability(probability: FloatArray, outcome: FloatArray, *, bins: int = BINS) -> FloatArray:
    """What was promised against what happened, in bins of equal width: (0, 1/bins], ..., the first including 0.

    Args:
        probability: [N] in [0, 1].
        outcome: [N], 1 where it came true, else 0.

    Returns:
        [occupied bins, 3]: mean probability, share that came true, number of images.
    """
    index = np.clip(np.ceil(probability * bins).astype(int) - 1, 0, bins - 1)
    rows = [
        (probability[inside].mean(), outcome[inside].mean(), inside.sum())
        for inside in (index == b for b in range(bins))
        if inside.any()
    ]
    return np.array(rows, np.float64).reshape(-1, 3)


def claims(probability: FloatArray, truth: FloatArray, *, exclusive: bool) -> list[tuple[FloatArray, FloatArray]]:
    """The (probability, outcome) pairs, each [N], that calibration is judged by.

    Exclusive: one pair, the probability of the leading label and whether it was right (Guo et al. 2017, section 2).
    Otherwise one pair per label that has known answers: its probability and whether it was there.
    """
    if exclusive:
        kept = np.isfinite(truth).all(axis=1)
        probability, truth = probability[kept], truth[kept]
        lead = probability.argmax(axis=1)
        return [(probability.max(axis=1), (truth.argmax(axis=1) == lead).astype(np.float64))] if len(lead) else []
    known = np.isfinite(truth)
    columns = [label for label in range(truth.shape[1]) if known[:, label].any()]
    return [(probability[known[:, c], c], truth[known[:, c], c]) for c in columns]


def expected_calibration_error(
    probability: FloatArray, truth: FloatArray, *, exclusive: bool, bins: int = BINS
) -> float | None:
    """How far promise and outcome lie apart on average, in [0, 1]: sum_b n_b / N * |outcome_b - probability_b|.

    For sigmoids it is worked out per label and averaged over the labels. None without a known answer.

    Source: Guo et al. 2017, eq. 3, with 15 bins; the mean over labels is ours.
    """
    errors_of = []
    for promised, outcome in claims(probability, truth, exclusive=exclusive):
        table = reliability(promised, outcome, bins=bins)
        errors_of.append(float((np.abs(table[:, 0] - table[:, 1]) * table[:, 2]).sum() / len(promised)))
    return float(np.mean(errors_of)) if errors_of else None
