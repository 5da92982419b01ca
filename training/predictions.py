"""What a model said of every image it was measured on: the table that comparing, pooling and averaging build on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.manifest import Manifest
from zoo import disk, errors

FloatArray = npt.NDArray[np.floating]
FILES = {"test": "predictions.csv", "val": "predictions-val.csv"}
_DIGITS = 16
_COLUMNS = ("truth", "logit", "probability", "present", "hit")


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """One row an image: N images, L labels. No file name and no patient identifier, for either can name a person.

    Attributes:
        labels: names, in output order.
        rows: the image's row in its manifest, the header being row 1.
        images: the first 16 hexadecimal digits of the SHA-256 of the image's file: the same picture anywhere.
        groups: the patient, by number, or the image where the manifest names no patients.
        truth: [N, L]; one-hot for exclusive tasks, else 0, 1 or nan (unknown).
        logits: float32 [N, L], uncalibrated; nan for an ensemble, which has none.
        probability: float32 [N, L], calibrated.
        present: [N, L]; 1 where the probability reaches the label's operating point, 0 where not, nan without one.
        hits: [N, L]; pointing game, 1 where the evidence peaks inside the mask, 0 where not, nan where it is not
            played.
    """

    labels: tuple[str, ...]
    rows: list[int]
    images: list[str]
    groups: list[str]
    truth: FloatArray
    logits: FloatArray
    probability: FloatArray
    present: FloatArray
    hits: FloatArray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        labels: tuple[str, ...],
        logits: FloatArray,
        probability: FloatArray,
        thresholds: Sequence[float | None],
        hits: FloatArray | None = None,
    ) -> Predictions:
        """The answers for the images of a manifest, in its order; `thresholds` are the labels' operating points."""
        return cls(
            labels=labels,
            rows=[manifest.row(index) for index in range(len(manifest))],
            images=[_digest(manifest, index) for index in range(len(manifest))],
            groups=list(manifest.groups),
            truth=manifest.labels,
            logits=logits,
            probability=probability,
            present=present(probability, thresholds),
            hits=np.full(manifest.labels.shape, np.nan) if hits is None else hits,
        )

    def take(self, indices: Sequence[int] | npt.NDArray[np.intp]) -> Predictions:
        """The images at `indices`, in that order."""
        chosen = [int(index) for index in indices]
        return Predictions(
            labels=self.labels,
            rows=[self.rows[i] for i in chosen],
            images=[self.images[i] for i in chosen],
            groups=[self.groups[i] for i in chosen],
            truth=self.truth[chosen],
            logits=self.logits[chosen],
            probability=self.probability[chosen],
            present=self.present[chosen],
            hits=self.hits[chosen],
        )

    def write(self, path: Path) -> None:
        """Writes the table as CSV, whole or not at all; floats in as many digits as bring them back exactly."""
        table = pd.DataFrame({"row": self.rows, "image": self.images, "group": self.groups})
        for name, values in self._columns().items():
            for column, label in enumerate(self.labels):
                table[f"{name}_{label}"] = values[:, column]
        with disk.whole(path) as hidden:
            table.to_csv(hidden, index=False, float_format="%.9g")

    def _columns(self) -> dict[str, FloatArray]:
        given = (self.truth, self.logits, self.probability, self.present, self.hits)
        return dict(zip(_COLUMNS, given, strict=True))

    @classmethod
    def read(cls, path: Path, labels: tuple[str, ...] | None = None) -> Predictions:
        """Reads what `write` wrote; the labels are those of the table unless others are asked for.

        Raises:
            BadRun: there is none, or it is of other labels.
        """
        try:
            table = pd.read_csv(path, dtype={"image": str, "group": str, "row": int})
            own = labels or tuple(n.removeprefix("truth_") for n in table.columns if n.startswith("truth_"))
            found = {name: table[[f"{name}_{label}" for label in own]].to_numpy(np.float32) for name in _COLUMNS}
            lists = [list(table[name]) for name in ("row", "image", "group")]
        except (OSError, ValueError, KeyError):
            raise errors.BadRun(
                f"{path} is missing or unreadable. Measure the run again: `kerascope evaluate RUN --force`."
            ) from None
        return cls(
            labels=own,
            rows=[int(row) for row in lists[0]],
            images=lists[1],
            groups=lists[2],
            truth=found["truth"],
            logits=found["logit"],
            probability=found["probability"],
            present=found["present"],
            hits=found["hit"],
        )


def present(probability: FloatArray, thresholds: Sequence[float | None]) -> FloatArray:
    """[N, L]: 1 where `probability` [N, L] reaches the label's threshold, 0 where not, nan where there is none."""
    cut = np.array([np.nan if value is None else value for value in thresholds], np.float64)
    return np.where(np.isfinite(cut), (probability >= cut).astype(np.float64), np.nan)


def pooled(parts: Sequence[Predictions]) -> Predictions:
    """Predictions for several sets of images as one, in the order given."""
    first = parts[0]
    return Predictions(
        labels=first.labels,
        rows=[row for part in parts for row in part.rows],
        images=[image for part in parts for image in part.images],
        groups=[group for part in parts for group in part.groups],
        truth=np.concatenate([part.truth for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
        probability=np.concatenate([part.probability for part in parts]),
        present=np.concatenate([part.present for part in parts]),
        hits=np.concatenate([part.hits for part in parts]),
    )


def mean_of(parts: Iterable[FloatArray]) -> FloatArray:
    """The mean of several arrays of one shape, added up in float64, as float32."""
    count, total = 0, np.zeros(1)
    for part in parts:
        total = total + part.astype(np.float64)
        count += 1
    return np.asarray(total / count, np.float32)


def aligned(first: Predictions, second: Predictions, names: tuple[str, str]) -> Predictions:
    """`second` in the order of `first`.

    Args:
        first, second: predictions for the same images.
        names: what to call the two in a message.

    Raises:
        BadRequest: they are not of the same images, labels or truth.
    """
    if first.labels != second.labels:
        raise errors.BadRequest(
            f"{names[0]} answers {', '.join(first.labels)} and {names[1]} {', '.join(second.labels)}; "
            "only models with the same labels in the same order can be held against each other."
        )
    places = {key: index for index, key in enumerate(_keys(second))}
    wanted = _keys(first)
    shared = sum(key in places for key in wanted)
    if shared < len(wanted) or len(wanted) != len(places):
        raise errors.BadRequest(
            f"{names[0]} was measured on {len(first)} images and {names[1]} on {len(second)}, of which {shared} are "
            "the same. Measure both on the same test split: the same manifest, `split.seed`, fold and grouping."
        )
    ordered = second.take([places[key] for key in wanted])
    if not np.array_equal(first.truth, ordered.truth, equal_nan=True):
        raise errors.BadRequest(
            f"{names[0]} and {names[1]} were measured on the same images but with other labels. "
            "Measure both with the same manifest."
        )
    return ordered


def _keys(predictions: Predictions) -> list[tuple[str, int]]:
    """Each image's digest, with a count that tells copies of one picture apart."""
    seen: dict[str, int] = {}
    keys = []
    for image in predictions.images:
        seen[image] = seen.get(image, 0) + 1
        keys.append((image, seen[image]))
    return keys


def _digest(manifest: Manifest, index: int) -> str:
    try:
        return hashlib.sha256(manifest.files[index].read_bytes()).hexdigest()[:_DIGITS]
    except OSError as error:
        raise errors.BadManifest(f"Row {manifest.row(index)}, column file: {error.strerror}.") from None
