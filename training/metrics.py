"""How well one label is found, and how sure that is: rank statistics and bootstrap intervals over patients.

Every statistic here takes weights of shape [replicates, images], the number of times each image was drawn, so that
one sorted pass gives all replicates at once; a row of ones gives the estimate itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from zoo.cards import Interval, LabelMetrics
from zoo.measures import wilson

FloatArray = npt.NDArray[np.floating]
REPLICATES = 1000
_CHUNK_CELLS = 4_000_000  # weights held at once: 32 MB


def resamples(groups: Sequence[str], *, replicates: int = REPLICATES, seed: int = 0) -> Iterator[FloatArray]:
    """Draws groups (patients) with replacement, as many as there are; all images of a group go together.

    Args:
        groups: the group of each image, length N.

    Yields:
        Chunks [replicates in this chunk, N] of how often each image was drawn; the chunks add up to `replicates`.

    Source: cluster bootstrap, Davison and Hinkley 1997, section 3.8.
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    rng = np.random.default_rng(seed)
    step = max(1, _CHUNK_CELLS // max(1, len(member)))
    for start in range(0, replicates if len(names) else 0, step):
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), min(step, replicates - start))
        yield drawn[:, member].astype(np.float64)


def tally(probability: FloatArray, truth: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Weight of the positive and of the negative images at each distinct probability.

    Args:
        probability: [N].
        truth: [N], 0 or 1.
        weights: [R, N].

    Returns:
        The U distinct probabilities, ascending [U]; the positives' weights [R, U]; the negatives' [R, U].
    """
    order = np.argsort(probability, kind="stable")
    values, starts = np.unique(probability[order], return_index=True)
    sorted_weights, sorted_truth = weights[:, order], truth[order]
    positive = np.add.reduceat(sorted_weights * sorted_truth, starts, axis=1)
    negative = np.add.reduceat(sorted_weights * (1 - sorted_truth), starts, axis=1)
    return values, positive, negative


def divide(above: FloatArray, below: FloatArray) -> FloatArray:
    """Their quotient, nan where the divisor is zero: a share of nothing is undefined, not zero."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.divide(above, below, out=out, where=np.broadcast_to(below != 0, out.shape))


def auroc(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """Area under the ROC curve: how often a positive outranks a negative, ties counting half.

    Args:
        positive, negative: weights [R, U] at ascending probabilities, from `tally`.

    Returns:
        [R] in [0, 1]; nan where a side is empty.

    Source: Hanley and McNeil 1982, Radiology 143:29 (the Wilcoxon form).
    """
    below = np.cumsum(negative, axis=1) - negative / 2
    return divide((positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))


def auprc(positive: FloatArray, negative: FloatArray) -> FloatArray:
    """Average precision: the mean precision over the steps of recall, without interpolation.

    Same arguments and shape as `auroc`. Its floor is the share of positives, not 0.5.

    Source: Davis and Goadrich 2006; as scikit-learn's `average_precision_score`.
    """
    hits = np.cumsum(positive[:, ::-1], axis=1)
    shown = hits + np.cumsum(negative[:, ::-1], axis=1)
    gain = positive[:, ::-1] * np.nan_to_num(divide(hits, shown))
    return np.where(negative.any(axis=1), divide(gain.sum(axis=1), positive.sum(axis=1)), np.nan)


def at_threshold(
    present: npt.NDArray[np.bool_], truth: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Sensitivity, specificity and F1 of yes-or-no answers, each [R] in [0, 1], nan where undefined.

    sensitivity = TP / (TP + FN), specificity = TN / (TN + FP), F1 = 2 TP / (2 TP + FP + FN); F1 is taken as
    undefined without positives.
    """
    positives, negatives = weights @ truth, weights @ (1 - truth)
    true_positives, false_positives = weights @ (truth * present), weights @ ((1 - truth) * present)
    f1 = divide(2 * true_positives, positives + true_positives + false_positives)
    return (
        divide(true_positives, positives),
        divide(negatives - false_positives, negatives),
        np.where(positives > 0, f1, np.nan),
    )


def interval(value: float, replicates: FloatArray, trials: int) -> Interval:
    """The percentile interval (2.5 to 97.5 %) of bootstrap replicates around an estimate.

    Where the estimate is exactly 0 or 1 nearly every replicate repeats it and the bootstrap would claim
    certainty; there the Wilson interval of `trials` independent patients stands in.

    Args:
        value: the estimate; nan where undefined.
        replicates: [R], nan where undefined.
        trials: how many independent patients the estimate rests on.

    Returns:
        All None where the estimate is undefined, no ends where fewer than two patients support them.
    """
    if not np.isfinite(value):
        return Interval(value=None)
    known = replicates[np.isfinite(replicates)]
    if trials < 2 or not known.size:
        return Interval(value=float(value))
    ends = wilson(value, trials) if value in (0.0, 1.0) else np.percentile(known, [2.5, 97.5])
    return Interval(value=float(value), low=float(min(ends[0], value)), high=float(max(ends[1], value)))


def percentiles(estimate: float, spread: FloatArray) -> Interval:
    """The percentile interval, stretched to hold the estimate; no value where that is undefined."""
    if not np.isfinite(estimate):
        return Interval(value=None)
    known = spread[np.isfinite(spread)]
    if not known.size:
        return Interval(value=estimate)
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(value=estimate, low=float(min(low, estimate)), high=float(max(high, estimate)))


def statistics(probability: FloatArray, truth: FloatArray, weights: FloatArray, threshold: float | None) -> FloatArray:
    """AUROC, AUPRC, sensitivity, specificity and F1 of one label, [R, 5]; images of unknown truth are left out."""
    known = np.isfinite(truth)
    probability, truth, weights = probability[known], truth[known], weights[:, known]
    if not truth.size:
        return np.full((len(weights), 5), np.nan)
    _, positive, negative = tally(probability, truth, weights)
    nothing = np.full(len(weights), np.nan)
    points = (nothing,) * 3 if threshold is None else at_threshold(probability >= threshold, truth, weights)
    return np.stack([auroc(positive, negative), auprc(positive, negative), *points], axis=1)


def patients(groups: Sequence[str], chosen: npt.NDArray[np.bool_]) -> int:
    """How many distinct groups the chosen images come from."""
    return len(np.unique(np.asarray(groups, dtype=str)[chosen]))


def measure(
    probability: FloatArray,
    truth: FloatArray,
    groups: Sequence[str],
    thresholds: Sequence[float | None],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> tuple[tuple[LabelMetrics, ...], Interval]:
    """Every label's metrics and the macro AUROC, with 95 % intervals from the same resampled patients.

    Args:
        probability: [N, L], calibrated.
        truth: [N, L], 0, 1 or nan (unknown: left out for that label).
        groups: [N], the patient of each image.
        thresholds: [L], the operating points; None leaves sensitivity, specificity and F1 undefined.

    Returns:
        One record per label, and the mean AUROC over the labels that have one.
    """
    drawn = list(resamples(groups, replicates=replicates, seed=seed))
    whole = np.ones((1, len(probability)))
    values, spread = [], []
    for column, threshold in enumerate(thresholds):
        score, answer = probability[:, column], truth[:, column]
        values.append(statistics(score, answer, whole, threshold)[0])
        spread.append(np.concatenate([statistics(score, answer, chunk, threshold) for chunk in drawn]))
    supports = [(patients(groups, truth[:, c] == 1), patients(groups, truth[:, c] == 0)) for c in range(truth.shape[1])]
    records = tuple(
        _record(value, rows, truth[:, column], support)
        for column, (value, rows, support) in enumerate(zip(values, spread, supports, strict=True))
    )
    return records, _macro(np.array(values)[:, 0], np.array(spread)[:, :, 0], supports)


def _record(value: FloatArray, rows: FloatArray, truth: FloatArray, support: tuple[int, int]) -> LabelMetrics:
    with_it, without = support
    trials = (min(support), min(support), with_it, without, with_it)
    ends = [interval(value[k], rows[:, k], trials[k]) for k in range(5)]
    return LabelMetrics(
        positives=int((truth == 1).sum()),
        negatives=int((truth == 0).sum()),
        auroc=ends[0],
        auprc=ends[1],
        sensitivity=ends[2],
        specificity=ends[3],
        f1=ends[4],
    )


def _macro(values: FloatArray, spread: FloatArray, supports: Sequence[tuple[int, int]]) -> Interval:
    defined = np.isfinite(values)
    if not defined.any():
        return Interval(value=None)
    least = min(min(support) for support, ok in zip(supports, defined, strict=True) if ok)
    return interval(float(values[defined].mean()), spread[defined].mean(axis=0), least)


def accuracy(right: FloatArray, groups: Sequence[str], *, replicates: int = REPLICATES, seed: int = 0) -> Interval:
    """The mean of `right` [N] (each in [0, 1]; nan is left out) with its interval over resampled patients."""
    known = np.isfinite(right)
    if not known.any():
        return Interval(value=None)
    chunks = [
        divide(chunk[:, known] @ right[known], chunk[:, known].sum(axis=1))
        for chunk in resamples(groups, replicates=replicates, seed=seed)
    ]
    return interval(float(right[known].mean()), np.concatenate(chunks), patients(groups, known))


def confusion(
    truth: npt.NDArray[np.integer], answer: npt.NDArray[np.integer], size: int
) -> tuple[tuple[int, ...], ...]:
    """How often label row was answered as label column: [size][size] counts."""
    counts = np.zeros((size, size), int)
    np.add.at(counts, (truth, answer), 1)
    return tuple(tuple(int(cell) for cell in row) for row in counts)
