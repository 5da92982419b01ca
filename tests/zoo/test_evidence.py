"""Each formula once on paper."""

from __future__ import annotations

import numpy as np
import pytest

from zoo import errors
from zoo.explain import evidence

# Two maps on a grid of 2 x 2, two labels:  A_0 = [[1, 0], [2, 1]]   A_1 = [[0, 3], [1, 0]]
FEATURES = np.array([[[1, 0], [0, 3]], [[2, 1], [1, 0]]], np.float32)
KERNEL = np.array([[2, 1], [-1, 1]], np.float32)  # E_0 = 2 A_0 - A_1, E_1 = A_0 + A_1
MAPS = np.array([[[2, 1], [-3, 3]], [[3, 3], [2, 1]]], np.float32)


def test_evidence_is_the_features_weighted_by_the_head():
    # E_0 = 2 * [[1, 0], [2, 1]] - [[0, 3], [1, 0]] = [[2, -3], [3, 2]];  E_1 = [[1, 3], [3, 1]].
    np.testing.assert_array_equal(evidence.evidence(FEATURES, KERNEL), MAPS)


def test_evidence_averages_to_the_logit():
    # mean E_0 = (2 - 3 + 3 + 2) / 4 = 1, mean E_1 = 8 / 4 = 2; with biases 0.5 and -1 the logits are 1.5 and 1.
    logits = evidence.logits(MAPS, np.array([0.5, -1], np.float32))
    np.testing.assert_array_equal(logits, [1.5, 1.0])


def test_grad_cam_is_the_positive_evidence_over_the_number_of_cells():
    # relu([[2, -3], [3, 2]]) / 4
    np.testing.assert_array_equal(evidence.grad_cam(MAPS)[..., 0], [[0.5, 0], [0.75, 0.5]])


def test_finer_cam_takes_the_evidence_of_the_other_label_away():
    # E_0 - 0.5 * E_1 = [[2 - 0.5, -3 - 1.5], [3 - 1.5, 2 - 0.5]] = [[1.5, -4.5], [1.5, 1.5]], then relu
    found = evidence.finer_cam(MAPS, label=0, similar=(1,), alpha=0.5)
    np.testing.assert_array_equal(found, [[1.5, 0], [1.5, 1.5]])


def test_finer_cam_averages_over_several_labels():
    # E_2 = 3 everywhere: the mean of E_1 and E_2 is [[2, 3], [3, 2]]; E_0 minus all of it is [[0, -6], [0, 0]].
    three = np.concatenate([MAPS, np.full((2, 2, 1), 3, np.float32)], axis=-1)
    np.testing.assert_array_equal(evidence.finer_cam(three, label=0, similar=(1, 2), alpha=1.0), np.zeros((2, 2)))
    np.testing.assert_array_equal(evidence.finer_cam(three, label=2, similar=(0,), alpha=1.0), [[1, 6], [0, 1]])


@pytest.mark.parametrize("similar", [(), (0,), (1, 0)])
def test_finer_cam_needs_another_label_to_compare_with(similar: tuple[int, ...]):
    with pytest.raises(errors.BadRequest, match="two labels or more"):
        evidence.finer_cam(MAPS, label=0, similar=similar)


def test_nearest_labels_are_those_with_the_nearest_logits():
    # distances to logit 1.0: 0.2 (label 2), 3 (label 0), 4 (label 3)
    values = np.array([4.0, 1.0, 0.8, -3.0])
    assert evidence.nearest_labels(values, 1, count=2) == (2, 0)
    assert evidence.nearest_labels(values, 1, count=9) == (2, 0, 3)


@pytest.mark.slow
def test_the_graph_gives_the_same_evidence():
    import tensorflow as tf

    found = evidence.tf_evidence(tf.constant(FEATURES[None]), tf.constant(KERNEL))
    np.testing.assert_array_equal(found.numpy(), MAPS[None])
