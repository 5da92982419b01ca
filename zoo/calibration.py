"""Logits to calibrated probabilities: one formula, for NumPy and for the graph that is served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.cards import Calibration
from zoo.tasks import Kind

if TYPE_CHECKING:
    import tensorflow as tf

Floats = npt.NDArray[np.floating]


class Calibrated(Protocol):
    """What says how logits become probabilities: a `ModelCard`, or any record with these two."""

    @property
    def kind(self) -> Kind: ...

    @property
    def calibration(self) -> Calibration: ...


def calibrated(logits: Floats, card: Calibrated) -> Floats:
    """The probabilities: softmax for exclusive kinds, else one sigmoid per label, of the calibrated logits.

    ::

        none         probability = f(logit)
        temperature  probability = f(logit / T)             one T for a softmax, one per label for sigmoids
        platt        probability = sigmoid(a * logit + b)   per label

    Args:
        logits: [..., L].
        card: whose `kind` and `calibration` decide.

    Returns:
        The same shape, in [0, 1]; for exclusive kinds the last axis adds up to one.

    Raises:
        BadConfig: the calibration has the wrong number of values, a temperature that is not positive, or is
            Platt's for an exclusive kind, whose probabilities would not add up.

    Source: Guo et al. 2017, section 4.2, https://arxiv.org/abs/1706.04599 (temperature); Platt 1999, eq. 1.
    """
    slope, intercept = _line(card, logits.shape[-1])
    values = logits * slope + intercept
    if card.kind.exclusive:
        powers = np.exp(values - values.max(axis=-1, keepdims=True))
        return powers / powers.sum(axis=-1, keepdims=True)
    return 0.5 * (1 + np.tanh(0.5 * values))  # the sigmoid, without overflow


def tf_calibrated(logits: tf.Tensor, card: Calibrated) -> tf.Tensor:
    """`calibrated` in a TensorFlow graph, for float32 logits [B, L]."""
    import tensorflow as tf

    slope, intercept = _line(card, logits.shape[-1])
    values = logits * tf.constant(slope) + tf.constant(intercept)
    return tf.nn.softmax(values) if card.kind.exclusive else tf.sigmoid(values)


def _line(card: Calibrated, labels: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Slope and intercept, float32 [L] or [1]: every method here is a straight line before the sigmoid or softmax."""
    found = card.calibration
    if found.method == "none":
        return np.ones(1, np.float32), np.zeros(1, np.float32)
    if found.method == "temperature":
        temperature = _values(found.temperature, 1 if card.kind.exclusive else labels, "temperature")
        if not (temperature > 0).all():
            raise errors.BadConfig(f"Temperatures must be above 0, got {found.temperature}. Calibrate again.")
        return (1 / temperature).astype(np.float32), np.zeros(1, np.float32)
    if card.kind.exclusive:
        raise errors.BadConfig(
            f"Platt's calibration is for one sigmoid per label, and this task is {card.kind.value}: its "
            "probabilities must add up to one. Take the temperature method."
        )
    return _values(found.slope, labels, "slope"), _values(found.intercept, labels, "intercept")


def _values(given: tuple[float, ...], count: int, name: str) -> npt.NDArray[np.float32]:
    if len(given) != count:
        raise errors.BadConfig(f"The calibration has {len(given)} values of {name}, expected {count}. Calibrate again.")
    return np.asarray(given, np.float32)
