"""A public set as downloaded becomes a manifest; pictures are referenced where they lie if our reader can read them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from training.datasets import sets
from training.datasets.source import PublicSet
from training.datasets.work import Progress, Work
from zoo import errors

READER = 1  # raised whenever the same source and options give other pictures
_FEW = 0.05
_OPTIONAL = ("patient_id", "split", "mask", "box", "view", "age", "sex", "series")


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What an import made.

    Attributes:
        record: the set.
        manifest: the table's path.
        images: how many rows it has.
        patients: how many patients, or 0 where the set does not name them.
        splits: images of each side; empty where the set has no official split.
        notes: what was left out or changed, in sentences.
    """

    record: PublicSet
    manifest: Path
    images: int
    patients: int
    splits: dict[str, int]
    notes: tuple[str, ...]


def import_set(
    name: str, source: Path, out: Path, *, settings: Mapping[str, str] | None = None, progress: Progress | None = None
) -> Imported:
    """Reads a public set into `out`: `manifest.csv`, `source.json`, and pictures that had to be converted.

    Rows whose image is not there are left out and counted, for people download parts of large sets. Patients whose
    images lie on several sides of the official split go to `train`; where these are more than one in twenty, the
    official split is left out, for it would measure how well patients are recognised.

    Args:
        name: of the set, as `kerascope data sets` lists them.
        source: the folder or file as downloaded and unpacked; never written to.
        out: the folder to make. One import at a time may write to it.
        settings: of the set's options, by name.
        progress: called with the steps done and how many there are.

    Raises:
        BadConfig: no such set, option or choice.
        BadManifest: the source is not what the set looks like, or `out` holds something else.
    """
    record = sets.get(name)
    options = record.chosen(settings or {})
    source = Path(os.path.expanduser(source)).resolve()
    out = Path(os.path.expanduser(out)).resolve()
    if source.is_dir() and (out.is_relative_to(source) or source.is_relative_to(out)):
        raise errors.BadConfig(
            f"{out} and {source} lie in each other; the folder to make must be apart from the download."
        )
    recipe = {"set": name, "source": str(source), "options": options, "reader": READER}
    work = Work(out=out, recipe=recipe, progress=progress)
    work.check()
    frame = _mended(_present(record.frame(source, work, options), record, work), work)
    work.claim()
    manifest = work.write("manifest.csv", _text(frame, work.out))
    return Imported(
        record=record,
        manifest=manifest,
        images=len(frame),
        patients=frame["patient_id"].nunique() if "patient_id" in frame else 0,
        splits=frame["split"].value_counts().to_dict() if "split" in frame else {},
        notes=tuple(work.notes),
    )


def _present(frame: pd.DataFrame, record: PublicSet, work: Work) -> pd.DataFrame:
    """The rows whose image is there.

    Raises:
        BadManifest: none is.
    """
    there = [path is not None and Path(path).is_file() for path in frame["file"]]
    if not any(there):
        raise errors.BadManifest(
            f"The index names {len(frame)} images, and none of them is there. Unpack the images as well. "
            f"{record.obtain} See `kerascope data sets {record.name}`."
        )
    if lost := len(there) - sum(there):
        work.notes.append(f"{lost} of {len(there)} images of the index are not there and were left out.")
    return frame[there].reset_index(drop=True)


def _mended(frame: pd.DataFrame, work: Work) -> pd.DataFrame:
    """No patient on two sides."""
    if not {"patient_id", "split"} <= set(frame.columns):
        return frame
    known = frame[frame["patient_id"] != ""]
    sides = known.groupby("patient_id")["split"].nunique()
    torn = set(sides.index[sides > 1])
    if not torn:
        return frame
    if len(torn) <= _FEW * len(sides):
        work.notes.append(f"Patients on two sides of the official split: {len(torn)}. All their images are in train.")
        return frame.assign(split=frame["split"].mask(frame["patient_id"].isin(torn), "train"))
    work.notes.append(
        f"{len(torn)} of {len(sides)} patients are on two sides of the official split; it was left out, and training "
        "splits by patient."
    )
    return frame.drop(columns="split")


def _text(frame: pd.DataFrame, out: Path) -> str:
    """The table as CSV, its paths relative to `out`, without columns that say nothing."""
    shown = frame.copy()
    for column in shown.columns:
        if column == "file" or column == "mask" or column.startswith("mask_"):
            shown[column] = [os.path.relpath(path, out) if path else "" for path in shown[column]]
    shown = shown.fillna("").astype(str)
    said = [column for column in shown.columns if not _optional(column) or (shown[column] != "").any()]
    return str(shown[said].to_csv(index=False, lineterminator="\n"))


def _optional(column: str) -> bool:
    return column in _OPTIONAL or column.startswith(("mask_", "box_"))
