"""A model's reference set: which pictures were found, missed or wrongly found, and the curves they make. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from dashboard.i18n import n_
from zoo.cards import ModelCard
from zoo.imaging.overlay import heatmap
from zoo.reference_set import ReferenceSet

FloatArray = npt.NDArray[np.floating]
BINS, FEWEST = 10, 15  # of the reliability curve, and pictures in a bin


class Kind(Enum):
    """How an answer stands to the truth."""

    FOUND = n_("Found")
    MISSED = n_("Missed")
    FALSE_ALARM = n_("False alarm")
    CLEAR = n_("Rightly clear")

    @property
    def wrong(self) -> bool:
        """Whether the model was mistaken."""
        return self in (Kind.MISSED, Kind.FALSE_ALARM)


def of_kind(reference: ReferenceSet, card: ModelCard, label: str, kind: Kind) -> npt.NDArray[np.intp]:
    """The places of a label's pictures of one kind: mistakes with the worst first, what was right in their order.

    Empty where the label has no operating point.
    """
    column = card.label_index(label)
    point = card.labels[column].operating_point
    if point is None:
        return np.zeros(0, np.intp)
    truth, probability = reference.truth[:, column], reference.probability[:, column]
    holds = truth == (1 if kind in (Kind.FOUND, Kind.MISSED) else 0)
    called = (probability >= point.threshold) == (kind in (Kind.FOUND, Kind.FALSE_ALARM))
    places = np.flatnonzero(holds & called)
    if not kind.wrong:
        return places
    return places[np.argsort(probability[places] * (1 if kind is Kind.MISSED else -1), kind="stable")]


def evenly(places: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """At most so many of them, evenly taken, so that nothing is picked to please."""
    if len(places) <= most:
        return places
    return places[np.unique(np.linspace(0, len(places) - 1, most).round().astype(int))]


def full_strength(reference: ReferenceSet, column: int) -> float:
    """The strength that all maps of a label are drawn against, so that weak evidence looks weak: the 99th percentile
    of the pictures' strongest evidence; 1 where there is none.
    """
    strongest = reference.evidence[..., column].astype(np.float32).max(axis=(1, 2))
    return float(np.percentile(np.maximum(strongest, 0), 99)) or 1.0


def heat(reference: ReferenceSet, place: int, column: int, full: float) -> npt.NDArray[np.float32]:
    """One picture's map for a label, [h, w] in [0, 1]; 1 is `full` and more."""
    shape, strength = heatmap(reference.evidence[place, :, :, column].astype(np.float32))
    return np.asarray(shape * min(1.0, strength / full), np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Curve:
    """Points of a curve, both in [0, 1], from left to right."""

    x: FloatArray
    y: FloatArray


def _known(reference: ReferenceSet, column: int) -> tuple[npt.NDArray[np.bool_], FloatArray]:
    known = reference.truth[:, column] >= 0
    return reference.truth[known, column] == 1, reference.probability[known, column]


def _counts(truth: npt.NDArray[np.bool_], probability: FloatArray) -> tuple[FloatArray, FloatArray]:
    """True and false positives at each threshold from high to low, equal probabilities together."""
    order = np.argsort(-probability, kind="stable")
    last = np.flatnonzero(np.append(np.diff(probability[order]) != 0, True))
    return np.cumsum(truth[order])[last].astype(float), np.cumsum(~truth[order])[last].astype(float)


def roc(reference: ReferenceSet, column: int) -> Curve | None:
    """1 - specificity against sensitivity (Fawcett 2006, https://doi.org/10.1016/j.patrec.2005.10.010, algorithm 1);
    None where the label is always or never there.
    """
    truth, probability = _known(reference, column)
    if truth.all() or not truth.any():
        return None
    found, alarms = _counts(truth, probability)
    return Curve(x=np.append(0, alarms / (~truth).sum()), y=np.append(0, found / truth.sum()))


def precision_recall(reference: ReferenceSet, column: int) -> Curve | None:
    """Sensitivity against the share of alarms that are right; None as for `roc`."""
    truth, probability = _known(reference, column)
    if truth.all() or not truth.any():
        return None
    found, alarms = _counts(truth, probability)
    some = found > 0
    return Curve(x=found[some] / truth.sum(), y=(found / (found + alarms))[some])


def reliability(reference: ReferenceSet, column: int) -> Curve:
    """Mean probability against the share that has the label, in at most ten bins of as many pictures each, at least
    `FEWEST` (Nguyen and O'Connor 2015, https://aclanthology.org/D15-1182, section 3.2).
    """
    truth, probability = _known(reference, column)
    order = np.argsort(probability, kind="stable")
    bins = [b for b in np.array_split(order, min(BINS, max(1, len(order) // FEWEST))) if len(b)]
    return Curve(x=np.array([probability[b].mean() for b in bins]), y=np.array([truth[b].mean() for b in bins]))
