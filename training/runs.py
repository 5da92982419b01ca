"""The run folder: everything about one training run, for a person and for the commands that follow."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from training import pipeline
from training.config import RunConfig
from training.lesions import Boxes, Lesion
from training.manifest import Manifest
from zoo import disk, errors
from zoo.cards import InputSpec
from zoo.tasks import Task

if TYPE_CHECKING:
    import keras
    from rich.console import Console

PACKAGES = ("kerascope", "tensorflow", "keras", "numpy", "pandas", "scipy", "scikit-learn", "pillow", "pydicom")
_KEPT_COLUMNS = ("view", "age", "sex", "source")


class Run:
    """One run folder.

        config.json        the training file as it was run
        environment.json   code revision, package versions, data fingerprint, what the split is grouped by
        split.csv          every image: file, split, group, labels, masks, boxes; no patient identifier
        model.keras        the weights kept; gives logits
        history.csv, tensorboard/
        state/             what a killed run resumes from; gone once finished
        result.json        the validation scores; its presence says that training is finished
        evaluation/        what `kerascope evaluate` measured; audit/ what `kerascope explain audit` did

    Args:
        path: the folder, which need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @property
    def config(self) -> RunConfig:
        """The training file as it was run, `--set` applied.

        Raises:
            BadRun: no such run.
        """
        return RunConfig.parse(self._json("config.json"), source=str(self.path / "config.json"))

    @property
    def task(self) -> Task:
        """The clinical question."""
        return self.config.resolve_task()

    @property
    def spec(self) -> InputSpec:
        """What the network takes."""
        return self.config.input_spec

    @property
    def environment(self) -> dict[str, Any]:
        """code_revision, packages {name: version}, data (name), fingerprint, grouped_by.

        Raises:
            BadRun: no such run.
        """
        return self._json("environment.json")

    @property
    def result(self) -> dict[str, Any]:
        """probe_score, score, score_name, kept ("probe" or "finetuned"), seconds.

        Raises:
            BadRun: no such run, or not finished.
        """
        return self._json("result.json")

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end."""
        return (self.path / "result.json").is_file()

    def split(self, name: str) -> Manifest:
        """The images of `train`, `val` or `test`, in the manifest's order.

        Raises:
            BadRun: the split was not made yet.
        """
        everything = self.images()
        return everything.take(np.flatnonzero([side == name for side in everything.splits]))

    def images(self) -> Manifest:
        """The images of all splits.

        Raises:
            BadRun: the split was not made yet.
        """
        try:
            frame = pd.read_csv(self.path / "split.csv", dtype=str, keep_default_na=False, index_col="row")
        except OSError:
            raise self._missing("split.csv") from None
        labels = self.task.labels
        return Manifest(
            files=[Path(file) for file in frame["file"]],
            labels=frame[list(labels)].replace("", "nan").to_numpy(np.float32),
            groups=list(frame["group"]),
            masks={label: _lesions(frame, label) for label in labels},
            splits=list(frame["split"]),
            frame=frame,
            grouped_by=self.environment["grouped_by"],
        )

    def pixels(self, name: str, *, console: Console | None = None) -> pipeline.Pixels:
        """The pictures of `split(name)`, in its order: uint8 [N, H, W, C], decoded only if no run did before.

        Raises:
            BadRun: the split was not made yet.
            BadManifest: pictures cannot be read.
        """
        everything = self.images()
        key = self.environment["fingerprint"]
        stored = pipeline.load(everything, self.spec, self.cache, key=key, console=console)
        return stored[[side == name for side in everything.splits]]

    @property
    def cache(self) -> Path:
        """The folder of decoded pictures, shared by the runs beside this one."""
        return self.path.parent / ".cache"

    def model(self) -> keras.Model:
        """The network with the weights kept: float32 pixels in [0, 255] to logits.

        Raises:
            BadRun: not finished, or the file is damaged.
        """
        from zoo.models import classifier

        if not self.is_finished:
            raise self._missing("result.json")
        try:
            return classifier.load(self.path / "model.keras")
        except (OSError, ValueError) as error:
            raise errors.BadRun(
                f"{self.path / 'model.keras'} cannot be loaded: {error}. Remove the folder and train again."
            ) from None

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Writes one of the folder's JSON files at once or not at all."""
        disk.write_whole(self.path / name, json.dumps(values, indent=2) + "\n")

    def write_split(self, manifest: Manifest) -> None:
        """Writes `split.csv`: one row an image, without patient identifiers."""
        table = pd.DataFrame({"file": [str(file) for file in manifest.files]}, index=manifest.frame.index)
        table["split"], table["group"] = manifest.splits, manifest.groups
        for column, label in enumerate(self.task.labels):
            table[label] = ["" if np.isnan(value) else str(int(value)) for value in manifest.labels[:, column]]
        for label, lesions in manifest.masks.items():
            for shape, kind in (("mask", Path), ("box", Boxes)):
                if any(isinstance(lesion, kind) for lesion in lesions):
                    table[f"{shape}_{label}"] = [str(one) if isinstance(one, kind) else "" for one in lesions]
        for name in _KEPT_COLUMNS:
            if name in manifest.frame:
                table[name] = manifest.frame[name]
        with disk.whole(self.path / "split.csv") as hidden:
            table.to_csv(hidden, index_label="row")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            values: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError:
            raise self._missing(name) from None
        except ValueError as error:
            raise errors.BadRun(f"{self.path / name} is damaged: {error}. Train again in another folder.") from None
        return values

    def _missing(self, name: str) -> errors.BadRun:
        if (self.path / "config.json").is_file():
            return errors.BadRun(f"The run {self.path} has no {name}: it is not finished. Start the training again.")
        return errors.BadRun(f"{self.path} is no run folder: it has no {name}. `kerascope train` makes one.")


def _lesions(frame: pd.DataFrame, label: str) -> list[Lesion | None]:
    """What `write_split` wrote of a label's masks and boxes."""
    nothing = [""] * len(frame)
    masks, boxes = frame.get(f"mask_{label}", nothing), frame.get(f"box_{label}", nothing)
    return [
        Path(mask) if mask else Boxes.parse(box, Path(file)) if box else None
        for file, mask, box in zip(frame["file"], masks, boxes, strict=True)
    ]


def code_revision(folder: Path = Path(__file__).parent) -> str:
    """The git commit of the code, with `+` where tracked files were changed; `unknown` outside a checkout."""
    try:
        commit = _git(folder, "rev-parse", "HEAD")
        return commit + ("+" if _git(folder, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=True)
    return done.stdout.strip()


def packages() -> dict[str, str]:
    """The version of each package that matters and is there."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
