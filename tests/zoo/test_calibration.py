from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from zoo import calibration, errors
from zoo.cards import Calibration
from zoo.tasks import Kind

LOGITS = np.array([[np.log(3), 0.0], [-np.log(3), 2 * np.log(3)]], np.float32)


NONE = Calibration()


@dataclass(frozen=True)
class Card:
    kind: Kind
    calibration: Calibration = NONE


def temperature(*values: float) -> Calibration:
    return Calibration(method="temperature", temperature=values)


def platt(slope: tuple[float, ...], intercept: tuple[float, ...]) -> Calibration:
    return Calibration(method="platt", slope=slope, intercept=intercept)


CASES = [
    # sigmoid(ln 3) = 3/4, sigmoid(0) = 1/2, sigmoid(2 ln 3) = 9/10
    (Card(Kind.MULTILABEL), [[3 / 4, 1 / 2], [1 / 4, 9 / 10]]),
    # softmax(ln 3, 0) = 3 : 1; softmax(-ln 3, 2 ln 3) = 1/3 : 9 = 1 : 27
    (Card(Kind.MULTICLASS), [[3 / 4, 1 / 4], [1 / 28, 27 / 28]]),
    # one temperature, 1/2: the logits double. 9 : 1, and 1/9 : 81 = 1 : 729
    (Card(Kind.ORDINAL, temperature(0.5)), [[9 / 10, 1 / 10], [1 / 730, 729 / 730]]),
    # temperatures 1/2 and 2: sigmoid(2 ln 3) = 9/10, 1/2; sigmoid(-2 ln 3) = 1/10, sigmoid(ln 3) = 3/4
    (Card(Kind.MULTILABEL, temperature(0.5, 2.0)), [[9 / 10, 1 / 2], [1 / 10, 3 / 4]]),
    # slopes 2 and 1, intercepts 0 and ln 3: 9/10, 3/4; 1/10, sigmoid(3 ln 3) = 27/28
    (Card(Kind.MULTILABEL, platt((2.0, 1.0), (0.0, float(np.log(3))))), [[9 / 10, 3 / 4], [1 / 10, 27 / 28]]),
]


@pytest.mark.parametrize(("card", "wanted"), CASES)
def test_probabilities_worked_out_by_hand(card: Card, wanted: list[list[float]]):
    np.testing.assert_allclose(calibration.calibrated(LOGITS, card), wanted, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("card", [card for card, _ in CASES])
def test_the_graph_has_the_same_formula(card: Card):
    import tensorflow as tf

    found = calibration.tf_calibrated(tf.constant(LOGITS), card)
    np.testing.assert_allclose(found, calibration.calibrated(LOGITS, card), rtol=1e-5)


def test_large_logits_do_not_overflow():
    huge = np.array([[500.0, -500.0]], np.float32)
    for kind in (Kind.MULTILABEL, Kind.MULTICLASS):
        np.testing.assert_allclose(calibration.calibrated(huge, Card(kind)), [[1, 0]], atol=1e-30)


@pytest.mark.parametrize(
    ("card", "fault"),
    [
        (Card(Kind.MULTILABEL, temperature(1.0)), "1 values of temperature, expected 2"),
        (Card(Kind.MULTICLASS, temperature(1.0, 1.0)), "2 values of temperature, expected 1"),
        (Card(Kind.MULTICLASS, temperature(0.0)), "above 0"),
        (Card(Kind.MULTILABEL, platt((1.0, 1.0), (0.0,))), "1 values of intercept, expected 2"),
        (Card(Kind.MULTICLASS, platt((1.0, 1.0), (0.0, 0.0))), "must add up to one"),
    ],
)
def test_an_impossible_calibration_is_refused(card: Card, fault: str):
    with pytest.raises(errors.BadConfig, match=fault):
        calibration.calibrated(LOGITS, card)
