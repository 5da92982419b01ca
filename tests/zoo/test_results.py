"""A probability read at its operating point, and the finding to show first."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.cards import Interval, OperatingPoint
from zoo.results import Finding, Verdict

POINT = OperatingPoint(
    threshold=0.5, not_sure=(0.4, 0.6), chosen_by="hand", sensitivity=Interval(value=1), specificity=Interval(value=1)
)


def finding(evidence: np.ndarray) -> Finding:
    return Finding(label="x", probability=0.5, logit=0, verdict=Verdict.ABSENT, operating_point=None, evidence=evidence)


@pytest.mark.parametrize(
    ("probability", "verdict"),
    [
        (0.39, Verdict.ABSENT),
        (0.4, Verdict.NOT_SURE),
        (0.5, Verdict.NOT_SURE),
        (0.6, Verdict.NOT_SURE),
        (0.61, Verdict.PRESENT),
    ],
)
def test_a_probability_in_the_zone_is_not_sure(probability, verdict):
    assert Verdict.of(probability, POINT) is verdict


def test_without_a_zone_the_threshold_itself_is_present():
    sharp = POINT.model_copy(update={"not_sure": (0.5, 0.5)})
    assert Verdict.of(0.5, sharp) is Verdict.PRESENT
    assert Verdict.of(0.4999, sharp) is Verdict.ABSENT


def test_without_an_operating_point_nothing_is_claimed():
    assert Verdict.of(0.99, None) is Verdict.UNRATED


def test_the_peak_is_the_middle_of_the_hottest_cell():
    # Row 1 of 2, column 3 of 4: x = 3.5 / 4, y = 1.5 / 2.
    evidence = np.zeros((2, 4), np.float32)
    evidence[1, 3] = 1
    assert finding(evidence).peak == (0.875, 0.75)


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [(0, 6, "upper right"), (0, 3, "upper centre"), (3, 3, "centre"), (3, 0, "middle left"), (6, 0, "lower left")],
)
def test_a_place_is_said_as_the_picture_is_seen(row, column, words):
    evidence = np.zeros((7, 7), np.float32)
    evidence[row, column] = 1
    assert finding(evidence).place == words
