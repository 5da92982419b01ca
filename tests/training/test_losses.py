"""The loss and the score, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from training import losses
from zoo import errors
from zoo.tasks import Kind

nan = np.nan


def test_class_weights_by_hand() -> None:
    # Label 0: 1 yes, 3 no of 4: yes 4 / (2 * 1) = 2, no 4 / (2 * 3) = 2/3. Label 1: 1 yes, 1 no known: 1 and 1.
    truth = np.array([[1, 1], [0, nan], [0, 0], [0, nan]])
    np.testing.assert_allclose(losses.class_weights(truth, exclusive=False), [[2 / 3, 1], [2, 1]])
    # Classes 0, 1, 2 have 3, 1, 0 of 4: 4 / (3 * 3), 4 / (3 * 1), and 1 for the one never seen.
    classes = np.array([[1, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]], float)
    np.testing.assert_allclose(losses.class_weights(classes, exclusive=True)[1], [4 / 9, 4 / 3, 1])


@pytest.mark.slow
def test_the_sigmoid_loss_by_hand_leaves_out_what_is_unknown() -> None:
    # Known answers: logit 0 for yes, ln 2; logit ln 3 for no, -ln(1 - 3/4) = ln 4. Mean (ln 2 + ln 4) / 2 = 1.5 ln 2.
    truth, logits = np.array([[1, nan], [nan, 0]], np.float32), np.array([[0, 50], [-50, np.log(3)]], np.float32)
    plain = losses.make_loss(np.ones((2, 2)), exclusive=False)
    assert float(plain(truth, logits)) == pytest.approx(1.5 * np.log(2), abs=1e-5)
    # Weights: yes of label 0 counts 3, no of label 1 counts 2: (3 ln 2 + 2 ln 4) / 2 = 3.5 ln 2.
    weighed = losses.make_loss(np.array([[1, 2], [3, 1]]), exclusive=False)
    assert float(weighed(truth, logits)) == pytest.approx(3.5 * np.log(2), abs=1e-5)


@pytest.mark.slow
def test_the_softmax_loss_by_hand_with_weights_and_smoothing() -> None:
    # Logits ln(2, 1, 1): probabilities 1/2, 1/4, 1/4. Truth class 0 and class 2: ln 2 and ln 4; mean 1.5 ln 2.
    logits = np.log(np.array([[2, 1, 1], [2, 1, 1]], np.float32))
    truth = np.array([[1, 0, 0], [0, 0, 1]], np.float32)
    plain = losses.make_loss(np.ones((2, 3)), exclusive=True)
    assert float(plain(truth, logits)) == pytest.approx(1.5 * np.log(2), abs=1e-5)
    # Class 2 counts 3: (ln 2 + 3 * 2 ln 2) / 2 = 3.5 ln 2.
    weighed = losses.make_loss(np.array([[1, 1, 3], [1, 1, 3]]), exclusive=True)
    assert float(weighed(truth, logits)) == pytest.approx(3.5 * np.log(2), abs=1e-5)
    # Smoothing 0.3 takes 0.2 from class 0, 0.1 to each other: 0.8 ln 2 + 0.2 ln 4 = 1.2 ln 2 for the first picture.
    smoothed = losses.make_loss(np.ones((2, 3)), exclusive=True, smoothing=0.3)
    assert float(smoothed(truth[:1], logits[:1])) == pytest.approx(1.2 * np.log(2), abs=1e-5)


@pytest.mark.slow
def test_large_logits_and_all_unknown_batches_stay_finite() -> None:
    loss = losses.make_loss(np.ones((2, 1)), exclusive=False)
    assert float(loss(np.array([[0]], np.float32), np.array([[500]], np.float32))) == pytest.approx(500)
    assert float(loss(np.array([[nan]], np.float32), np.array([[3]], np.float32))) == 0


def test_the_score_by_hand() -> None:
    # Label 0: positives at 3 and 1, negatives at 2 and 0: 3 of 4 pairs right. Label 1: one known answer, left out.
    logits = np.array([[3.0, 1], [2, 0], [1, 0], [0, 0]])
    truth = np.array([[1, 1], [0, nan], [1, nan], [0, nan]])
    assert losses.score(logits, truth, exclusive=False) == pytest.approx(0.75)


def test_the_score_of_classes_ranks_their_probabilities_and_not_their_logits() -> None:
    # Class 0 has logits 5, 0 and probabilities near 0 and 1: by probability the second picture leads, and it is one.
    logits = np.array([[5.0, 20, 0], [0, -9, -9], [0, -9, 9]])
    truth = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]], float)
    assert losses.score(logits, truth, exclusive=True) == 1


def test_a_score_of_one_answer_is_refused() -> None:
    with pytest.raises(errors.BadManifest, match="None of the 1 labels has both answers among the 2 validation images"):
        losses.score(np.zeros((2, 1)), np.ones((2, 1)), exclusive=False)


def test_the_score_is_called_by_its_name() -> None:
    assert losses.score_name(Kind.BINARY) == "AUROC"
    assert losses.score_name(Kind.MULTILABEL) == "mean AUROC"
    assert losses.score_name(Kind.ORDINAL) == losses.score_name(Kind.MULTICLASS) == "macro one-vs-rest AUROC"
