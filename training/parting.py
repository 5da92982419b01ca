"""A manifest with its split written into it: by patient, by near-duplicate where asked, labels spread evenly."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
from rich.console import Console

from training import columns, manifest, splits
from training.check import compare, guess_task, look_at
from training.config import Split
from training.duplicates import Pair
from training.manifest import Manifest
from training.splits import FOLD
from zoo import disk, errors
from zoo.tasks import Task


def split_manifest(
    path: Path,
    out: Path,
    *,
    task: Task | None = None,
    folds: int = 0,
    seed: int = 0,
    group_near_duplicates: bool = False,
    console: Console | None = None,
) -> Manifest:
    """Writes the manifest again with a column `split` in place of its own.

    Args:
        path: CSV or Parquet.
        out: the manifest to write, CSV; paths in it are relative to its folder.
        task: whose labels are spread evenly; None takes them from the table.
        folds: 0 for 70/10/20; k for a column `fold` besides, from 0 to k - 1, of which `split` tests fold 0.
        seed: the same seed gives the same split.
        group_near_duplicates: keep pictures that are the same again on one side; every file is read for that.
        console: shows progress; None is silent.

    Returns:
        The images with their splits.

    Raises:
        BadManifest: it is no such table, a file cannot be read, or there are too few groups.
    """
    path, out = Path(path), Path(out)
    task = task or guess_task(columns.table(path))
    images = manifest.read(path, task, allow_leakage=True)
    images = replace(images, splits=[None] * len(images), frame=images.frame.drop(columns=FOLD, errors="ignore"))
    if group_near_duplicates:
        images = splits.group_near_duplicates(images, _pairs(images, console))
    parted = [splits.assign(images, Split(seed=seed, folds=folds, fold=fold)) for fold in range(max(folds, 1))]
    table = _moved(images.frame, path.resolve().parent, out.resolve().parent, task)
    table["split"] = parted[0].splits
    if folds:
        tested = [[side == "test" for side in part.splits] for part in parted]
        table[FOLD] = [sides.index(True) for sides in zip(*tested, strict=True)]
    _write(table, out)
    return parted[0]


def _pairs(images: Manifest, console: Console | None) -> list[Pair]:
    looks, prints = look_at(images, console)
    faults = [f"row {images.row(place)}: {look.fault}" for place, look in enumerate(looks) if look.fault]
    if faults:
        raise errors.BadManifest(
            f"{len(faults)} of {len(images)} images cannot be read: {' '.join(faults[:5])} Mend the files, or take "
            "their rows out."
        )
    return compare(prints, console)


def _moved(frame: pd.DataFrame, source: Path, target: Path, task: Task) -> pd.DataFrame:
    """The table with every path relative to the folder it will lie in."""
    table = frame.drop(columns=["split", FOLD], errors="ignore").copy()
    for column in {"file", "mask", *(f"mask_{label}" for label in task.labels)} & set(table.columns):
        table[column] = [os.path.relpath(source / text, target) if text else "" for text in table[column]]
    return table


def _write(table: pd.DataFrame, out: Path) -> None:
    try:
        with disk.whole(out) as hidden:
            table.to_csv(hidden, index=False)
    except OSError as error:
        raise errors.BadManifest(f"{out} cannot be written: {error.strerror}. Give another path.") from None
