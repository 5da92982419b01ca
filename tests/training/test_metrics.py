import time

import numpy as np
import pytest
from sklearn import metrics as reference

from training import metrics


def whole(count: int) -> np.ndarray:
    return np.ones((1, count))


def rank_statistics(probability: np.ndarray, truth: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    _, positive, negative = metrics.tally(probability, truth, weights)
    return metrics.auroc(positive, negative), metrics.auprc(positive, negative)


def test_auroc_counts_ties_as_half():
    # Positives 0.8 and 0.4, negatives 0.4 and 0.1. Pairs won: (0.8, 0.4) 1, (0.8, 0.1) 1, (0.4, 0.4) 1/2, (0.4, 0.1) 1.
    # AUROC = 3.5 / 4 = 0.875.
    area, _ = rank_statistics(np.array([0.8, 0.4, 0.4, 0.1]), np.array([1.0, 1, 0, 0]), whole(4))
    assert area[0] == 0.875


def test_average_precision_worked_out_by_hand():
    # From the top: 0.9 positive (precision 1), 0.7 negative, 0.5 positive (precision 2/3), each step half the recall:
    # 1/2 * 1 + 1/2 * 2/3 = 5/6.
    _, area = rank_statistics(np.array([0.9, 0.7, 0.5]), np.array([1.0, 0, 1]), whole(3))
    assert area[0] == pytest.approx(5 / 6)


def test_weighted_areas_equal_scikit_learns():
    rng = np.random.default_rng(0)
    probability = np.round(rng.random(60), 1)  # many ties
    truth = (rng.random(60) < 0.4).astype(float)
    weights = rng.integers(0, 4, (5, 60)).astype(float)
    roc, pr = rank_statistics(probability, truth, weights)
    np.testing.assert_allclose(
        roc, [reference.roc_auc_score(truth, probability, sample_weight=row) for row in weights], rtol=1e-12
    )
    np.testing.assert_allclose(
        pr, [reference.average_precision_score(truth, probability, sample_weight=row) for row in weights], rtol=1e-12
    )


def test_sensitivity_specificity_and_f1_worked_out_by_hand():
    # Truth 1 1 1 0 0, present 1 1 0 1 0: TP 2, FN 1, FP 1, TN 1.
    # Sensitivity 2/3, specificity 1/2, F1 = 4 / (4 + 1 + 1) = 2/3.
    found = metrics.at_threshold(np.array([True, True, False, True, False]), np.array([1.0, 1, 1, 0, 0]), whole(5))
    np.testing.assert_allclose(np.ravel(found), [2 / 3, 1 / 2, 2 / 3])


def test_what_is_undefined_is_none_and_not_zero():
    records, macro = metrics.measure(np.array([[0.2], [0.6]]), np.zeros((2, 1)), ["a", "b"], [0.5])
    record = records[0]
    assert [record.auroc.value, record.auprc.value, record.sensitivity.value, record.f1.value] == [None] * 4
    assert record.specificity.value == 0.5
    assert macro.value is None


def test_images_of_unknown_truth_are_left_out():
    probability = np.array([[0.9], [0.1], [0.99], [0.05]])
    truth = np.array([[1.0], [0.0], [np.nan], [np.nan]])
    record = metrics.measure(probability, truth, list("abcd"), [0.5])[0][0]
    assert (record.positives, record.negatives, record.auroc.value, record.specificity.value) == (1, 1, 1.0, 1.0)


def test_no_operating_point_leaves_only_the_areas():
    record = metrics.measure(np.array([[0.9], [0.1]]), np.array([[1.0], [0.0]]), list("ab"), [None])[0][0]
    assert record.auroc.value == 1.0
    assert record.sensitivity.value is record.specificity.value is record.f1.value is None


def test_all_images_of_a_patient_are_drawn_together():
    groups = ["p", "p", "q", "q", "q", "r"]
    drawn = np.concatenate(list(metrics.resamples(groups, replicates=50)))
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 1])
    np.testing.assert_array_equal(drawn[:, 2:4], drawn[:, 3:5])
    np.testing.assert_array_equal(drawn[:, 0] + drawn[:, 2] + drawn[:, 5], 3)  # three patients, drawn three times
    assert (drawn[:, 0] != drawn[:, 5]).any()


