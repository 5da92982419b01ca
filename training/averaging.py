"""Several looks at each picture, averaged: test-time augmentation and Monte Carlo dropout, against one look."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
from rich.console import Console
from rich.progress import track

from training import calibrate, compare, page, scoring, tables
from training.candidates import Candidate
from training.compare import Comparison
from training.evaluation import FOLDER, Evaluation
from training.outputs import Network
from training.page import Page
from training.pipeline import Pixels
from training.predictions import FILES, Predictions, mean_of, present
from training.robustness import answers
from training.runs import Run
from training.scoring import FloatArray, Scorecard
from zoo import disk, errors
from zoo.cards import RESEARCH_USE_ONLY, Record
from zoo.models import classifier
from zoo.tasks import Task

FILE = "averaging.json"
Given = Callable[[FloatArray], FloatArray]  # from logits [N, L] to calibrated probabilities [N, L]
SHIFT = 0.02  # of the side of the picture


class Averaged(Record):
    """One way of averaging.

    Attributes:
        method: in words, with the number of looks.
        scores: of the mean of the calibrated probabilities.
        against_plain: the same images, one plain look first; None for the plain look itself.
    """

    method: str
    scores: Scorecard
    against_plain: Comparison | None = None


class Averaging(Record):
    """What averaging adds to one run."""

    run: str
    model_sha256: str
    rows: tuple[Averaged, ...]
    notice: str = RESEARCH_USE_ONLY


def averaging(run: Run, *, tta: int = 0, mc_dropout: int = 0, console: Console | None = None) -> Averaging:
    """Measures an evaluated run with several looks at each test picture; writes `evaluation/averaging.json`, `.html`.

    Calibration and operating points stay those of the evaluation. The exported bundle answers from one plain look.

    Args:
        run: an evaluated run.
        tta: looks of test-time augmentation, the first of them plain; 0 for none.
        mc_dropout: samples of Monte Carlo dropout; 0 for none.
        console: where progress is shown.

    Raises:
        BadRun: the run was not evaluated.
        BadRequest: Monte Carlo dropout of a run without dropout; or more looks than there are.
    """
    evaluation = Evaluation.read(run.path)
    plain = Predictions.read(run.path / FOLDER / FILES["test"], run.task.labels)
    model, screen = run.model(), console or Console(quiet=True)
    network, found = Network(model), {"one plain look": plain.probability}

    def given(logits: FloatArray) -> FloatArray:
        return calibrate.probabilities(logits, evaluation.calibration, run.task.kind)

    if tta:
        found[f"test-time augmentation, {tta} looks"] = _augmented(run, given, network, tta, screen)
    if mc_dropout:
        found[f"Monte Carlo dropout, {mc_dropout} samples"] = _dropped(run, given, network, model, mc_dropout)
    rows = [_row(method, plain, probability, run, evaluation) for method, probability in found.items()]
    result = Averaging(run=evaluation.run, model_sha256=evaluation.model_sha256, rows=tuple(rows))
    _write(result, run)
    return result


def looks(task: Task, count: int) -> list[tuple[bool, bool, int, int]]:
    """The first `count` looks: (mirrored, upside down, shift down, shift right), shifts in -1, 0, 1 steps.

    The plain look comes first, then the flips that the task allows, then shifts, the shortest first.

    Raises:
        BadRequest: there are fewer than `count`.
    """
    flips = itertools.product(
        (False, True) if task.flip_vertical else (False,), (False, True) if task.flip_horizontal else (False,)
    )
    every = [(mirrored, upside, y, x) for upside, mirrored in flips for y in (0, -1, 1) for x in (0, -1, 1)]
    every.sort(key=lambda look: abs(look[2]) + abs(look[3]))
    if not 2 <= count <= len(every):
        raise errors.BadRequest(
            f"{task.name} allows 2 to {len(every)} looks (the flips it allows, times nine shifts); got {count}."
        )
    return every[:count]


def seen(pixels: Pixels, look: tuple[bool, bool, int, int]) -> Pixels:
    """uint8 [N, H, W, C] as one look sees it; a shifted picture is continued at its edge."""
    mirrored, upside, down, right = look
    found = pixels[:, ::-1] if upside else pixels
    found = found[:, :, ::-1] if mirrored else found
    steps = [max(1, round(SHIFT * side)) for side in pixels.shape[1:3]]
    rows = np.clip(np.arange(pixels.shape[1]) - down * steps[0], 0, pixels.shape[1] - 1)
    columns = np.clip(np.arange(pixels.shape[2]) - right * steps[1], 0, pixels.shape[2] - 1)
    return np.ascontiguousarray(found[:, rows][:, :, columns])


def _augmented(run: Run, given: Given, network: Network, count: int, console: Console) -> FloatArray:
    """Mean calibrated probability over the looks, [N, L]."""
    pixels = np.asarray(run.pixels("test"))
    ways = track(looks(run.task, count), "Looking again", console=console, transient=True)
    return mean_of(given(answers(network, seen(pixels, look), run.config.batch_size)) for look in ways)


def _dropped(run: Run, given: Given, network: Network, model: keras.Model, count: int) -> FloatArray:
    """Mean calibrated probability with the head's dropout left on, [N, L]."""
    if not run.config.dropout:
        raise errors.BadRequest(
            f"{run.config.name} was trained without dropout, so there is nothing to sample. Set dropout in its file."
        )
    pixels, size = np.asarray(run.pixels("test")), run.config.batch_size
    pooled = network((pixels[n : n + size] for n in range(0, len(pixels), size)), maps=False).embedding
    kernel, bias = classifier.head(model).get_weights()
    return mean_of(given(logits) for logits in samples(pooled, kernel, bias, run.config.dropout, count))


def samples(
    pooled: FloatArray, kernel: FloatArray, bias: FloatArray, rate: float, count: int, *, seed: int = 0
) -> Iterator[FloatArray]:
    """Logits [N, L] under Monte Carlo dropout, `count` times: a random share `rate` of the features is dropped.

    logits = (features * kept / (1 - rate)) @ kernel + bias. Only the dropout before the head is sampled; the head is
    linear, so the features are worked out once.

    Args:
        pooled: features [N, K].
        kernel, bias: of the head, [K, L] and [L].
        rate: in (0, 1).

    Source: Gal and Ghahramani 2016, section 3, https://arxiv.org/abs/1506.02142.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        kept = rng.random(pooled.shape) >= rate
        yield (pooled * kept / (1 - rate)) @ kernel + bias


def _row(method: str, plain: Predictions, probability: FloatArray, run: Run, evaluation: Evaluation) -> Averaged:
    said = replace(plain, probability=probability, present=present(probability, evaluation.thresholds))
    scores = scoring.score(said, run.task)
    if probability is plain.probability:
        return Averaged(method=method, scores=scores)
    pair = [Candidate(name, run.task.kind, each) for name, each in (("one plain look", plain), (method, said))]
    return Averaged(method=method, scores=scores, against_plain=compare.compare(*pair))


def report(found: Averaging) -> Page:
    """The result as a page: each method, and what it adds."""
    return Page(
        title=f"{found.run}: several looks",
        lead="Is the mean of several looks at a picture worth more than one?",
        about="The same test images, calibration and operating points. The exported bundle takes one plain look.",
        sections=(tables.gains([(row.method, row.scores, row.against_plain) for row in found.rows]),),
    )


def _write(found: Averaging, run: Run) -> Path:
    folder = run.path / FOLDER
    disk.write_whole(folder / FILE, found.model_dump_json(indent=2))
    return page.write(report(found), folder, "averaging.html")
