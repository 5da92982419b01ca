"""The sets of images that the gate is fitted on and tried on: four of the project's, and any of the user's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.console import Console

from training import manifest, pipeline, splits
from training.config import RunConfig, Split
from training.datasets.importing import import_set
from training.datasets.phantoms import generate
from training.duplicates import Prints, near_duplicates
from training.manifest import Manifest
from training.pipeline import Pixels
from zoo import errors
from zoo.cards import InputSpec
from zoo.imaging import gate
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "training" / "configs"
MODALITIES = {
    "breast-ultrasound": "ultrasound",
    "chest-xray": "chest radiograph",
    "pneumoniamnist": "chest radiograph",
    "phantoms": "chest radiograph",
    "photographs": "photograph",
}
"""What the pictures are; sets of the same word are no strangers of another modality. A user's set is of its own."""
COLOUR_ASKED = 24  # pictures of a set without a training file, to tell whether it is in colour

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, eq=False)
class Images:
    """Images of one kind.

    Attributes:
        name: as it is printed.
        modality: in words; None for what is no picture of anything, which no bar is asked of.
        manifest: N of them.
        key: the manifest's fingerprint.
    """

    name: str
    modality: str | None
    manifest: Manifest
    key: str

    def pixels(self, spec: InputSpec, cache: Path, console: Console | None = None) -> Pixels:
        """As a network takes them: uint8 [N, H, W, C], decoded once."""
        return pipeline.load(self.manifest, spec, cache, key=self.key, console=console)


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSet(Images):
    """Images that a gate is fitted on.

    Attributes:
        spec: what a network of theirs takes. The files' header is left out of it, so that the picture alone is judged.
        exclusive: whether one label holds of each.
    """

    spec: InputSpec
    exclusive: bool

    def folds(self, count: int, seed: int) -> list[list[str]]:
        """For each fold the split of every image: as `training.splits.assign` has it, by patient."""
        parts = [self._split(count, fold, seed) for fold in range(count)]
        return [[str(side) for side in part.splits] for part in parts]

    def _split(self, count: int, fold: int, seed: int) -> Manifest:
        return splits.assign(self.manifest, Split(seed=seed, folds=count, fold=fold))


def of_training_file(name: str, config: RunConfig, modality: str, *, images: int, seed: int, cache: Path) -> ImageSet:
    """The images of a training file, at most so many, in whole patients; its split's groups, but not its sides."""
    table = manifest.read(config.manifest, config.resolve_task(), allow_leakage=True)
    table = thinned(replace(splits.with_known_labels(table), splits=[None] * len(table)), images, seed)
    size, channels = config.image_size, config.input_spec.channels
    found = ImageSet(
        name=name,
        modality=modality,
        manifest=table,
        key=pipeline.fingerprint(table),
        spec=InputSpec(height=size, width=size, channels=channels),
        exclusive=config.resolve_task().kind.exclusive,
    )
    if not config.split.group_near_duplicates:
        return found
    pairs = near_duplicates(Prints.of(found.pixels(found.spec, cache)))
    return replace(found, manifest=splits.group_near_duplicates(table, pairs))


def thinned(table: Manifest, images: int, seed: int) -> Manifest:
    """At most so many images, in whole groups that are drawn."""
    names, whose, counts = np.unique(table.groups, return_inverse=True, return_counts=True)
    drawn = np.random.default_rng(seed).permutation(len(names))
    kept = drawn[np.cumsum(counts[drawn]) <= images]
    return table.take(np.flatnonzero(np.isin(whose, kept)))


def drawn(images: Images, most: int, seed: int) -> Images:
    """At most so many of the images, as strangers."""
    table = thinned(images.manifest, most, seed)
    return Images(name=images.name, modality=images.modality, manifest=table, key=pipeline.fingerprint(table))


def own(name: str, folder: Path, data: Path, images: int) -> RunConfig | None:
    """The training file of one of the project's sets with its manifest in place; None where the set is absent."""
    if name == "phantoms":
        patients = min(360, max(25, images // 2))  # of two images each, on average
        table = generate(folder / f"phantoms-{patients}", patients=patients, size=384)
        return RunConfig.load(CONFIGS / "phantoms.toml", [f"manifest={table}"])
    if name == "pneumoniamnist":
        packed = data / "pneumoniamnist" / "pneumoniamnist.npz"
        table = folder / name / "manifest.csv"
        if packed.is_file() and not table.is_file():
            table = import_set("medmnist", packed, folder / name).manifest
    else:
        table = data / name.replace("-", "_") / "manifest.csv"
    if not table.is_file():
        return None
    return RunConfig.load(CONFIGS / f"{name.replace('-', '_')}.toml", [f"manifest={table}"])


def of_user(name: str, file: Path) -> RunConfig:
    """A training file; or a manifest whose column `label` names the labels, with near-duplicates grouped.

    Raises:
        BadConfig, BadManifest: as `RunConfig.load` and `training.manifest.read`.
    """
    if file.suffix == ".toml":
        return RunConfig.load(file)
    frame = pd.read_csv(file, dtype=str) if file.is_file() else pd.DataFrame()
    if not {"file", "label"} <= set(frame):
        raise errors.BadManifest(
            f"{file} is not a manifest with the columns file and label. Give one, or a training file (.toml) that "
            "names the manifest and its labels."
        )
    files = frame["file"].iloc[:: max(1, len(frame) // COLOUR_ASKED)]
    return RunConfig.parse(
        {
            "name": name,
            "task": name,
            "manifest": file,
            "backbone": "mobilenetv2-0.35",
            "image_size": 224,
            "split": {"group_near_duplicates": True},
            "task_definition": {
                "question": f"Which of the labels of {name} holds?",
                "labels": sorted(set(frame["label"].dropna())),
                "kind": "multiclass",
                "channels": 3 if _mostly_coloured([file.parent / one for one in files]) else 1,
            },
        },
        source=str(file),
    )


def _mostly_coloured(files: Sequence[Path]) -> bool:
    spec = InputSpec(height=64, width=64, channels=3)
    return bool(np.mean([gate.is_coloured(preprocess(read(file.read_bytes()), spec)) for file in files]) > 0.5)


def of_files(name: str, modality: str | None, files: Sequence[Path]) -> Images:
    """Files without labels.

    Raises:
        BadManifest: there is none.
    """
    if not files:
        raise errors.BadManifest(f"{name}: there is no .png, .jpg, .jpeg or .dcm file. Name a folder that has some.")
    rows = pd.RangeIndex(2, len(files) + 2)
    table = Manifest(
        files=list(files),
        labels=np.zeros((len(files), 1), np.float32),
        groups=[f"image-{row}" for row in rows],
        masks={},
        splits=[None] * len(files),
        frame=pd.DataFrame(index=rows),
        grouped_by="image",
    )
    return Images(name=name, modality=modality, manifest=table, key=pipeline.fingerprint(table))


@cache
def refused_by_file(images: Images, channels: int) -> Flags:
    """Which of the images `gate.check` refuses for a network of so many channels, [N]: the gateway's first look.

    Pictures that are too small for it, as PneumoniaMNIST's 28 x 28, are enlarged: their size would tell them at once.
    """
    spec = InputSpec(height=64, width=64, channels=channels)  # type: ignore[arg-type]

    def refused(file: Path) -> bool:
        image = read(file.read_bytes())
        times = -(-gate.MIN_SIDE // min(image.height, image.width))
        try:
            gate.check(replace(image, pixels=image.pixels.repeat(times, axis=0).repeat(times, axis=1)), spec)
        except errors.ImageRefused:
            return True
        return False

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.array(list(pool.map(refused, images.manifest.files)))
