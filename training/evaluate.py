"""The test split, once: calibration and operating points from validation, then every number of the card."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from training import calibrate, clinical, gate_fitting, operating, pointing, report, subgroups, summary
from training.evaluation import FILE, FOLDER, Evaluation
from training.manifest import Manifest
from training.operating import Choice, Rule
from training.outputs import Network
from training.pipeline import Pixels
from training.predictions import FILES, Predictions
from training.reference_set import FILE as REFERENCE_SET
from training.reference_set import reference_set
from training.runs import Run
from training.summary import SEED, Measured, Seen
from zoo import errors
from zoo.bundles import sha256_of
from zoo.cards import Calibration
from zoo.reference import Gate

FloatArray = npt.NDArray[np.floating]


def evaluate(
    run: Run, *, force: bool = False, prevalence: dict[str, float] | None = None, console: Console | None = None
) -> Evaluation:
    """Measures a finished run on its test split and writes `evaluation/` with numbers, plots and report.

    A test split is for measuring once: where the run's very weights were measured before, that result is
    given back and nothing is computed.

    Args:
        run: a finished run.
        force: measure again all the same.
        prevalence: label -> its share among the patients that the model is meant for, for predictive values there;
            measures again where it is not what was stated before.
        console: where progress is shown; silent without.

    Raises:
        BadRun: the run is not finished, or a split is empty.
        BadManifest: an image or a mask of the run cannot be read any more.
        BadRequest: a prevalence is of no label, or lies outside (0, 1).
    """
    console = console or Console(quiet=True)
    earlier = None if force else previous(run)
    if earlier is not None and (prevalence is None or prevalence == earlier.stated_prevalence):
        console.print(f"The test split was measured before ({earlier.created}); {run.path / FILE} stands.")
        return earlier
    measured = measure(run, console, prevalence or (earlier.stated_prevalence if earlier else {}))
    report.write(measured)
    for name, predictions in measured.predictions.items():
        predictions.write(run.path / FOLDER / FILES[name])
    if measured.reference_set is not None:
        (run.path / REFERENCE_SET).write_bytes(measured.reference_set.to_bytes())
    measured.evaluation.write(run.path)
    return measured.evaluation


def previous(run: Run) -> Evaluation | None:
    """The evaluation that the run holds already, if it is whole and of the run's present weights."""
    try:
        found = Evaluation.read(run.path)
        for name in FILES.values():
            Predictions.read(run.path / FOLDER / name, run.task.labels)
    except errors.BadRun:
        return None
    return found if found.model_sha256 == _digest(run) else None


def measure(run: Run, console: Console, prevalence: dict[str, float] | None = None) -> Measured:
    """Runs the network over the three splits and works out every number; writes nothing."""
    splits = {name: run.split(name) for name in ("train", "val", "test")}
    pixels = {name: run.pixels(name, console=console) for name in splits}
    for name, manifest in splits.items():
        if not len(manifest):
            raise errors.BadRun(
                f"The split {name!r} of {run.path} has no image. Train again with a split that has one."
            )
    network, size = Network(run.model()), run.config.batch_size
    said = {name: network(_batches(pixels[name], size, name, console), maps=name == "test") for name in splits}
    fitted = calibrate.fit(
        said["val"].logits, splits["val"].labels, exclusive=run.task.kind.exclusive, method=run.config.calibration
    )
    choices = _choices(run, splits["val"], calibrate.probabilities(said["val"].logits, fitted, run.task.kind))
    seen = Seen(
        task=run.task,
        spec=run.spec,
        test=splits["test"],
        pixels=pixels["test"],
        evidence=said["test"].evidence,
        raw=calibrate.probabilities(said["test"].logits, Calibration(), run.task.kind),
        probability=calibrate.probabilities(said["test"].logits, fitted, run.task.kind),
    )
    thresholds = [choice.threshold if choice else None for choice in choices]
    hits = pointing.hits(seen.evidence, seen.test, run.task.labels, run.spec)
    predictions = {
        name: Predictions.of(
            splits[name],
            run.task.labels,
            said[name].logits,
            calibrate.probabilities(said[name].logits, fitted, run.task.kind),
            thresholds,
            hits if name == "test" else None,
        )
        for name in FILES
    }
    groups = {name: split.groups for name, split in splits.items()}
    gate = gate_fitting.fit_gate(said, pixels, groups, console=console)
    evaluation = Evaluation(
        run=run.config.name,
        task=run.task.name,
        model_sha256=_digest(run),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        gate=gate,
        predictive_values=clinical.predictive_values(predictions["test"], prevalence or {}),
        **_with_cautions(summary.numbers(seen, fitted, choices), predictions["test"], seen, gate),
    )
    return Measured(
        run=run,
        evaluation=evaluation,
        seen=seen,
        predictions=predictions,
        reference_set=reference_set(said["test"], seen.test.labels, seen.probability, pixels["test"]),
    )


def _with_cautions(numbers: dict[str, Any], answers: Predictions, seen: Seen, gate: Gate) -> dict[str, Any]:
    """The numbers with those of each subgroup, and the cautions of the subgroups and of the gate."""
    found = subgroups.subgroups(answers, seen.test.frame, seen.task)
    cautions = (
        *numbers["cautions"],
        *subgroups.cautions(found, numbers["macro_auroc"]),
        *gate.cautions,
    )
    return numbers | {"subgroups": found, "cautions": cautions}


def _batches(pixels: Pixels, size: int, name: str, console: Console) -> Iterator[Pixels]:
    """Batches uint8 [b, H, W, C] of a split, with a progress bar."""
    for start in track(range(0, len(pixels), size), f"Looking at {name}", console=console, transient=True):
        yield pixels[start : start + size]


def _digest(run: Run) -> str:
    try:
        return sha256_of(run.path / "model.keras")
    except OSError:
        raise errors.BadRun(f"{run.path} has no model.keras. Train it first: `kerascope train`.") from None


def _choices(run: Run, manifest: Manifest, probability: FloatArray) -> list[Choice | None]:
    rule = Rule.parse(run.config.operating_point)
    return [
        operating.choose(probability[:, label], manifest.labels[:, label], manifest.groups, rule, seed=SEED)
        for label in range(len(run.task.labels))
    ]
