"""A bundle, measured on images from elsewhere as it is served: its own preprocessing, gate and calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from rich.console import Console
from rich.progress import track

from training import calibrate, clinical, manifest, page, pipeline, pointing, scoring, splits, subgroups, tables
from training.admission import Admission
from training.clinical import PredictiveValues
from training.manifest import Manifest
from training.page import Page, Section, cells
from training.predictions import FILES, Predictions
from training.scoring import Scorecard
from zoo import disk, errors
from zoo.bundles import Bundle, Registry
from zoo.cards import RESEARCH_USE_ONLY, Calibration, ModelCard, Record, Subgroup
from zoo.signatures import ANALYZE
from zoo.tasks import Kind, Task

FILE = "external.json"
_BATCH = 16


class External(Record):
    """A bundle on a set of images that it was not made from.

    Attributes:
        model, version: of the bundle.
        task, question, kind: the card's.
        data: file name of the manifest.
        fingerprint: SHA-256 over its images and labels.
        grouped_by: what its images are grouped by, for the intervals.
        refused: reason -> images that the bundle's gate refuses; they are not in the numbers.
        unusual: images that the bundle answers with a caution; they are in the numbers.
        scores: of the images that were not refused.
        ece_raw: expected calibration error there without the bundle's calibration.
        ece_card: what the card says of the bundle's own test split.
        subgroups, predictive_values: as in `training.evaluation.Evaluation`.
    """

    model: str
    version: int
    task: str
    question: str
    kind: Kind
    data: str
    fingerprint: str
    grouped_by: str
    refused: dict[str, int]
    unusual: int = 0
    scores: Scorecard
    ece_raw: float | None
    ece_card: float | None
    subgroups: tuple[Subgroup, ...] = ()
    predictive_values: tuple[PredictiveValues, ...] = ()
    cautions: tuple[str, ...] = ()
    notice: str = RESEARCH_USE_ONLY


@dataclass(frozen=True, eq=False)
class Answers:
    """What a bundle said of the images that its gate let through.

    Attributes:
        images: those images.
        predictions: one row each.
        refused: reason -> how many were refused.
        unusual: how many of those images the gate cautions.
    """

    images: Manifest
    predictions: Predictions
    refused: dict[str, int]
    unusual: int


def find(path: Path) -> Bundle:
    """The bundle at a version's folder, or the newest version of a model's folder; its checksums are checked.

    Raises:
        BadBundle: there is none, or it is damaged.
        UnknownModel: the folder holds no version.
    """
    path = path.resolve()
    bundle = Bundle(path) if (path / "saved_model.pb").is_file() else Registry(path.parent).bundle(path.name)
    bundle.verify()
    return bundle


def task_of(card: ModelCard) -> Task:
    """The clinical question as the card states it."""
    return Task(
        name=card.task,
        question=card.question,
        labels=card.label_names,
        kind=card.kind,
        modalities=card.input.modalities,
        body_parts=card.input.body_parts,
        views=card.input.views,
        channels=card.input.channels,
        negative=card.negative,
        not_for=card.not_for,
    )


def answer(bundle: Bundle, table: Path, *, console: Console | None = None) -> Answers:
    """Asks a bundle about every image of a manifest; of one that names splits, about its test split alone.

    Raises:
        BadManifest: the manifest or a picture cannot be read, or no image is left.
        BadRequest: it is the very manifest that the bundle was made from, and names no test split.
    """
    card, task = bundle.card, task_of(bundle.card)
    images = splits.with_known_labels(manifest.read(table, task))
    if any(images.splits):
        images = images.take(np.flatnonzero([side == "test" for side in images.splits]))
    elif pipeline.fingerprint(images) == card.data.fingerprint:
        raise errors.BadRequest(
            f"{card.name} was made from these very images, and {table.name} names no test split. Measure it on others; "
            "the numbers of its own test split are on its card."
        )
    console, admission = console or Console(quiet=True), Admission(card)
    rows, pixels = admission.by_picture(images, console)
    said = _ask(bundle, pixels, console) if rows else {"embedding": np.zeros((0, card.embedding_size), np.float32)}
    admitted = admission.by_features(rows, said["embedding"])
    if not admitted:
        why = f"the gate refuses all {len(images)}" if len(images) else "it names splits, and none is test"
        raise errors.BadManifest(f"{table} has no image to measure on: {why}.")
    images = images.take([rows[place] for place in admitted])
    said = {name: values[admitted] for name, values in said.items()}
    return Answers(images, _predictions(bundle, images, said, task), dict(admission.refused), len(admission.unusual))


def _ask(bundle: Bundle, pixels: npt.NDArray[np.uint8], console: Console) -> dict[str, npt.NDArray[np.float32]]:
    """Every output of the bundle's `analyze`, [N, ...] each."""
    analyze = tf.saved_model.load(str(bundle.path)).signatures[ANALYZE]
    parts = [analyze(image=tf.constant(batch)) for batch in _batches(pixels, console)]
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def _predictions(bundle: Bundle, images: Manifest, said: dict[str, npt.NDArray[np.float32]], task: Task) -> Predictions:
    probability, logits, evidence = said["probability"], said["logit"], said["evidence"]
    points = [label.operating_point for label in bundle.card.labels]
    thresholds = [point.threshold if point else None for point in points]
    hits = pointing.hits(evidence, images, task.labels, bundle.card.input)
    return Predictions.of(images, task.labels, logits, probability, thresholds, hits)


