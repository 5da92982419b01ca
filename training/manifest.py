"""The manifest: one table (CSV or Parquet), one row an image. Every mistake in it is named by row and column.

Rows are counted as a spreadsheet shows them: the header is row 1. Messages name rows, not files, for a
file's name is often a patient's identifier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from zoo import errors
from zoo.tasks import Task

SPLITS = ("train", "val", "test")
NONE = "none"  # in the column `label` of a task whose labels do not exclude each other: none of them
_SHOWN = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Manifest:
    """The images of a data set, or of a part of it.

    Attributes:
        files: where each image lies, absolute; N of them.
        labels: float32 [N, L]; one-hot for exclusive tasks, else 0, 1 or nan (unknown).
        groups: what may not be torn apart by a split: one name per patient, or per image without a patient. A patient
            is named by the row of the first image, so that no identifier goes further than this module.
        masks: for each label, where each image's lesion mask lies, or None.
        splits: `train`, `val`, `test`, or None where the manifest does not say.
        frame: the table as read, all text, its index the row's number; it may hold identifiers.
        grouped_by: `patient_id`, or `image` where the manifest names no patients; more may be added by a split.
    """

    files: list[Path]
    labels: npt.NDArray[np.float32]
    groups: list[str]
    masks: dict[str, list[Path | None]]
    splits: list[str | None]
    frame: pd.DataFrame
    grouped_by: str

    def __len__(self) -> int:
        return len(self.files)

    def row(self, index: int) -> int:
        """The number of a row in the table, as a spreadsheet shows it."""
        return int(self.frame.index[index])

    def take(self, indices: Sequence[int] | npt.NDArray[np.intp]) -> Manifest:
        """The images at `indices`, in that order."""
        chosen = [int(index) for index in indices]
        return Manifest(
            files=[self.files[i] for i in chosen],
            labels=self.labels[chosen],
            groups=[self.groups[i] for i in chosen],
            masks={label: [paths[i] for i in chosen] for label, paths in self.masks.items()},
            splits=[self.splits[i] for i in chosen],
            frame=self.frame.iloc[chosen],
            grouped_by=self.grouped_by,
        )


def read(path: Path, task: Task) -> Manifest:
    """Reads a manifest and checks all of it.

    Columns: `file`; `label`, or one column per label of the task; and where they exist `patient_id`, `split`,
    `mask` (any lesion: it belongs to the row's one label), `mask_<label>` (goes before `mask`). An empty label is
    unknown. Where labels do not exclude each other, `label` may hold several, separated by `;`, or `none`.

    Raises:
        BadManifest: the file cannot be read, or rows are wrong; the first ten mistakes are named.
    """
    frame = _table(Path(path))
    checks = _Checks(Path(path), frame, task)
    files = checks.paths("file", required=True)
    labels = checks.labels()
    masks = checks.masks(labels)
    splits, groups = checks.splits(), checks.groups()
    checks.listed_once(files)
    checks.one_side_each(groups, splits)
    checks.end()
    return Manifest(
        files=[path for path in files if path is not None],
        labels=labels,
        groups=groups,
        masks=masks,
        splits=splits,
        frame=frame,
        grouped_by="patient_id" if checks.has("patient_id") else "image",
    )


def _table(path: Path) -> pd.DataFrame:
    """The table as text, empty where nothing is said; the index is the row's number."""
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path).astype(object).map(_text)
        else:
            frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig", skip_blank_lines=False)
    except FileNotFoundError:
        raise errors.BadManifest(f"There is no manifest at {path}. Give the path of a CSV or Parquet table.") from None
    except ImportError:
        raise errors.BadManifest(
            f"{path}: reading Parquet needs pyarrow. Install it, or write the table as CSV."
        ) from None
    except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
        raise errors.BadManifest(f"{path} is no readable table: {error}".strip().rstrip(".") + ".") from None
    frame.columns = [str(column).strip() for column in frame.columns]
    if frame.empty or "file" not in frame.columns or frame.columns.has_duplicates:
        raise errors.BadManifest(
            f"{path} has {len(frame)} rows and the columns {', '.join(frame.columns)}; "
            "expected one row an image and, each once, the columns file and label (or one per label)."
        )
    frame = frame.apply(lambda column: column.str.strip())
    frame.index = pd.RangeIndex(2, len(frame) + 2)
    return frame


def _text(value: object) -> str:
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return ""
    return str(value)


