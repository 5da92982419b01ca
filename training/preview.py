"""A sheet of what the network will see in training: each picture as it is, then varied as the training file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from training import manifest, splits
from training.augment import Augmenter
from training.config import Augment, RunConfig
from zoo import disk, errors
from zoo.cards import RESEARCH_USE_ONLY
from zoo.imaging.image import read_file
from zoo.imaging.preprocess import preprocess
from zoo.tasks import Task

FloatArray = npt.NDArray[np.float32]
_OFF = {
    "rotation": 0,
    "shift": 0,
    "zoom": 0,
    "brightness": 0,
    "contrast": 0,
    "gamma": 1,
    "noise": 0,
    "colour_space": "none",
    "policy": "none",
}


@dataclass(frozen=True)
class Sheet:
    """Pictures and how they were varied.

    Attributes:
        pictures: float32 [R, K, H, W, C] in [0, 255]; the first of each row is as it is.
        labels: float32 [R, K, L].
        title: what was done.
    """

    pictures: FloatArray
    labels: FloatArray
    title: str


def preview(config: RunConfig, out: Path, *, rows: int = 4, columns: int = 7) -> Path:
    """Draws the sheet as PNG.

    The pictures are among the first of the manifest and differ in their labels as far as they can; none is of the test
    split where the manifest names one.

    Args:
        config: the training file.
        out: where to.
        rows: pictures.
        columns: how often each is shown, the first time unvaried.

    Raises:
        BadManifest: the manifest cannot be read.
        BadConfig: `out` cannot be written.
    """
    task = config.resolve_task()
    images = manifest.read(config.manifest, task, allow_leakage=True)
    images = splits.with_known_labels(images)
    places = [place for place, side in enumerate(images.splits) if side in (None, "train")]
    images = images.take(_different(images.labels[places], places, rows))
    pictures = np.stack([preprocess(read_file(file), config.input_spec) for file in images.files])
    sheet = vary(pictures.astype(np.float32), images.labels, config.augment, task, seed=config.seed, columns=columns)
    return draw(sheet, task, out)


def _different(labels: npt.NDArray[np.float32], places: Sequence[int], rows: int) -> list[int]:
    """Places of pictures, every new combination of labels before one that was there already."""
    seen: dict[bytes, int] = {}
    turn = []
    for answers in labels:
        key = np.nan_to_num(answers, nan=2).tobytes()
        seen[key] = seen.get(key, -1) + 1
        turn.append(seen[key])
    return [places[place] for place in np.argsort(turn, kind="stable")[:rows]]


def vary(
    pictures: FloatArray, labels: FloatArray, augment: Augment, task: Task, *, seed: int = 0, columns: int = 7
) -> Sheet:
    """What training makes of a batch [R, H, W, C] in one epoch after the other."""
    augmenter = Augmenter.for_task(augment, task)
    dataset = tf.data.Dataset.from_tensors((pictures, labels))
    shown = [(pictures, labels)]
    for epoch in range(columns - 1):
        shown += [(x.numpy(), y.numpy()) for x, y in augmenter.apply(dataset, seed=seed, epoch=epoch)]
    return Sheet(
        pictures=np.stack([x for x, _ in shown], axis=1),
        labels=np.stack([y for _, y in shown], axis=1),
        title=said(augment, task),
    )


def said(augment: Augment, task: Task) -> str:
    """Every variation that is on, and how far it goes."""
    on = {key: value for key, value in augment if value != _OFF.get(key, 0)}
    for key, of in (("colour_jitter", "colour_space"), ("erase_area", "erase")):
        on = on if of in on else {name: value for name, value in on.items() if name != key}
    if augment.policy != "randaugment":
        on = {key: value for key, value in on.items() if key not in ("policy_operations", "policy_magnitude")}
    flips = [
        name for name, allowed in (("mirrored", task.flip_horizontal), ("upside down", task.flip_vertical)) if allowed
    ]
    parts = [f"{key} {value:g}" if isinstance(value, float) else f"{key} {value}" for key, value in on.items()]
    return ", ".join(parts + flips) or "nothing is varied"


def draw(sheet: Sheet, task: Task, out: Path) -> Path:
    """Draws the sheet as PNG; where labels are mixed, each picture says its own.

    Raises:
        BadConfig: it cannot be written there.
    """
    rows, columns = sheet.pictures.shape[:2]
    mixed = bool((np.nan_to_num(sheet.labels) != np.nan_to_num(sheet.labels[:, :1])).any())
    with matplotlib.rc_context({"font.family": "sans-serif", "font.size": 8}):
        high = 1.75 if mixed else 1.55
        figure = Figure(figsize=(1.55 * columns, high * rows + 0.8), layout="constrained")
        figure.suptitle(sheet.title, fontsize=9, wrap=True)
        figure.supxlabel(RESEARCH_USE_ONLY, fontsize=7, color="0.4")
        for number, axes in enumerate(figure.subplots(rows, columns, squeeze=False).ravel()):
            row, column = divmod(number, columns)
            picture = np.clip(sheet.pictures[row, column], 0, 255).astype(np.uint8)
            axes.imshow(picture.squeeze(), cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
            if row == 0 and column < 2:
                axes.set_title("as it is" if column == 0 else "varied, epoch by epoch", fontsize=8, loc="left")
            if mixed or column == 0:
                axes.text(0.5, -0.03, _words(sheet.labels[row, column], task), transform=axes.transAxes,
                          ha="center", va="top", fontsize=7)  # fmt: skip
        return _save(figure, out)


def _words(answers: FloatArray, task: Task) -> str:
    """The labels of one picture, the mixed ones with their share."""
    parts = []
    for name, answer in zip(task.labels, answers, strict=True):
        if np.isnan(answer):
            parts.append(f"{name} ?")
        elif answer > 0.005:
            parts.append(name if answer > 0.995 else f"{name} {answer:.2f}")
    shown = parts if len(parts) < 4 else [*parts[:2], f"+{len(parts) - 2}"]
    return "\n".join(shown) or "none"


def _save(figure: Figure, out: Path) -> Path:
    out = Path(out)
    try:
        with disk.whole(out) as hidden:
            FigureCanvasAgg(figure).print_png(str(hidden))
    except OSError as error:
        raise errors.BadConfig(f"{out} cannot be written: {error.strerror}. Give another path.") from None
    return out
