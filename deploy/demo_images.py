"""What the demo asks about: images of test patients, and one picture that no chest model was made for."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from demo_build import Plan
from PIL import Image, ImageDraw
from rich.console import Console

from zoo import errors
from zoo.results import Analysis

STRANGER = "unsuitable-landscape.png"  # behind the others, where the dashboard lists them by name

Ask = Callable[[Path], Analysis]


@dataclass(frozen=True)
class Refusal:
    """A picture that the gate refused.

    Attributes:
        sample: the file.
        reason: a code of `zoo.errors.Reason`.
        message: the same as a sentence.
    """

    sample: Path
    reason: str
    message: str


@dataclass(frozen=True)
class Answer:
    """A picture that was answered.

    Attributes:
        sample: the file.
        analysis: the answer.
        refused: the pictures before it, which were refused.
    """

    sample: Path
    analysis: Analysis
    refused: tuple[Refusal, ...] = ()


def pick_samples(plan: Plan, labels: tuple[str, ...]) -> list[Path]:
    """Copies images of test patients to `samples`: one with each finding and one with none, where there are such.

    Raises:
        BadRun: the run names no image of a test patient.
    """
    with (plan.run_folder / "split.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "test"]
    found = [next((row for row in rows if row[label] == "1"), None) for label in labels]
    clear = next((row for row in rows if all(row[label] == "0" for label in labels)), None)
    names = dict.fromkeys(row["file"] for row in (*found, clear) if row)
    if not names:
        raise errors.BadRun(f"{plan.run_folder / 'split.csv'} names no image of a test patient; the run is damaged.")
    shutil.rmtree(plan.samples, ignore_errors=True)
    plan.samples.mkdir(parents=True)
    return [
        Path(shutil.copy(plan.run_folder / name, plan.samples / f"unseen-{number}.dcm"))
        for number, name in enumerate(names, start=1)
    ]


def draw_stranger(plan: Plan) -> Path:
    """Writes a picture in colour to `samples`: a model of grey pictures refuses it, whatever it learnt."""
    path = plan.samples / STRANGER
    landscape().save(path)
    return path


def landscape(side: int = 320) -> Image.Image:
    """A generated landscape, RGB: a blue sky, a low sun and two rows of green hills, with grain."""
    picture = Image.fromarray(
        np.linspace((40, 90, 190), (250, 190, 130), side)[:, None].repeat(side, 1).astype("uint8")
    )
    pen = ImageDraw.Draw(picture)
    pen.ellipse((0.62 * side, 0.4 * side, 0.74 * side, 0.52 * side), fill=(255, 230, 120))
    for top, height, colour in ((0.62, 0.06, (60, 120, 70)), (0.76, 0.09, (30, 80, 35))):
        ridge = [(x, side * (top + height * math.sin(5 * x / side + 9 * top))) for x in range(side + 1)]
        pen.polygon([*ridge, (side, side), (0, side)], fill=colour)
    grain = np.random.default_rng(0).normal(0, 4, (side, side, 1))
    return Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype("uint8"))


def first_answer(ask: Ask, samples: list[Path], console: Console) -> Answer:
    """Asks about the samples in order, up to the first that is neither refused nor unusual for the model.

    A held-out image may well be refused or unusual: the gate's limits promise a small share of them, not none. Where
    none is usual, the first that was answered is shown, with its caution.

    Raises:
        ImageRefused: every one is refused.
    """
    refused: list[Refusal] = []
    unusual: list[tuple[Path, Analysis]] = []
    for sample in samples:
        answer = asked(ask, sample)
        if isinstance(answer, Refusal):
            refused.append(answer)
            _pass_over(console, sample, f"is refused ({answer.reason}). {answer.message}")
        elif caution := answer.analysis.caution:
            unusual.append((sample, answer.analysis))
            _pass_over(console, sample, f"is answered with a caution. {caution.message}")
        else:
            return Answer(sample, answer.analysis, tuple(refused))
    if unusual:
        return Answer(*unusual[0], tuple(refused))
    raise errors.ImageRefused(
        f"The gate refuses all {len(samples)} unseen images of the kind that the model was trained on. The last: "
        f"{refused[-1].message} `kerascope doctor` tells whether this machine computes as it should.",
        errors.Reason(refused[-1].reason),
    )


def asked(ask: Ask, sample: Path) -> Answer | Refusal:
    """What the gateway says about one picture."""
    try:
        return Answer(sample, ask(sample))
    except errors.ImageRefused as error:
        return Refusal(sample, error.reason.value, str(error))


def _pass_over(console: Console, sample: Path, why: str) -> None:
    console.print(f"{sample.name}, never seen in training, {why} Trying the next one.", soft_wrap=True, markup=False)
