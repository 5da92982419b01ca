"""What comes before fine-tuning: the pictures decoded and parted, the seeds set, the probe fitted."""

from __future__ import annotations

import time
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from rich.console import Console

from training import manifest, pipeline, probe, resume, splits
from training.calibrate import negative_log_likelihood
from training.config import RunConfig
from training.losses import fill_uncertain, score_name
from training.manifest import Manifest
from training.resume import Snapshot
from training.stages import Data, answer_weights, predict
from zoo.models import classifier


def read(config: RunConfig) -> tuple[Manifest, str]:
    """The images with an answer, and their fingerprint.

    Raises:
        BadManifest: the table is wrong, or a file cannot be read.
    """
    table = manifest.read(config.manifest, config.resolve_task(), allow_leakage=config.split.allow_leakage)
    images = splits.with_known_labels(table)
    return images, pipeline.fingerprint(images)


def part(config: RunConfig, images: Manifest, key: str, cache: Path, console: Console) -> tuple[Manifest, Data]:
    """Decodes the pictures and parts them.

    Args:
        config: of the run.
        images: of `read`.
        key: likewise.
        cache: the folder of decoded pictures.
        console: where progress and the sizes of the splits are shown.

    Returns:
        The images with their splits, and what training sees of them.
    """
    pixels = pipeline.load(images, config.input_spec, cache, key=key, console=console)
    images = splits.part(images, config.split, pixels)
    sides = np.array(images.splits)
    counts = ", ".join(f"{name} {np.count_nonzero(sides == name)}" for name in splits.SHARES)
    console.print(f"{len(images)} images of {config.resolve_task().name}: {counts}, kept apart by {images.grouped_by}.")
    train, val = np.flatnonzero(sides == "train"), np.flatnonzero(sides == "val")
    return images, Data(pixels=pixels, labels=_answers(images, config, train), train=train, val=val)


def _answers(images: Manifest, config: RunConfig, train: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """The labels, those of the training split that are uncertain by the file's policy."""
    answers = images.labels.copy()
    uncertain = images.uncertain(config.resolve_task().labels)
    answers[train] = fill_uncertain(answers[train], uncertain[train], config.uncertain, seed=config.seed)
    return answers


def seed(config: RunConfig) -> None:
    """Sets every seed, and TensorFlow to the same result twice if the file asks."""
    tf.get_logger().setLevel("ERROR")
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()


def probed(model: keras.Model, data: Data, config: RunConfig, console: Console) -> Snapshot:
    """Stage 1: the head alone, put into the network; its validation score is the floor.

    Returns:
        What the first stage of fine-tuning begins with.
    """
    began, untrained = time.monotonic(), resume.variables(model)
    with console.status("Stage 1, the probe: features of the frozen backbone"):
        heads, losses = _heads(model, data, config)
    head, name = max(heads, key=lambda head: head.score), score_name(config.resolve_task().kind)
    classifier.head(model).set_weights([head.kernel, head.bias])
    console.print(f"Stage 1, the probe: {name} {head.score:.4f} on validation (l2 {head.l2:g}); the floor.")
    best = tuple(model.get_weights())
    if config.weights == "none":
        # That head was made for random features, which are about to change beyond recognition: begin without it.
        resume.restore(model, untrained)
    elif config.stage[0].hand_over == "loss":
        calm = heads[int(np.argmin(losses))]
        classifier.head(model).set_weights([calm.kernel, calm.bias])
        console.print(f"Fine-tuning begins with the head of the least validation loss (l2 {calm.l2:g}).")
    return Snapshot(
        stage=1,
        probe_score=head.score,
        best_score=head.score,
        best_loss=losses[heads.index(head)],
        seconds=time.monotonic() - began,
        best=best,
        weights=resume.variables(model),
    )


def _heads(model: keras.Model, data: Data, config: RunConfig) -> tuple[list[probe.Head], list[float]]:
    """A head for each strength of the penalty, and their validation losses in nats."""
    exclusive, pooled = config.resolve_task().kind.exclusive, classifier.split_head(model)
    train, val = (
        (predict(pooled, data, rows, config.batch_size), data.labels[rows]) for rows in (data.train, data.val)
    )
    stage, weights = config.stage[0], answer_weights(config, data)
    heads = probe.heads(train, val, exclusive=exclusive, weights=weights, strengths=stage.l2, steps=stage.epochs)
    logits = [val[0] @ head.kernel + head.bias for head in heads]
    return heads, [negative_log_likelihood(each, val[1], exclusive=exclusive) for each in logits]
