"""The probe against scikit-learn, and its folding into one dense layer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from training import probe

ONES = np.ones((2, 3))


def problem(count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features of very different scales, and three classes that half follow from them."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 5)) * [1, 10, 0.1, 5, 1] + [0, 100, 0, -3, 2]
    standard = (features - [0, 100, 0, -3, 2]) / [1, 10, 0.1, 5, 1]
    answer = (standard @ rng.normal(size=(5, 3)) + rng.gumbel(size=(count, 3))).argmax(axis=1)
    return features, np.eye(3)[answer]


def test_the_softmax_probe_equals_scikit_learns() -> None:
    features, truth = problem()
    head = probe.fit((features, truth), (features, truth), exclusive=True, weights=ONES, strengths=(0.01,), steps=2000)
    # scikit-learn minimises C * sum of losses + 1/2 ||w||^2: C = 1 / (l2 * N).
    scaler = StandardScaler().fit(features)
    reference = LogisticRegression(C=1 / (0.01 * 200), tol=1e-8, max_iter=5000)
    reference.fit(scaler.transform(features), truth.argmax(axis=1))
    expected = reference.decision_function(scaler.transform(features))
    found = features @ head.kernel + head.bias
    np.testing.assert_allclose(found - found.mean(axis=1, keepdims=True), expected, atol=5e-3)


def test_the_sigmoid_probe_equals_scikit_learns_on_each_labels_known_images() -> None:
    features, truth = problem()
    labels = truth.copy()
    labels[::3, 1] = np.nan
    whole = probe.fit((features, labels), (features, labels), exclusive=False, weights=ONES, strengths=(0.01,))
    scaler = StandardScaler().fit(features)
    known = np.isfinite(labels[:, 1])
    total = np.isfinite(labels).sum() / 3
    reference = LogisticRegression(C=1 / (0.01 * total), tol=1e-8, max_iter=5000)
    reference.fit(scaler.transform(features[known]), labels[known, 1])
    expected = reference.decision_function(scaler.transform(features))
    np.testing.assert_allclose((features @ whole.kernel + whole.bias)[:, 1], expected, atol=5e-3)


def test_weights_count_as_copies_of_the_image() -> None:
    features, truth = problem(60)
    twice = np.concatenate([features, features[truth[:, 2] == 1]]), np.concatenate([truth, truth[truth[:, 2] == 1]])
    weights = np.array([[1, 1, 2], [1, 1, 2]])
    # Standardise alike: hand both the standardised features of the 60.
    mean, deviation = features.mean(axis=0), features.std(axis=0)
    one = probe._minimise(
        (features - mean) / deviation, truth, np.zeros(18), 0.1, exclusive=True, weights=weights, steps=500
    )
    other = probe._minimise(
        (twice[0] - mean) / deviation, twice[1], np.zeros(18), 0.1 * 60 / len(twice[0]), exclusive=True,
        weights=np.ones((2, 3)), steps=500,
    )  # fmt: skip
    np.testing.assert_allclose(one, other, atol=1e-3)


def test_a_constant_feature_gets_no_weight() -> None:
    features, truth = problem()
    features[:, 2] = 7
    head = probe.fit((features, truth), (features, truth), exclusive=True, weights=ONES)
    np.testing.assert_array_equal(head.kernel[2], 0)
    assert np.isfinite(head.kernel).all()


def test_the_strength_is_the_one_that_validates_best() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 60))
    truth = (features[:, :1] + 0.5 * rng.normal(size=(40, 1)) > 0).astype(float)
    fresh = rng.normal(size=(2000, 60))
    answers = (fresh[:, :1] > 0).astype(float)
    weights = np.ones((2, 1))
    chosen = probe.fit((features, truth), (fresh, answers), exclusive=False, weights=weights)
    each = [
        probe.fit((features, truth), (fresh, answers), exclusive=False, weights=weights, strengths=(l2,)).score
        for l2 in probe.STRENGTHS
    ]
    assert chosen.score == pytest.approx(max(each), abs=2e-3)
    assert chosen.score > min(each)
