"""`python -m benchmarks.gate`: what the gate refuses and cautions, of images of the kind and of strangers.

Over five folds kept apart by patient, for breast ultrasound, chest radiographs and PneumoniaMNIST (in $KERASCOPE_DATA,
else ../shared/data; what is absent is left out) and phantoms, which are generated. Options add sets and strangers. The
embedding is of a frozen MobileNetV2; with --runs, of a run that was really trained.

Status 1 where of any set significantly more is refused than promised, or strangers of another modality are refused in
less than 95 of 100, or one of them is answered without a caution. The decoded pictures and gate.json lie in build/gate.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
from rich.console import Console

from benchmarks.gate import sets, strangers, tables
from benchmarks.gate.counting import Measured
from benchmarks.gate.measure import Case, measure
from benchmarks.gate.methods import Head
from benchmarks.gate.sets import MODALITIES, ROOT, Images, ImageSet
from training.outputs import Network
from training.runs import Run
from zoo import errors
from zoo.cards import InputSpec
from zoo.models import classifier

FOLDS = 5
DATA = "KERASCOPE_DATA"
BACKBONE = "mobilenetv2-0.35"
OWN = ("breast-ultrasound", "chest-xray", "pneumoniamnist", "phantoms")
PICTURES = (".png", ".jpg", ".jpeg", ".dcm")


def main(arguments: list[str] | None = None) -> int:
    """Measures, prints, writes."""
    console, asked = Console(), _arguments(arguments)
    os.environ.setdefault(DATA, str(ROOT.parent / "shared" / "data"))  # the training files name it
    try:
        found = list(_measured(asked, console))
    except errors.KerascopeError as error:
        console.print(f"[red]{error}[/]")
        return 2
    failures = [sentence for one in found for sentence in one.failures()]
    for table in (tables.own_images, tables.strangers, tables.methods):
        console.print(table(found))
    for sentence in failures:
        console.print(f"[red]FAILS[/] {sentence}")
    written = {
        "seed": asked.seed,
        "images": asked.images,
        "most_strangers": asked.most_strangers,
        "failures": failures,
        "cases": [asdict(one) for one in found],
    }
    (asked.out / "gate.json").write_text(json.dumps(written, indent=2))
    return int(bool(failures))


def _measured(asked: argparse.Namespace, console: Console) -> Iterator[Measured]:
    """Each set, then each run."""
    asked.out.mkdir(parents=True, exist_ok=True)
    known = list(_sets(asked, console))
    others = [sets.drawn(one, asked.most_strangers, asked.seed) for one in (*known, *_without_labels(asked))]
    for one in known:
        yield _timed(one.name, _frozen(one, asked.seed, console), others, asked, console)
    for name, folder in asked.runs.items():
        modality = (MODALITIES | asked.modality).get(name, name)
        yield _timed(name, _trained(name, Path(folder), modality), others, asked, console)


def _timed(name: str, case: Case, others: Sequence[Images], asked: argparse.Namespace, console: Console) -> Measured:
    began = time.monotonic()
    with console.status(f"Measuring {name}, {case.embedding}"):
        found = measure(case, [one for one in others if one.name != name], asked.out / "cache")
    console.print(f"{name}, {case.embedding}: {found.service.own.images} images in {time.monotonic() - began:.0f} s")
    return found


def _sets(asked: argparse.Namespace, console: Console) -> Iterator[ImageSet]:
    """The project's sets that are there, and the user's."""
    configs = {name: sets.own(name, asked.out / "data", Path(os.environ[DATA]), asked.images) for name in OWN}
    for name in [name for name, config in configs.items() if config is None]:
        console.print(f"[yellow]{name} is left out: it is not in {os.environ[DATA]} (set {DATA}).[/]")
    configs |= {name: sets.of_user(name, Path(file)) for name, file in asked.set.items()}
    options = {"images": asked.images, "seed": asked.seed, "cache": asked.out / "cache"}
    for name, config in configs.items():
        if config is not None:
            modality = (MODALITIES | asked.modality).get(name, name)
            yield sets.of_training_file(name, config, modality, **options)


def _without_labels(asked: argparse.Namespace) -> Iterator[Images]:
    """Photographs, the user's folders, and noise."""
    yield strangers.photographs(asked.out / "data" / "photographs", asked.seed)
    for name, folder in asked.strangers.items():
        files = sorted(file for file in Path(folder).rglob("*") if file.suffix.lower() in PICTURES)
        yield sets.of_files(name, (MODALITIES | asked.modality).get(name, name), files)
    yield strangers.noise(asked.out / "data" / "noise", asked.seed)


def _frozen(images: ImageSet, seed: int, console: Console) -> Case:
    model, embedding = _backbone(images.spec, seed, console)
    return Case(images=images, splits=images.folds(FOLDS, seed), network=Network(model), embedding=embedding)


def _backbone(spec: InputSpec, seed: int, console: Console) -> tuple[keras.Model, str]:
    """Without its head, and what it is in words."""
    try:
        model = classifier.build(backbone=BACKBONE, labels=1, spec=spec, weights="imagenet", seed=seed)
    except errors.BadConfig:
        console.print("[yellow]The weights of ImageNet cannot be had: the embedding is of random weights.[/]")
        model = classifier.build(backbone=BACKBONE, labels=1, spec=spec, seed=seed)
        return model, f"{BACKBONE}, random weights"
    return model, f"frozen {BACKBONE}"


def _trained(name: str, path: Path, modality: str) -> Case:
    """A run with its own split."""
    run = Run(path)
    table, model, spec = run.images(), run.model(), run.spec
    images = ImageSet(
        name=f"{name} (run)",
        modality=modality,
        manifest=table,
        key=run.environment["fingerprint"],
        spec=InputSpec(height=spec.height, width=spec.width, channels=spec.channels),
        exclusive=run.task.kind.exclusive,
    )
    dense = classifier.head(model)
    head = Head(dense.kernel.numpy(), dense.bias.numpy(), images.exclusive)
    splits = [[str(side) for side in table.splits]]
    return Case(images=images, splits=splits, network=Network(model), embedding="its own", head=head)


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate", description="What the gate refuses and cautions."
    )
    texts = {
        "set": ("NAME=FILE", "a further set: a manifest with columns file and label, or a training file (.toml)"),
        "strangers": ("NAME=FOLDER", "further strangers: a folder of PNG, JPEG and DICOM files"),
        "runs": ("NAME=FOLDER", "a trained run of the set NAME: its own split and its own embedding"),
        "modality": ("NAME=WORDS", "what the pictures of a set or folder are; otherwise a modality of its own"),
    }
    for name, (form, text) in texts.items():
        parser.add_argument(f"--{name}", action="append", default=[], type=_pair, metavar=form, help=text)
    parser.add_argument("--images", type=int, default=1500, help="of each set, at most")
    parser.add_argument("--most-strangers", type=int, default=500, help="of each set that is sent to another's model")
    parser.add_argument("--seed", type=int, default=0, help="of what is drawn")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "gate", help="where everything lies")
    asked = parser.parse_args(arguments)
    for name in texts:
        setattr(asked, name, dict(getattr(asked, name)))
    return asked


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not (name and separator and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
