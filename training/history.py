"""What is said and written after every epoch: a line on the screen, `history.csv`, TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from rich.progress import Progress

from training.config import RunConfig
from training.losses import score_name
from training.resume import Snapshot
from training.runs import Run
from zoo import disk


def teller(run: Run, config: RunConfig, progress: Progress) -> Callable[[Snapshot], None]:
    """What to call after every epoch."""
    name = score_name(config.resolve_task().kind)

    def told(snapshot: Snapshot) -> None:
        record = snapshot.history[-1]
        write(run, snapshot.history)
        place = f"Stage {record['stage']:.0f}, epoch {record['epoch']:.0f}: "
        if np.isnan(record["val_score"]):
            progress.console.print(place + _lost(record, config))
            return
        for key in ("loss", "val_loss", "val_score", "learning_rate"):
            tf.summary.scalar(key, record[key], step=len(snapshot.history))
        progress.console.print(
            f"{place}loss {record['loss']:.4f}, validation loss {record['val_loss']:.4f}, {name} "
            f"{record['val_score']:.4f}{' (best)' if snapshot.stale == 0 else ''}, {record['seconds']:.0f} s"
        )

    return told


def _lost(record: dict[str, float], config: RunConfig) -> str:
    """What is said of an epoch that was undone."""
    stage = config.stage[int(record["stage"]) - 1]
    if stage.schedule == "halve":
        return f"loss {record['loss']:.4f}, undone; going on at half the rate"
    return (
        "the loss is no number any more, so the stage ends with the best weights so far. Set a lower "
        f'peak_learning_rate than {stage.peak_learning_rate:g}, or schedule = "halve".'
    )


def write(run: Run, records: Sequence[dict[str, float]]) -> None:
    """Writes `history.csv` at once or not at all."""
    with disk.whole(run.path / "history.csv") as hidden, hidden.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(records[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(records)