def _batches(pixels: npt.NDArray[np.uint8], console: Console) -> Iterator[npt.NDArray[np.uint8]]:
    for start in track(range(0, len(pixels), _BATCH), "Asking the bundle", console=console, transient=True):
        yield pixels[start : start + _BATCH]


def evaluate_bundle(
    path: Path, table: Path, out: Path, *, prevalence: dict[str, float] | None = None, console: Console | None = None
) -> External:
    """Measures a bundle on a manifest and writes `external.json`, `predictions.csv` and `report.html` into `out`.

    Args:
        path: a version's folder, or a model's for its newest version.
        table: the manifest.
        out: the folder to write.
        prevalence: label -> its share there, for predictive values.
        console: where progress is shown; silent without.

    Raises:
        BadBundle, UnknownModel, BadManifest, BadRequest: as `find`, `answer` and `clinical.predictive_values` say.
    """
    bundle = find(path)
    card, task = bundle.card, task_of(bundle.card)
    said = answer(bundle, table, console=console)
    answers = said.predictions
    raw = calibrate.probabilities(answers.logits, Calibration(), task.kind)
    scores = scoring.score(answers, task)
    found = External(
        model=card.name,
        version=bundle.version,
        task=card.task,
        question=card.question,
        kind=card.kind,
        data=table.name,
        fingerprint=pipeline.fingerprint(said.images),
        grouped_by=said.images.grouped_by,
        refused=said.refused,
        unusual=said.unusual,
        scores=scores,
        ece_raw=calibrate.expected_calibration_error(raw, answers.truth, exclusive=task.kind.exclusive),
        ece_card=card.calibration.ece_after,
        subgroups=(groups := subgroups.subgroups(answers, said.images.frame, task)),
        predictive_values=clinical.predictive_values(answers, prevalence or {}),
        cautions=(*_cautions(said), *subgroups.cautions(groups, scores.macro_auroc)),
    )
    answers.write(out / FILES["test"])
    whole = summary(found, card)
    curves = Section("Curves", plots=tables.curves(answers, raw, task, scores))
    page.write(replace(whole, sections=(*whole.sections, curves)), out)
    _write(found, out)
    return found


def _cautions(said: Answers) -> tuple[str, ...]:
    found = []
    if not said.images.grouped_by.startswith("patient"):
        found.append("The manifest names no patients; several pictures of one make the intervals too narrow.")
    if said.refused:
        listed = ", ".join(f"{count} {reason}" for reason, count in sorted(said.refused.items()))
        found.append(f"The bundle's gate refuses {listed}; they are not in the numbers.")
    if said.unusual:
        found.append(
            f"{said.unusual} of {len(said.images)} images are unusual for the model and answered with a caution; they "
            "are in the numbers."
        )
    return tuple(found)


def summary(found: External, card: ModelCard) -> Page:
    """The result as a page, without curves."""
    scores = found.scores
    sections = [against_card(found, card), tables.label_section(scores)]
    if found.predictive_values:
        sections.append(tables.predictive_section(found.predictive_values))
    if found.subgroups:
        sections.append(tables.subgroup_section(found.subgroups))
    return Page(
        title=f"{found.model} {found.version} on {found.data}",
        lead=found.question,
        about=f"{scores.images} images in {scores.patients} groups; calibration and operating points are the bundle's.",
        tiles=tables.tiles(scores),
        cautions=found.cautions,
        sections=tuple(sections),
    )


def against_card(found: External, card: ModelCard) -> Section:
    """What the card promises beside what was found here."""
    rows = [
        cells(f"AUROC {label.name}", label.metrics.auroc if label.metrics else None, here.auroc)
        for label, here in zip(card.labels, found.scores.labels, strict=True)
    ]
    rows.append(cells("Accuracy", card.accuracy, found.scores.accuracy))
    rows.append(cells("Calibration error", found.ece_card, found.scores.ece))
    rows.append(cells("Calibration error, not calibrated", card.calibration.ece_before, found.ece_raw))
    return Section("Here, and on its own test split", ("", "Card", "Here"), tuple(rows))


def _write(found: External, out: Path) -> None:
    disk.write_whole(out / FILE, found.model_dump_json(indent=2))
