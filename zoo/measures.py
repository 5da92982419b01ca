"""Measured numbers as a card holds them, beside those of each label. Records as in `zoo.cards`, which imports them."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict

_Z95 = 1.959963984540054  # 97.5 % point of the normal distribution


class Record(BaseModel):
    """A part of a card: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Interval(Record):
    """A measured number and its 95 % interval.

    Attributes:
        value: the estimate; None where it is undefined (no positive image, say).
        low: lower end of the interval.
        high: upper end of the interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


def wilson(share: float, trials: int) -> tuple[float, float]:
    """The 95 % score interval of a share, in [0, 1], of `trials` independent trials, at least one.

    ::

        (p + z^2 / 2n  +-  z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n)

    Source: Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953; Brown, Cai and DasGupta 2001,
        Statistical Science 16:101, eq. 4.
    """
    squared = _Z95**2 / trials
    centre = (share + squared / 2) / (1 + squared)
    half = _Z95 / (1 + squared) * math.sqrt(share * (1 - share) / trials + squared / (4 * trials))
    return max(0.0, centre - half), min(1.0, centre + half)


class Baseline(Record):
    """What the same answer for every image would score: the floor of any accuracy.

    Attributes:
        answer: that answer, in words.
        accuracy: its accuracy on the same images, counted as the model's own.
        label_accuracy: multi-label only: its share of right answers, mean over the labels.
    """

    answer: str
    accuracy: float
    label_accuracy: float | None = None


class Subgroup(Record):
    """The test images of one kind of patient or picture.

    Attributes:
        by: what they are told apart by: a column of the manifest.
        value: the column's value, or its band.
        images, patients: how many of them.
        accuracy: as the whole test split's.
        macro_auroc: mean over the labels that occur and are absent here.
        auroc: label -> its AUROC here.
        sensitivity, specificity: label -> at the operating point, here.
    """

    by: str
    value: str
    images: int
    patients: int
    accuracy: Interval
    macro_auroc: Interval
    auroc: dict[str, Interval] = {}
    sensitivity: dict[str, Interval] = {}
    specificity: dict[str, Interval] = {}
