"""One stage of fine-tuning: which layers learn, how fast, when to stop; every epoch can be the last."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
from rich.progress import Progress, TaskID

from training import pipeline, resume
from training.augment import Augmenter
from training.calibrate import negative_log_likelihood
from training.config import RunConfig, Stage
from training.losses import FloatArray, class_weights, make_loss, score
from training.resume import Snapshot
from zoo import errors
from zoo.models import classifier

# Moving statistics of a batch normalisation that starts from random weights must settle within one run;
# MobileNetV2's own 0.999 needs thousands of steps.
_MOMENTUM = 0.9


@dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Pictures and truth of the two splits that training sees.

    Attributes:
        pixels: uint8 [N, H, W, C] of all splits.
        labels: float32 [N, L], likewise.
        train: rows of the training split.
        val: rows of the validation split.
    """

    pixels: pipeline.Pixels
    labels: npt.NDArray[np.float32]
    train: npt.NDArray[np.intp]
    val: npt.NDArray[np.intp]


def answer_weights(config: RunConfig, data: Data) -> FloatArray:
    """How much each label's no and yes weigh: float64 [2, L], ones unless the file asks for `class_weights`."""
    truth = data.labels[data.train]
    if not config.class_weights:
        return np.ones((2, truth.shape[1]))
    return class_weights(truth, exclusive=config.resolve_task().kind.exclusive)


def unfreeze(model: keras.Model, stage: Stage, *, from_scratch: bool) -> None:
    """Sets which layers learn; everything else, and batch normalisation in inference mode, is frozen.

    Keras runs a frozen batch normalisation on its moving statistics, so freezing is what "inference mode" means.

    Raises:
        BadConfig: `unfreeze_from` names no layer of the backbone.
    """
    layers = classifier.backbone_layers(model)
    first = _first(stage.unfreeze_from, [layer.name for layer in layers])
    learns = stage.batch_norm == "train" or (stage.batch_norm == "auto" and from_scratch)
    for index, layer in enumerate(layers):
        normalises = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = index >= first and (learns or not normalises)
        if normalises and from_scratch:
            layer.momentum = min(layer.momentum, _MOMENTUM)
    classifier.head(model).trainable = True


def _first(wanted: str | float | None, names: list[str]) -> int:
    if wanted is None:
        return len(names)
    if wanted == "all":
        return 0
    if isinstance(wanted, float):
        return round((1 - wanted) * len(names))
    if wanted not in names:
        near = difflib.get_close_matches(wanted, names, n=4, cutoff=0.3) or names[-4:]
        raise errors.BadConfig(
            f'unfreeze_from = "{wanted}" is no layer of this backbone. Near it: {", ".join(near)}. It may also be '
            '"all" or a share such as 0.3, the last three tenths of the layers.'
        )
    return names.index(wanted)


