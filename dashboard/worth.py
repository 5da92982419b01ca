"""What a verdict is worth where the user works: predictive values at a prevalence they state."""

from __future__ import annotations

from dataclasses import dataclass

from zoo.cards import Interval, Label, OperatingPoint

UNKNOWN_PREVALENCE = 0.1


@dataclass(frozen=True, kw_only=True)
class Worth:
    """Predictive values at one prevalence.

    Attributes:
        ppv: of those answered present, the share that have it.
        npv: of those answered absent, the share that do not.
    """

    ppv: Interval
    npv: Interval


def bayes(sensitivity: float, specificity: float, prevalence: float) -> tuple[float | None, float | None]:
    """Positive and negative predictive value; None where nobody would be answered so.

    PPV = se * p / (se * p + (1 - sp) * (1 - p)) and NPV = sp * (1 - p) / (sp * (1 - p) + (1 - se) * p), Bayes' theorem.

    Source: Altman and Bland 1994, BMJ 309:102; as `training.clinical.bayes`.
    """
    found, alarms = sensitivity * prevalence, (1 - specificity) * (1 - prevalence)
    cleared, missed = specificity * (1 - prevalence), (1 - sensitivity) * prevalence
    return _share(found, alarms), _share(cleared, missed)


def _share(part: float, rest: float) -> float | None:
    return part / (part + rest) if part + rest > 0 else None


def worth(point: OperatingPoint, prevalence: float) -> Worth | None:
    """Both values at an operating point, each from the lower ends of the two 95 % intervals to the upper ends.

    Args:
        prevalence: in (0, 1).

    Returns:
        None where sensitivity or specificity was not measured.
    """
    middle = _at(point.sensitivity.value, point.specificity.value, prevalence)
    if middle is None:
        return None
    low = _at(point.sensitivity.low, point.specificity.low, prevalence) or (None, None)
    high = _at(point.sensitivity.high, point.specificity.high, prevalence) or (None, None)
    ppv, npv = (Interval(value=middle[k], low=low[k], high=high[k]) for k in (0, 1))
    return Worth(ppv=ppv, npv=npv)


def _at(
    sensitivity: float | None, specificity: float | None, prevalence: float
) -> tuple[float | None, float | None] | None:
    if sensitivity is None or specificity is None:
        return None
    return bayes(sensitivity, specificity, prevalence)


def own_prevalence(label: Label) -> float:
    """The label's share of the test split; a tenth where nothing was measured."""
    counted = label.metrics
    if counted is None or not counted.positives or not counted.negatives:
        return UNKNOWN_PREVALENCE
    return counted.positives / (counted.positives + counted.negatives)
