"""Distillation: a small network learns from a large one's soft answers, besides the labels (Hinton et al. 2015)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from keras import ops
from keras.distillation import DistillationLoss, Distiller, LogitsDistillation

from training.config import RunConfig
from training.runs import Run
from zoo import errors
from zoo.bundles import Bundle
from zoo.cards import InputSpec
from zoo.models import classifier


def teacher(config: RunConfig) -> keras.Model | None:
    """The network that the file's `[distill]` names, frozen, or the mean of several; None where it names none.

    The mean is of logits, that is, the geometric mean of the members' answers (Hinton et al. 2015, section 1).

    Raises:
        BadConfig: one is neither a run nor a bundle, or of other labels or another input.
        BadRun, BadBundle: it is one, but unfinished or damaged.
    """
    if config.distill is None:
        return None
    members = [_member(path, config) for path in config.distill.teacher]
    if len(members) == 1:
        return members[0]
    for number, member in enumerate(members, 1):
        member.name = f"teacher_{number}"  # two may have one name, which Keras does not take
    pictures = keras.Input(members[0].input_shape[1:])
    together = keras.Model(pictures, keras.layers.Average()([member(pictures) for member in members]))
    together.trainable = False
    return together


def _member(path: Path, config: RunConfig) -> keras.Model:
    labels, spec, found = _run(path) if (path / "config.json").is_file() else _bundle(path)
    wanted = config.input_spec
    if labels != config.resolve_task().labels:
        raise errors.BadConfig(
            f"The teacher {path} answers {', '.join(labels)}; this run {', '.join(config.resolve_task().labels)}. "
            "They must have the same labels in the same order."
        )
    if (spec.height, spec.width, spec.channels) != (wanted.height, wanted.width, wanted.channels):
        raise errors.BadConfig(
            f"The teacher {path} takes {spec.height} x {spec.width} x {spec.channels}, this run "
            f"{wanted.height} x {wanted.width} x {wanted.channels}. Set image_size = {spec.height}, or take another."
        )
    found.trainable = False
    return found


def _run(path: Path) -> tuple[tuple[str, ...], InputSpec, keras.Model]:
    run = Run(path)
    return run.task.labels, run.spec, run.model()


def _bundle(path: Path) -> tuple[tuple[str, ...], InputSpec, keras.Model]:
    bundle = Bundle(path)
    if not bundle.keras_path.is_file():
        raise errors.BadConfig(
            f"The teacher {path} is neither a run folder nor a bundle (<registry>/<model>/<version>)."
        )
    bundle.verify()
    return bundle.card.label_names, bundle.card.input, classifier.load(bundle.keras_path)


def pair(teacher: keras.Model, student: keras.Model, config: RunConfig) -> keras.Model:
    """Keras' distiller: (1 - share) times the student's own loss plus share times the distance from the teacher."""
    assert config.distill is not None
    soft = soft_answers(config.distill.temperature, exclusive=config.resolve_task().kind.exclusive)
    return Pair(teacher, student, distillation_losses=soft, student_loss_weight=1 - config.distill.share)


def soft_answers(temperature: float, *, exclusive: bool) -> DistillationLoss:
    """The distance of the student's soft answers from the teacher's."""
    if exclusive:
        # Named "kl_divergence", its default, Keras 3.15 takes the divergence of the logits themselves: no softmax.
        return LogitsDistillation(temperature, loss=keras.losses.KLDivergence())
    return BinaryDistillation(temperature)


class Pair(Distiller):
    """Keras' Distiller, that adds the student's penalties (`penalty_l1`, `penalty_l2`), which Keras leaves out."""

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of one batch."""
        return super().compute_loss(x, y, y_pred, sample_weight, training) + sum(self.student.losses)


class BinaryDistillation(DistillationLoss):
    """Soft answers of labels that do not exclude each other: one sigmoid each, where Keras' own has one softmax.

    With T the temperature, q = sigmoid(teacher / T) and p = sigmoid(student / T)::

        T^2 * mean over images and labels of  q log(q / p) + (1 - q) log((1 - q) / (1 - p))

    Args:
        temperature: T.

    Source: Hinton, Vinyals and Dean 2015, section 2, https://arxiv.org/abs/1503.02531; per label, ours.
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def compute_loss(self, teacher_outputs: Any, student_outputs: Any, **_: Any) -> Any:
        """The mean divergence, in nats times T squared; both outputs are logits [B, L]."""
        q, p = teacher_outputs / self.temperature, student_outputs / self.temperature
        yes = ops.sigmoid(q) * (ops.softplus(-p) - ops.softplus(-q))
        no = ops.sigmoid(-q) * (ops.softplus(p) - ops.softplus(q))
        return self.temperature**2 * ops.mean(yes + no)
