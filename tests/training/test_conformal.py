"""The limits hold what they promise, for patients with one image and with many."""

from __future__ import annotations

import numpy as np
import pytest

from training.conformal import limit, prediction_limit


def test_one_image_a_patient_is_split_conformal_prediction_worked_out_by_hand():
    # Nine patients; at 20 % the ceil(0.8 * 10) = 8th smallest score of 1 to 9 is 8.
    scores = np.array([3.0, 9, 1, 7, 5, 2, 8, 6, 4])
    found = limit(scores, list("abcdefghi"), 0.2)
    assert (found.value, found.share) == (8.0, 0.2)


def test_a_patient_with_many_images_counts_once_worked_out_by_hand():
    # Three patients: a has 1 and 2, b has 3, c has 4. At 40 % the weights below must reach 0.6 * 4 = 2.4: 1/2, 1, 2, 3.
    found = limit(np.array([1.0, 2, 3, 4]), ["a", "a", "b", "c"], 0.4)
    assert found.value == 4.0
    # At 50 % they must reach 2: the third score.
    assert limit(np.array([1.0, 2, 3, 4]), ["a", "a", "b", "c"], 0.5).value == 3.0


def test_few_patients_promise_what_they_can_and_say_so():
    found = limit(np.arange(4.0), list("abcd"), 0.01)
    assert found.value == 3.0
    assert found.share == pytest.approx(0.2)


def test_without_scores_there_is_no_limit():
    with pytest.raises(ValueError, match="at least one score"):
        limit(np.zeros(0), [], 0.01)


@pytest.mark.parametrize(("patients", "images", "share"), [(99, 1, 0.01), (60, 1, 0.05), (60, 6, 0.05), (20, 3, 0.01)])
def test_a_new_patients_image_exceeds_the_limit_no_more_often_than_promised(patients, images, share):
    # The distribution is heavy-tailed, and the images of a patient are alike: neither is assumed away.
    rng = np.random.default_rng(0)
    beyond, promised = [], 0.0
    for _ in range(4000):
        levels = rng.standard_t(2, patients + 1)
        scores = levels[:, None] + 0.1 * rng.normal(size=(patients + 1, images))
        found = limit(scores[:-1].ravel(), np.repeat(np.arange(patients), images).astype(str), share)
        beyond.append(scores[-1, 0] > found.value)
        promised = found.share
    assert promised == max(share, 1 / (patients + 1))
    assert np.mean(beyond) <= promised + 3 * np.sqrt(promised * (1 - promised) / 4000)
    assert np.mean(beyond) >= promised / 2  # and the promise is not empty


def test_the_prediction_limit_worked_out_by_hand():
    # Of -1, 0, 1 the mean is 0, s is 1; t of 2 degrees of freedom at 99 % is 6.9646, times the root of 4/3: 8.0420.
    assert prediction_limit(np.array([-1.0, 0.0, 1.0]), 0.01) == pytest.approx(8.0420, abs=1e-3)
