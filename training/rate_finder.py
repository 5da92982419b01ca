"""The learning-rate finder: the rate rises step by step from far too low to far too high, and the loss is watched."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import Progress

from training import depth, figures, initial, optimizers, preparation
from training.callbacks import Bar
from training.config import RunConfig, Stage
from training.stages import Data, loss_of, varied
from zoo import disk, errors

if TYPE_CHECKING:
    from keras import KerasTensor

LOWEST, HIGHEST = 1e-7, 1.0
_MEMORY = 0.9  # of the running mean of the loss, by step
_FORMED = 10  # steps, 1 / (1 - _MEMORY), before which it is the luck of a few batches
_LOST = 4.0  # times the least: the loss will not come back


@dataclass(frozen=True, eq=False)
class Sweep:
    """One rise of the learning rate.

    Attributes:
        rates: [S], the rate of each step.
        losses: [S], the loss of each batch, in the loss's own unit.
        smooth: [S], its running mean.
        steepest: the rate at which that fell fastest, by step of the rate's logarithm.
        lowest: the rate at which it was least.
    """

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    smooth: npt.NDArray[np.float64]
    steepest: float
    lowest: float

    @property
    def suggested(self) -> float:
        """A peak learning rate: the steepest point, but at most a tenth of where the loss is least."""
        return min(self.steepest, self.lowest / 10)


def find(config: RunConfig, *, stage: int, steps: int, cache: Path, console: Console) -> Sweep:
    """Fits the probe, then raises the rate of one stage from LOWEST to HIGHEST, evenly in its logarithm.

    Seeded: the same file gives the same sweep. Nothing but the store of decoded pictures is written.

    Args:
        config: the training file.
        stage: which of its stages, from 2; the probe has no learning rate.
        steps: batches of the sweep.
        cache: the folder of decoded pictures.
        console: shows progress.

    Raises:
        BadConfig: there is no such stage.

    Source: Smith 2017, section 3.3, https://arxiv.org/abs/1506.01186; the exponential rise, the running mean and the
        choice of the rate are common practice since.
    """
    if not 2 <= stage <= len(config.stage):
        raise errors.BadConfig(
            f"There is no stage {stage} to find a rate for: the first is the probe, and this file's last is "
            f"{len(config.stage)}. Add a [[stage]] with unfreeze_from, or give --stage."
        )
    images, key = preparation.read(config)
    _, data = preparation.part(config, images, key, cache, console)
    preparation.seed(config)
    model = initial.build(config)
    preparation.probed(model, data, config, console)
    return sweep(model, data, config, config.stage[stage - 1], steps=steps, console=console)


def sweep(model: keras.Model, data: Data, config: RunConfig, stage: Stage, *, steps: int, console: Console) -> Sweep:
    """Raises the rate of `model`, which is of no use afterwards; see `find`."""
    plain = stage.model_copy(update={"ema_epochs": 0.0, "thaw_epochs": 0.0, "accumulate": 1})
    depth.unfreeze(model, plain, from_scratch=config.weights == "none")
    rate = Rise(LOWEST, HIGHEST, steps)
    model.compile(optimizers.make(plain, rate, model, steps), loss_of(config, data), jit_compile=False)
    epochs = math.ceil(steps * config.batch_size / len(data.train)) + 1
    batches = functools.reduce(tf.data.Dataset.concatenate, [varied(data, config, epoch) for epoch in range(epochs)])
    watched = _Losses()
    with Progress(console=console, transient=True) as progress:
        bar = Bar(progress, progress.add_task("Raising the rate", total=steps), "Raising the rate")
        model.fit(batches.take(steps), verbose=0, shuffle=False, callbacks=[watched, bar])
    losses = np.array(watched.losses)
    return measured(np.array([float(rate(step)) for step in range(len(losses))]), losses)


def measured(rates: npt.NDArray[np.float64], losses: npt.NDArray[np.float64]) -> Sweep:
    """Reads a sweep.

    Raises:
        BadConfig: the loss was lost at once.
    """
    sound = np.isfinite(losses)
    count = len(losses) if sound.all() else int(sound.argmin())
    if count < _FORMED + 2:
        raise errors.BadConfig(
            f"The loss was lost at step {count + 1}. Look at the images and labels with `kerascope data check`."
        )
    rates, losses = rates[:count], losses[:count]
    smooth = _running_mean(losses)
    lowest = _FORMED + int(smooth[_FORMED:].argmin())
    slope = np.gradient(smooth, np.log10(rates))
    steepest = _FORMED + int(slope[_FORMED : max(lowest, _FORMED + 1)].argmin())
    return Sweep(rates, losses, smooth, steepest=float(rates[steepest]), lowest=float(rates[lowest]))


def _running_mean(losses: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """m_n = a m_(n-1) + (1 - a) l_n, divided by 1 - a^n so that its beginning is not zero's."""
    mean, found = 0.0, []
    for number, loss in enumerate(losses, start=1):
        mean = _MEMORY * mean + (1 - _MEMORY) * float(loss)
        found.append(mean / (1 - _MEMORY**number))
    return np.array(found)


class Rise(LearningRateSchedule):
    """From one rate to another in so many steps, evenly in the logarithm."""

    def __init__(self, low: float, high: float, steps: int) -> None:
        self._low, self._high, self._steps = low, high, steps

    def __call__(self, step: KerasTensor) -> KerasTensor:
        """The rate at a step, counted from 0."""
        share = ops.cast(step, "float32") / max(self._steps - 1, 1)
        return self._low * ops.power(self._high / self._low, share)

    def get_config(self) -> dict[str, float]:
        """What it was made of."""
        return {"low": self._low, "high": self._high, "steps": self._steps}


class _Losses(keras.callbacks.Callback):
    """Keeps each batch's own loss and stops when it is lost."""

    def __init__(self) -> None:
        super().__init__()
        self.losses: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.model.reset_metrics()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.losses.append(float((logs or {})["loss"]))
        smooth = _running_mean(np.array(self.losses))[min(_FORMED, len(self.losses) - 1) :]
        if not np.isfinite(self.losses[-1]) or smooth[-1] > _LOST * smooth.min():
            self.model.stop_training = True


@figures.styled
def plot(sweep: Sweep) -> figures.Plot:
    """The loss by rate, with the rate suggested."""
    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_subplot()
    axes.plot(sweep.rates, sweep.losses, color=figures.FAINT, linewidth=1, label="each batch")
    axes.plot(sweep.rates, sweep.smooth, **figures.line(0), label="running mean")
    axes.axvline(sweep.suggested, **figures.line(1), label=f"suggested: {sweep.suggested:.1e}")
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss", ylim=(0, 2 * sweep.smooth[0]))
    figures.legend(axes, "upper left")
    note = "Too small on the left, where nothing is learned; too large on the right, where the loss is lost."
    return figures.finish(figure, "learning-rate", "Learning-rate finder", note)


def save(plot: figures.Plot, path: Path) -> None:
    """Writes the PNG at once or not at all."""
    with disk.whole(path) as hidden:
        hidden.write_bytes(plot.png)
