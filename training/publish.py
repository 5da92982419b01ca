"""From a measured run to a bundle: the model card is put together here, and nowhere else."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import keras
from rich.console import Console

from training import reference_set
from training.audit import record
from training.evaluate import evaluate
from training.evaluation import Evaluation
from training.runs import Run
from zoo.bundles import Bundle
from zoo.cards import ModelCard, Training, TrainingData
from zoo.export import export
from zoo.export_onnx import export_onnx
from zoo.models import classifier


def export_run(run: Run, registry: Path, *, pictures: bool = False, console: Console | None = None) -> Bundle:
    """Exports a run as the next version of its model; measures it first where that was not done yet.

    Args:
        run: a finished run.
        registry: the folder of bundles.
        pictures: puts small pictures of the test split into the bundle, for hits and misses to be looked at. They go
            wherever the bundle goes: only where their licence and the people on them allow it.
        console: where progress is shown.

    Returns:
        The new bundle.

    Raises:
        BadRun: the run is not finished.
        BadConfig: the registry cannot be written.
    """
    evaluation = evaluate(run, console=console)
    model = run.model()
    seen = reference_set.of_run(run.path)
    if seen is not None and not pictures:
        seen = seen.without_pictures()
    return export(model, card(run, model, evaluation), registry, reference_set=seen)


def export_run_to_onnx(run: Run, path: Path | None, *, console: Console | None = None) -> tuple[Path, Path]:
    """Exports a run as an ONNX file with its card beside it; measures it first where that was not done yet.

    Args:
        run: a finished run.
        path: the file; `<name>.onnx` in the working folder if None.
        console: where progress is shown.

    Returns:
        The file and its card.

    Raises:
        BadRun: the run is not finished.
        BadConfig: as `zoo.export_onnx.export_onnx`.
    """
    path = path or Path(f"{run.config.name}.onnx")
    evaluation = evaluate(run, console=console)
    model = run.model()
    return path, export_onnx(model, card(run, model, evaluation), path)


def card(run: Run, model: keras.Model, evaluation: Evaluation) -> ModelCard:
    """The model card; `version` and `weights_sha256` are filled in at export.

    Args:
        run: the run.
        model: its network.
        evaluation: of the very weights of `model`.
    """
    config, task = run.config, run.task
    audited = record.of_run(run.path, evaluation.model_sha256)
    layer = classifier.evidence_layer(model)
    _, rows, columns, maps = model.get_layer(layer).output.shape
    return ModelCard(
        name=config.name,
        version=1,
        task=task.name,
        question=task.question,
        kind=task.kind,
        negative=task.negative,
        backbone=config.backbone,
        parameters=model.count_params(),
        input=run.spec,
        labels=evaluation.card_labels,
        evidence_layer=layer,
        evidence_grid=(rows, columns),
        embedding_size=maps,
        calibration=evaluation.calibration,
        accuracy=evaluation.accuracy,
        accuracy_baseline=evaluation.baseline,
        kappa=evaluation.kappa,
        subgroups=evaluation.subgroups,
        confusion=evaluation.confusion,
        licence=config.licence,
        intended_use=config.intended_use,
        not_for=task.not_for,
        data=training_data(run),
        training=training(run),
        gate=evaluation.gate,
        explanations=audited.methods if audited else (),
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
    )


def training_data(run: Run) -> TrainingData:
    """What the model learnt from, was chosen on and measured on: numbers, and nothing of a patient."""
    splits = {name: run.split(name) for name in ("train", "val", "test")}
    environment = run.environment
    by_patient = str(environment["grouped_by"]).startswith("patient")
    return TrainingData(
        name=environment["data"],
        fingerprint=environment["fingerprint"],
        images={name: len(manifest) for name, manifest in splits.items()},
        patients={name: len(set(manifest.groups)) for name, manifest in splits.items()} if by_patient else {},
        grouped_by=environment["grouped_by"],
    )


def training(run: Run) -> Training:
    """How to make the model again; the folder the manifest lay in is left out, for a path can name a person."""
    environment, result = run.environment, run.result
    config = run.config.model_dump(mode="json")
    return Training(
        config=config | {"manifest": run.config.manifest.name},
        code_revision=environment["code_revision"],
        packages=environment["packages"],
        probe_score=result["probe_score"],
        score=result["score"],
        score_name=result["score_name"],
    )
