"""How far what comes now lies from what the model was measured on, period by period. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
import numpy.typing as npt

from serving.client import Decision, StoredAnalysis
from zoo.cards import ModelCard
from zoo.reference import Reference
from zoo.reference_set import ReferenceSet

FloatArray = npt.NDArray[np.floating]

FEWEST = 5  # pictures in a period; of fewer no distribution can be told
LEVEL = 0.05
EPOCH = datetime(2000, 1, 3, tzinfo=timezone.utc)  # a Monday: weeks begin there


@dataclass(frozen=True, kw_only=True)
class Fact:
    """What drift needs to know of one answer.

    Attributes:
        created: when, UTC.
        version: of the model.
        refused: the reason's code; empty where there is an answer.
        cautioned: whether the answer carries a caution: its picture is unusual for the model.
        probabilities: by label; empty where it was refused.
        distance: of its features from the training images, about 1 for one of them; None where unknown.
        said: by label, the last decision on it that is no mere comment; "" for the whole analysis.
    """

    created: datetime
    version: int
    refused: str
    cautioned: bool
    probabilities: dict[str, float]
    distance: float | None
    said: dict[str, Decision]


def facts(stored: Iterable[StoredAnalysis], card: ModelCard) -> list[Fact]:
    """The answers, oldest first, without their maps."""
    found = [
        Fact(
            created=each.created,
            version=each.version,
            refused=each.reason,
            cautioned=each.analysis is not None and each.analysis.caution is not None,
            probabilities={f.label: f.probability for f in each.analysis.findings} if each.analysis else {},
            distance=_distance(each, card),
            said={r.finding: r.decision for r in each.reviews if r.decision is not Decision.COMMENT},
        )
        for each in stored
    ]
    return sorted(found, key=lambda fact: fact.created)


def _known(card: ModelCard) -> Reference | None:
    return card.gate.embedding if card.gate else None


def _distance(stored: StoredAnalysis, card: ModelCard) -> float | None:
    known, answer = _known(card), stored.analysis
    if known is None or answer is None or answer.embedding is None or stored.version != card.version:
        return None
    return float(known.distance(answer.embedding[None])[0])


@dataclass(frozen=True, kw_only=True)
class Period:
    """The answers of one hour, day or week, which begins at `start`."""

    start: datetime
    facts: tuple[Fact, ...]

    def of_version(self, version: int) -> list[Fact]:
        """Those that this version gave."""
        return [fact for fact in self.facts if fact.version == version and not fact.refused]

    @property
    def refused(self) -> int:
        """How many pictures were turned away."""
        return sum(bool(fact.refused) for fact in self.facts)

    @property
    def cautioned(self) -> int:
        """How many answers carry a caution."""
        return sum(fact.cautioned for fact in self.facts)


def periods(every: Sequence[Fact], length: timedelta) -> list[Period]:
    """The facts by period, oldest first; periods without any are left out."""
    parts: dict[datetime, list[Fact]] = {}
    for fact in every:
        parts.setdefault(EPOCH + (fact.created - EPOCH) // length * length, []).append(fact)
    return [Period(start=start, facts=tuple(parts[start])) for start in sorted(parts)]


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How unlike two samples are.

    Attributes:
        distance: the largest difference between their cumulative distributions, 0 to 1.
        limit: what chance alone exceeds once in twenty times.
        pictures: in the newer sample.
    """

    distance: float
    limit: float
    pictures: int


def shift(now: Sequence[float], before: FloatArray) -> Shift | None:
    """Kolmogorov and Smirnov's two-sample statistic, None for fewer than `FEWEST` values::

        D = max_x |F_now(x) - F_before(x)|
        limit = sqrt(-ln(0.05 / 2) / 2) * sqrt((n + m) / (n m))

    Source: Smirnov 1948, https://doi.org/10.1214/aoms/1177730256; the limit is for large samples, and high for small.
    """
    if min(len(now), len(before)) < FEWEST:
        return None
    first, second = np.sort(np.asarray(now, np.float64)), np.sort(np.asarray(before, np.float64))
    places = np.concatenate([first, second])
    shares = [np.searchsorted(sample, places, side="right") / len(sample) for sample in (first, second)]
    n, m = len(first), len(second)
    limit = math.sqrt(-math.log(LEVEL / 2) / 2) * math.sqrt((n + m) / (n * m))
    return Shift(distance=float(np.abs(shares[0] - shares[1]).max()), limit=limit, pictures=n)


def input_shift(period: Period, card: ModelCard, reference: ReferenceSet) -> Shift | None:
    """Of the pictures' distances from the training images, against those of the test split."""
    known = _known(card)
    distances = [fact.distance for fact in period.of_version(card.version) if fact.distance is not None]
    return shift(distances, known.distance(reference.embedding)) if known is not None else None


def answer_shift(period: Period, card: ModelCard, reference: ReferenceSet, label: str) -> Shift | None:
    """Of a label's probabilities, against those of the test split."""
    given = [fact.probabilities[label] for fact in period.of_version(card.version) if label in fact.probabilities]
    return shift(given, reference.probability[:, card.label_index(label)])


def agreement(period: Period, label: str = "") -> dict[Decision, int]:
    """How often people accepted, rejected and corrected; of one label's finding, or of all."""
    said = [decision for fact in period.facts for name, decision in fact.said.items() if label in ("", name)]
    return {decision: said.count(decision) for decision in Decision if decision is not Decision.COMMENT}
