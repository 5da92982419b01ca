"""What a killed run goes on from: one file, replaced at once after every epoch, so it is always a whole epoch's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from zoo import disk, errors

if TYPE_CHECKING:
    import keras

Arrays = tuple[npt.NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Snapshot:
    """Where a run stands between two epochs.

    Attributes:
        stage: index of the stage under way; the probe is 0.
        epoch: epochs of this stage that are done.
        stale: epochs since the last better score in this stage.
        probe_score: of the probe, on validation.
        best_score: of the best weights so far, on validation.
        best_loss: theirs too; decides between equal scores.
        kept: whether the best weights are the probe's or fine-tuned.
        seconds: spent in training so far.
        history: one record per epoch done.
        best: the best weights, in the order of `model.weights`.
        weights: every variable of the model, those of its random generators included.
        optimizer: every variable of the optimiser; none at the start of a stage.
    """

    stage: int
    epoch: int = 0
    stale: int = 0
    probe_score: float
    best_score: float
    best_loss: float
    kept: str = "probe"
    seconds: float = 0.0
    history: tuple[dict[str, float], ...] = ()
    best: Arrays
    weights: Arrays
    optimizer: Arrays = field(default=())

    def save(self, path: Path) -> None:
        """Writes the file at once or not at all, also through a power cut."""
        words = {name: getattr(self, name) for name in _WORDS}
        arrays = {f"{name}_{i}": array for name in _ARRAYS for i, array in enumerate(getattr(self, name))}
        with disk.whole(path) as hidden, hidden.open("wb") as stream:  # a stream, to which savez appends no .npz
            np.savez(stream, words=np.array(json.dumps(words)), **arrays)

    @classmethod
    def read(cls, path: Path) -> Snapshot | None:
        """What `save` wrote; None where nothing was.

        Raises:
            BadRun: the file is damaged.
        """
        if not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                words = json.loads(str(stored["words"]))
                arrays: dict[str, Any] = {name: _numbered(stored, name) for name in _ARRAYS}
            words["history"] = tuple(words["history"])
            return cls(**words, **arrays)
        except Exception as error:  # zipfile, zlib and numpy each have their own
            raise errors.BadRun(f"{path} is damaged: {error}. Remove the run folder and train again.") from None

    def at(self, stage: int, model: keras.Model) -> Snapshot:
        """The start of a stage, from the model as it is."""
        return replace(self, stage=stage, epoch=0, stale=0, weights=variables(model), optimizer=())


_ARRAYS = ("best", "weights", "optimizer")
_WORDS = tuple(name for name in Snapshot.__dataclass_fields__ if name not in _ARRAYS)


def _numbered(stored: Any, name: str) -> Arrays:
    count = sum(key.startswith(f"{name}_") for key in stored.files)
    return tuple(stored[f"{name}_{index}"] for index in range(count))


def variables(holder: keras.Model | keras.optimizers.Optimizer) -> Arrays:
    """A copy of every variable's value."""
    return tuple(np.array(variable) for variable in holder.variables)


def restore(holder: keras.Model | keras.optimizers.Optimizer, values: Arrays) -> None:
    """Puts the values back."""
    for variable, value in zip(holder.variables, values, strict=True):
        variable.assign(value)