def test_copies_of_an_image_do_not_narrow_the_interval():
    # Ten copies of every image tell nothing new: with the patient as the unit the interval stays as wide.
    rng = np.random.default_rng(1)
    truth = np.repeat([[1.0], [0.0]], 20, axis=0)
    probability = np.clip(truth * 0.2 + rng.random((40, 1)) * 0.8, 0, 1)
    groups = [str(i) for i in range(40)]

    def width(copies: int, names: list[str]) -> float:
        record = metrics.measure(np.tile(probability, (copies, 1)), np.tile(truth, (copies, 1)), names, [0.5])[0][0]
        assert record.auroc.high is not None
        assert record.auroc.low is not None
        return record.auroc.high - record.auroc.low

    assert width(10, groups * 10) == pytest.approx(width(1, groups), abs=1e-12)
    assert width(10, [str(i) for i in range(400)]) < 0.5 * width(1, groups)


def test_auroc_interval_is_as_wide_as_hanley_and_mcneil_say():
    # With A = 0.8, 100 + 100 patients, Q1 = A / (2 - A) = 0.6667, Q2 = 2 A^2 / (1 + A) = 0.7111,
    # SE^2 = (0.16 + 99 * (0.6667 - 0.64) + 99 * (0.7111 - 0.64)) / 10000 = 9.84e-4, so 3.92 * SE = 0.123.
    rng = np.random.default_rng(2)
    truth = np.repeat([1.0, 0.0], 100)[:, None]
    latent = rng.standard_normal((200, 1)) + truth * 1.19  # two normals 1.19 apart: A = Phi(1.19 / sqrt 2) = 0.80
    probability = 1 / (1 + np.exp(-latent))
    area = metrics.measure(probability, truth, [str(i) for i in range(200)], [0.5])[0][0].auroc
    assert area.low is not None
    assert area.high is not None
    assert area.low < 0.80 < area.high
    assert area.high - area.low == pytest.approx(0.123, rel=0.2)


def test_a_perfect_score_of_few_patients_claims_no_certainty():
    # Wilson, 10 of 10: low = 1 / (1 + 3.8415 / 10) = 0.7225. A bootstrap alone would say 1 to 1.
    probability = np.repeat([[0.9], [0.1]], 10, axis=0)
    truth = np.repeat([[1.0], [0.0]], 10, axis=0)
    record = metrics.measure(probability, truth, [str(i) for i in range(20)], [0.5])[0][0]
    assert record.sensitivity.low == pytest.approx(0.7225, abs=1e-4)
    assert record.auroc.low == pytest.approx(0.7225, abs=1e-4)
    assert record.sensitivity.high == 1.0


def test_one_patient_supports_no_interval():
    record = metrics.measure(np.array([[0.9], [0.1]]), np.array([[1.0], [0.0]]), ["p", "p"], [0.5])[0][0]
    assert (record.auroc.value, record.auroc.low, record.auroc.high) == (1.0, None, None)


def test_the_same_seed_gives_the_same_intervals():
    rng = np.random.default_rng(3)
    probability, truth = rng.random((30, 2)), (rng.random((30, 2)) < 0.5).astype(float)
    groups = [str(i // 2) for i in range(30)]
    first, again, other = (metrics.measure(probability, truth, groups, [0.5, 0.5], seed=s) for s in (4, 4, 5))
    assert first == again
    assert first != other


def test_accuracy_and_confusion_worked_out_by_hand():
    # Truth 0 0 1 2, answered 0 1 1 0: two of four right.
    truth, answer = np.array([0, 0, 1, 2]), np.array([0, 1, 1, 0])
    assert metrics.accuracy((truth == answer).astype(float), list("abcd")).value == 0.5
    assert metrics.confusion(truth, answer, 3) == ((1, 1, 0), (0, 1, 0), (1, 0, 0))


def test_a_thousand_replicates_of_five_labels_take_seconds():
    rng = np.random.default_rng(4)
    probability, truth = rng.random((250, 5)), (rng.random((250, 5)) < 0.3).astype(float)
    start = time.perf_counter()
    metrics.measure(probability, truth, [str(i // 3) for i in range(250)], [0.5] * 5)
    assert time.perf_counter() - start < 10


def test_the_interval_is_the_central_95_percent_of_the_replicates():
    found = metrics.interval(0.5, np.arange(1001) / 1000, trials=20)
    assert (found.low, found.high) == (pytest.approx(0.025), pytest.approx(0.975))
