"""What is explained: a finished run or a bundle, opened the same way."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from training.evaluate import previous
from training.runs import Run
from zoo import errors
from zoo.bundles import EXTRA, Bundle, Registry, sha256_of
from zoo.calibration import calibrated
from zoo.cards import Calibration, InputSpec, OperatingPoint
from zoo.models import classifier
from zoo.tasks import Kind, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A network with all that is needed to explain it.

    Attributes:
        name: the model's.
        path: the run folder, or the bundle's.
        task: the question.
        spec: what the network takes.
        model: float32 pixels in [0, 255] to logits.
        digest: SHA-256 of the Keras file it came from.
        calibration: none for a run that was not evaluated.
        points: the operating point of each label, where there is one.
        run: the run, where it is one.
    """

    name: str
    path: Path
    task: Task
    spec: InputSpec
    model: keras.Model
    digest: str
    calibration: Calibration
    points: tuple[OperatingPoint | None, ...]
    run: Run | None = None

    @property
    def kind(self) -> Kind:
        """How the labels relate."""
        return self.task.kind

    def probability(self, logits: npt.NDArray[np.float32]) -> npt.NDArray[np.floating]:
        """Calibrated probabilities of logits [..., L]."""
        return calibrated(logits, self)

    def label(self, name: str) -> int:
        """Where a label stands in the outputs.

        Raises:
            BadRequest: there is none of that name.
        """
        try:
            return self.task.labels.index(name)
        except ValueError:
            raise errors.BadRequest(
                f"{self.name} has no label {name!r}. It has: {', '.join(self.task.labels)}."
            ) from None


def load(path: Path) -> Subject:
    """Opens a run folder, a bundle (`<registry>/<model>/<version>`) or the newest version of a model's folder.

    Raises:
        BadRun: it is none of these, or a run that is not finished.
        BadBundle: a damaged bundle.
    """
    if (path / EXTRA / "card.json").is_file():
        return _of_bundle(Bundle(path.resolve()))
    if versions := Registry(path.resolve().parent).versions(path.resolve().name):
        return _of_bundle(Bundle(path.resolve() / str(versions[-1])))
    return _of_run(Run(path))


def _of_run(run: Run) -> Subject:
    measured = previous(run) if run.is_finished else None
    labels = run.task.labels
    return Subject(
        name=run.config.name,
        path=run.path,
        task=run.task,
        spec=run.spec,
        model=run.model(),
        digest=sha256_of(run.path / "model.keras"),
        calibration=measured.calibration if measured else Calibration(),
        points=tuple(label.operating_point for label in measured.labels) if measured else (None,) * len(labels),
        run=run,
    )


def _of_bundle(bundle: Bundle) -> Subject:
    bundle.verify()
    card = bundle.card
    return Subject(
        name=f"{card.name} version {card.version}",
        path=bundle.path,
        task=Task(
            name=card.task,
            question=card.question,
            labels=card.label_names,
            kind=card.kind,
            channels=card.input.channels,
            negative=card.negative,
        ),
        spec=card.input,
        model=classifier.load(bundle.keras_path),
        digest=sha256_of(bundle.keras_path),
        calibration=card.calibration,
        points=tuple(label.operating_point for label in card.labels),
    )