class _Checks:
    """Reads the columns one after the other and remembers what is wrong."""

    def __init__(self, path: Path, frame: pd.DataFrame, task: Task) -> None:
        self._path, self._frame, self._task = path, frame, task
        self._base = path.resolve().parent
        self._faults: list[str] = []

    def has(self, column: str) -> bool:
        """Whether the column exists and is not empty all over."""
        return column in self._frame.columns and bool((self._frame[column] != "").any())

    def _cells(self, column: str) -> list[tuple[int, str]]:
        return list(zip(self._frame.index, self._frame[column], strict=True))

    def _wrong(self, row: int, column: str, what: str) -> None:
        self._faults.append(f"row {row}, column {column}: {what}")

    def end(self) -> None:
        """Raises if anything was wrong."""
        if self._faults:
            more = f" and {len(self._faults) - _SHOWN} more" if len(self._faults) > _SHOWN else ""
            shown = "; ".join(self._faults[:_SHOWN])
            raise errors.BadManifest(f"{self._path}: {shown}{more}. (The header is row 1.)")

    def paths(self, column: str, *, required: bool = False) -> list[Path | None]:
        """The column as absolute paths; each must exist."""
        found: list[Path | None] = []
        for row, text in self._cells(column):
            path = self._base / text if text else None
            if path is not None and not path.is_file():
                self._wrong(row, column, "there is no such file; paths are relative to the manifest")
            elif path is None and required:
                self._wrong(row, column, "empty; expected the path of an image")
            found.append(path)
        return found

    def labels(self) -> npt.NDArray[np.float32]:
        """float32 [N, L]."""
        own = [label for label in self._task.labels if label in self._frame.columns]
        if own and len(own) < len(self._task.labels):
            missing = ", ".join(label for label in self._task.labels if label not in own)
            raise errors.BadManifest(
                f"{self._path} has label columns, but not {missing}; {self._task.name} needs all of "
                f"{', '.join(self._task.labels)}. A column may be left empty: unknown."
            )
        if own:
            return self._from_columns()
        if "label" in self._frame.columns:
            return np.array([self._named(row, text) for row, text in self._cells("label")], np.float32)
        raise errors.BadManifest(
            f"{self._path} has neither a column label nor the columns {', '.join(self._task.labels)}; "
            f"it has {', '.join(self._frame.columns)}."
        )

    def _from_columns(self) -> npt.NDArray[np.float32]:
        columns = [[self._zero_or_one(*cell, label) for cell in self._cells(label)] for label in self._task.labels]
        labels = np.array(columns, np.float32).T
        if self._task.kind.exclusive:
            for row, answers in zip(self._frame.index, labels, strict=True):
                if np.isfinite(answers).any() and sorted(np.nan_to_num(answers))[-2:] != [0, 1]:
                    self._wrong(row, "/".join(self._task.labels), "exactly one must be 1, or all empty for unknown")
            labels = np.where(np.nansum(labels, axis=1, keepdims=True) == 1, np.nan_to_num(labels), np.nan)
        return labels.astype(np.float32)

    def _zero_or_one(self, row: int, text: str, column: str) -> float:
        if not text:
            return np.nan
        try:
            value = float(text)
        except ValueError:
            value = np.nan
        if value not in (0, 1):
            self._wrong(row, column, f"{text!r}; expected 0, 1 or empty for unknown")
        return value

    def _named(self, row: int, text: str) -> list[float]:
        """One cell of the column `label` as a row of labels."""
        labels, exclusive = self._task.labels, self._task.kind.exclusive
        names = [text] if exclusive else [part.strip() for part in text.split(";")]
        known = set(labels) if exclusive else {*labels, NONE}
        if not text:
            return [np.nan] * len(labels)
        for name in names:
            if name not in known:
                self._wrong(row, "label", f"{name!r} is no label of {self._task.name}; expected {self._allowed()}")
        return [float(label in names) for label in labels]

    def _allowed(self) -> str:
        several = "" if self._task.kind.exclusive else f", several separated by ';', or {NONE}"
        return f"{', '.join(self._task.labels)}{several}, or empty for unknown"

    def masks(self, labels: npt.NDArray[np.float32]) -> dict[str, list[Path | None]]:
        """Paths of the masks of every label."""
        empty: list[Path | None] = [None] * len(self._frame)
        shared = self.paths("mask") if "mask" in self._frame.columns else empty
        alone = np.nansum(labels, axis=1) == 1
        return {
            label: self.paths(f"mask_{label}")
            if f"mask_{label}" in self._frame.columns
            else [path if alone[i] and labels[i, column] == 1 else None for i, path in enumerate(shared)]
            for column, label in enumerate(self._task.labels)
        }

    def splits(self) -> list[str | None]:
        """The column `split`; given for all rows or for none."""
        if not self.has("split"):
            return [None] * len(self._frame)
        for row, text in self._cells("split"):
            if text not in SPLITS:
                self._wrong(row, "split", f"{text!r}; expected train, val or test (in every row, or in none)")
        return [text or None for _, text in self._cells("split")]

    def groups(self) -> list[str]:
        """The patient, by the row where he or she first appears and never by identifier; or the image itself."""
        first: dict[str, int] = {}
        if "patient_id" not in self._frame.columns:
            return [f"image-{row}" for row in self._frame.index]
        return [
            f"patient-{first.setdefault(text, row)}" if text else f"image-{row}"
            for row, text in self._cells("patient_id")
        ]

    def listed_once(self, files: Sequence[Path | None]) -> None:
        """Refuses an image that is listed twice."""
        self._repeats("file", [None if path is None else str(path.resolve()) for path in files])

    def _repeats(self, column: str, keys: Sequence[str | None]) -> None:
        first: dict[str, int] = {}
        for row, key in zip(self._frame.index, keys, strict=True):
            if key is not None and first.setdefault(key, row) != row:
                self._wrong(row, column, f"the same file as in row {first[key]}")

    def one_side_each(self, groups: Sequence[str], splits: Sequence[str | None]) -> None:
        """Refuses a patient whose images are on two sides of the given split."""
        first: dict[str, tuple[int, str | None]] = {}
        for row, group, split in zip(self._frame.index, groups, splits, strict=True):
            other, side = first.setdefault(group, (row, split))
            if side != split:
                self._wrong(row, "split", f"{split}, but the same patient_id is in {side} in row {other}")
