"""Fine-tuning: a probe on frozen features, then the backbone itself, and the better of the two is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from training import claim, distill, history, initial, preparation
from training.config import RunConfig
from training.losses import score_name
from training.manifest import Manifest
from training.resume import Snapshot
from training.runs import Run, code_revision, packages
from training.stages import Data, StageRun
from zoo import disk, keras_settings


def train(
    config: RunConfig,
    *,
    runs: Path,
    registry: Path = Path("registry"),
    console: Console | None = None,
    told: Callable[[dict[str, float]], None] | None = None,
) -> Run:
    """Trains a model, or goes on where a killed run stopped, or says that it is done already.

    Args:
        config: what to train.
        runs: the folder that holds run folders; the run is `runs / config.name`.
        registry: the folder of bundles, for weights = "bundle:NAME".
        console: shows progress; None is silent.
        told: called after every epoch with its record, as in `history.csv`; what it raises stops the training, and
            the same call again goes on from there.

    Returns:
        The finished run.

    Raises:
        BadConfig, BadManifest: the file, the table of images, or a global setting of Keras is wrong.
        BadRun: the folder holds a run of another configuration, or of other images; or another process trains it.
        UnknownModel, BadBundle: the weights or the teacher are of a bundle that is missing or damaged.
        KeyboardInterrupt: stopped by Ctrl-C; started again, it goes on from the last whole epoch.
    """
    keras_settings.check()
    run, screen = Run(Path(runs) / config.name), console or Console(quiet=True)
    try:
        with claim.alone(run):
            return _train(initial.resolve(config, registry), run, screen, told)
    except KeyboardInterrupt:
        screen.print(f"\nStopped. Start the same command again to go on from the last whole epoch ({run.path}).")
        raise


def _train(config: RunConfig, run: Run, console: Console, told: Callable[[dict[str, float]], None] | None) -> Run:
    claim.claim(run, config)
    images, key = preparation.read(config)
    claim.same_images(run, key)
    if run.is_finished:
        console.print(f"{run.path} is finished: {_summary(run)}. Nothing to do.")
        return run
    images, data = preparation.part(config, images, key, run.cache, console)
    run.write_split(images)
    if not (run.path / "environment.json").is_file():
        run.write_json("environment.json", _environment(config, images, key))
    preparation.seed(config)
    model, teacher = initial.build(config), distill.teacher(config)
    if said := initial.told(config, model):
        console.print(said)
    state = run.path / "state" / "snapshot.npz"
    snapshot = Snapshot.read(state)
    if snapshot is None:
        snapshot = preparation.probed(model, data, config, console)
        snapshot.save(state)
    else:
        console.print(f"Going on after epoch {snapshot.epoch} of stage {snapshot.stage + 1}.")
    snapshot = _fine_tune(_Session(run, config, model, data, console, state, teacher, told), snapshot)
    _finish(run, config, model, snapshot)
    console.print(f"Done: {_summary(run)}.")
    return run


def _environment(config: RunConfig, images: Manifest, key: str) -> dict[str, object]:
    return {
        "code_revision": code_revision(),
        "packages": packages(),
        "data": config.data_name or config.manifest.parent.name,
        "fingerprint": key,
        "grouped_by": images.grouped_by,
    }


@dataclass(frozen=True)
class _Session:
    run: Run
    config: RunConfig
    model: keras.Model
    data: Data
    console: Console
    state: Path
    teacher: keras.Model | None
    told: Callable[[dict[str, float]], None] | None = None


def _fine_tune(session: _Session, snapshot: Snapshot) -> Snapshot:
    """Stage 2 and on, each from the best weights so far."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        tf.summary.create_file_writer(str(session.run.path / "tensorboard")).as_default(),
        Progress(*columns, console=session.console, transient=True) as progress,
    ):
        written = history.teller(session.run, session.config, progress)

        def told(after: Snapshot) -> None:
            written(after)
            if session.told is not None:
                session.told(after.history[-1])

        for number in range(snapshot.stage, len(session.config.stage)):
            if number > snapshot.stage:
                session.model.set_weights(snapshot.best)
                snapshot = snapshot.at(number, session.model)
            stage = StageRun(
                model=session.model,
                data=session.data,
                config=session.config,
                number=number,
                state=session.state,
                told=told,
                progress=progress,
                teacher=session.teacher,
            )
            snapshot = stage.run(snapshot)
    return snapshot


def _finish(run: Run, config: RunConfig, model: keras.Model, snapshot: Snapshot) -> None:
    """Writes the weights kept, then the result, whose presence says that all is there."""
    if snapshot.history:  # again, for a run killed between its last epoch and that epoch's line
        history.write(run, snapshot.history)
    model.set_weights(snapshot.best)
    with disk.whole(run.path / "model.keras") as hidden:
        keras.Model(model.inputs[0], model.outputs[0], name=model.name).save(hidden)  # without the optimiser
    run.write_json(
        "result.json",
        {
            "probe_score": snapshot.probe_score,
            "score": snapshot.best_score,
            "score_name": score_name(config.resolve_task().kind),
            "kept": snapshot.kept,
            "seconds": round(snapshot.seconds, 1),
        },
    )
    shutil.rmtree(run.path / "state", ignore_errors=True)


def _summary(run: Run) -> str:
    result = run.result
    return (
        f"{result['score_name']} {result['score']:.4f} on validation ({result['kept']}; "
        f"the probe {result['probe_score']:.4f}), {result['seconds']:.0f} s"
    )