def make_optimizer(stage: Stage, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Adam or AdamW whose learning rate warms up evenly and falls to zero along a cosine."""
    assert stage.peak_learning_rate is not None
    warmup = round(stage.warmup_epochs * steps_per_epoch)
    rate = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if warmup else stage.peak_learning_rate,
        decay_steps=max(stage.epochs * steps_per_epoch - warmup, 1),
        warmup_target=stage.peak_learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    if stage.optimizer == "adamw":
        return keras.optimizers.AdamW(rate, weight_decay=stage.weight_decay, global_clipnorm=1.0)
    return keras.optimizers.Adam(rate, global_clipnorm=1.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class StageRun:
    """One stage under way.

    Attributes:
        model: the network, its weights those of the snapshot it is run from.
        data: what it learns from.
        config: the whole run's.
        number: of the stage, from 0; the probe is 0.
        state: the file of the snapshot.
        told: called after every epoch.
        progress: where the epoch's bar is drawn.
    """

    model: keras.Model
    data: Data
    config: RunConfig
    number: int
    state: Path
    told: Callable[[Snapshot], None]
    progress: Progress

    @property
    def stage(self) -> Stage:
        """This stage's part of the file."""
        return self.config.stage[self.number]

    def run(self, snapshot: Snapshot) -> Snapshot:
        """Trains until the epochs are done or validation has not improved for `patience` of them."""
        self._prepare(snapshot)
        while snapshot.epoch < self.stage.epochs and snapshot.stale < self.stage.patience:
            snapshot = self._epoch(snapshot)
            snapshot.save(self.state)
            self.told(snapshot)
        return snapshot

    def _prepare(self, snapshot: Snapshot) -> None:
        task = self.config.resolve_task()
        unfreeze(self.model, self.stage, from_scratch=self.config.weights == "none")
        weights = answer_weights(self.config, self.data)
        loss = make_loss(weights, exclusive=task.kind.exclusive, smoothing=self.config.label_smoothing)
        optimizer = make_optimizer(self.stage, -(-len(self.data.train) // self.config.batch_size))
        # XLA compiles for minutes on a CPU and gains nothing there on networks of this kind.
        self.model.compile(optimizer, loss, jit_compile=False)
        optimizer.build(self.model.trainable_variables)
        resume.restore(self.model, snapshot.weights)
        if snapshot.optimizer:
            resume.restore(optimizer, snapshot.optimizer)

    def _epoch(self, snapshot: Snapshot) -> Snapshot:
        began, number = time.monotonic(), len(snapshot.history)
        loss = self._train(snapshot.epoch, number)
        logits, truth = predict(self.model, self.data, self.data.val, self.config.batch_size), self._truth()
        exclusive = self.config.resolve_task().kind.exclusive
        val_loss, val_score = (
            negative_log_likelihood(logits, truth, exclusive=exclusive),
            score(logits, truth, exclusive=exclusive),
        )
        better = (val_score, -val_loss) > (snapshot.best_score, -snapshot.best_loss)
        seconds = time.monotonic() - began
        record = {
            "stage": self.number + 1,
            "epoch": snapshot.epoch + 1,
            "loss": loss,
            "val_loss": val_loss,
            "val_score": val_score,
            "learning_rate": float(self.model.optimizer.learning_rate),
            "seconds": round(seconds, 2),
        }
        after = replace(
            snapshot,
            epoch=snapshot.epoch + 1,
            stale=0 if better else snapshot.stale + 1,
            seconds=snapshot.seconds + seconds,
            history=(*snapshot.history, record),
            weights=resume.variables(self.model),
            optimizer=resume.variables(self.model.optimizer),
        )
        if not better:
            return after
        best = tuple(self.model.get_weights())
        return replace(after, best=best, best_score=val_score, best_loss=val_loss, kept="finetuned")

    def _train(self, epoch: int, number: int) -> float:
        """One pass over the training images; the order and the variations depend on seed and epoch number alone."""
        config, rows = self.config, self.data.train
        shuffled = rows[pipeline.order(len(rows), seed=config.seed, epoch=number)]
        batches = pipeline.batches(self.data.pixels, self.data.labels, shuffled, config.batch_size)
        varied = Augmenter.for_task(config.augment, config.resolve_task()).apply(
            batches, seed=config.seed, epoch=number
        )
        title = f"Stage {self.number + 1}, epoch {epoch + 1} of at most {self.stage.epochs}"
        bar = self.progress.add_task(title, total=-(-len(rows) // config.batch_size))
        try:
            done = self.model.fit(
                varied.prefetch(2), verbose=0, shuffle=False, callbacks=[_Bar(self.progress, bar, title)]
            )
        finally:
            self.progress.remove_task(bar)
        return float(done.history["loss"][0])

    def _truth(self) -> npt.NDArray[np.float32]:
        return self.data.labels[self.data.val]


class _Bar(keras.callbacks.Callback):
    """Moves the bar with every batch and shows the loss so far."""

    def __init__(self, progress: Progress, bar: TaskID, title: str) -> None:
        super().__init__()
        self._progress, self._bar, self._title = progress, bar, title

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        loss = f", loss {float(logs['loss']):.3f}" if logs else ""
        self._progress.update(self._bar, completed=batch + 1, description=self._title + loss)


def predict(model: keras.Model, data: Data, rows: npt.NDArray[np.intp], batch_size: int) -> npt.NDArray[np.float32]:
    """What the network says of these images: float32 [rows, outputs]."""
    batches = pipeline.batches(data.pixels, data.labels, rows, batch_size)
    found: npt.NDArray[np.float32] = model.predict(batches.map(lambda pictures, labels: pictures), verbose=0)
    return found
