"""Hits and misses of the test split, each with where the evidence lies: what a number alone does not show."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from training import pointing
from training.evaluation import LabelResult
from training.summary import SEED, Seen
from zoo.imaging import overlay

Pixels = npt.NDArray[np.uint8]
OUTLINE = (86, 220, 233)  # of a lesion mask; no colour of the heat map
_SHOWN = 3
_SIDE = 224  # pixels of a picture in the report, at least


@dataclass(frozen=True)
class Picture:
    """One test image in the gallery, under its number in the test split and nothing that names a patient.

    Attributes:
        number: place in the test split, from 1.
        probability: of the label, calibrated.
        strength: the strongest evidence for the label, in logits.
        plain, heated: JPEG data URIs of the picture, and of the picture under its heat map.
        outlined: whether a lesion mask is drawn on it.
    """

    number: int
    probability: float
    strength: float
    plain: str
    heated: str
    outlined: bool


@dataclass(frozen=True)
class Shelf:
    """Pictures of one kind.

    Attributes:
        kind: `found`, `missed`, `false alarm` or `rightly clear`.
        total: how many test images are of this kind.
        pictures: a few of them.
    """

    kind: str
    total: int
    pictures: tuple[Picture, ...]


# kind -> (label holds, answered present, worst first)
KINDS: dict[str, tuple[bool, bool, bool]] = {
    "found": (True, True, False),
    "missed": (True, False, True),
    "false alarm": (False, True, True),
    "rightly clear": (False, False, False),
}


def shelves(seen: Seen, label: int, result: LabelResult) -> tuple[Shelf, ...]:
    """A label's gallery.

    Mistakes are shown worst first; what was right is drawn at random (seeded), so that nothing is picked to please.
    All maps share one scale, `full_heat`, so that weak evidence looks weak.

    Args:
        seen: the test split.
        label: which.
        result: its numbers; without an operating point there is nothing to tell hits from misses, and no gallery.
    """
    if result.operating_point is None:
        return ()
    threshold, scale = result.operating_point.threshold, full_heat(seen.evidence[..., label])
    chosen = {kind: choose(seen, label, kind, threshold) for kind in KINDS}
    return tuple(
        Shelf(kind, len(rows), tuple(_picture(seen, label, int(row), scale) for row in rows[:_SHOWN]))
        for kind, rows in chosen.items()
    )


def full_heat(evidence: npt.NDArray[np.float32]) -> float:
    """The evidence that is drawn hottest: what the strongest place reaches in one image of ten; [N, h, w] in logits."""
    return float(np.percentile(np.maximum(evidence, 0).max(axis=(1, 2)), 90)) or 1.0


def heat(evidence: npt.NDArray[np.float32], scale: float) -> npt.NDArray[np.float32]:
    """What speaks for a label, [h, w] in [0, 1], as a share of `scale`."""
    return np.clip(evidence / np.float32(scale), 0, 1)


def choose(seen: Seen, label: int, kind: str, threshold: float) -> npt.NDArray[np.intp]:
    """Rows of the test split that are of this kind, in the order in which they deserve to be shown."""
    holds, answered, worst_first = KINDS[kind]
    probability = seen.probability[:, label]
    of_kind = (seen.test.labels[:, label] == float(holds)) & ((probability >= threshold) == answered)
    rows = np.flatnonzero(of_kind)
    if worst_first:
        return rows[np.argsort(-probability[rows] if answered else probability[rows], kind="stable")]
    return np.random.default_rng(SEED).permutation(rows)


def _picture(seen: Seen, label: int, row: int, scale: float) -> Picture:
    pixels = seen.pixels[row]
    plain = _enlarged(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    evidence = seen.evidence[row, ..., label]
    heated = overlay.overlay(plain, heat(evidence, scale), opacity=0.6)
    mask = _mask(seen, label, row)
    if mask is not None:
        heated[outline(_enlarged(mask.astype(np.uint8) * 255) >= 128)] = OUTLINE
    return Picture(
        number=row + 1,
        probability=float(seen.probability[row, label]),
        strength=max(0.0, float(evidence.max())),
        plain=data_uri(plain),
        heated=data_uri(heated),
        outlined=mask is not None,
    )


def _mask(seen: Seen, label: int, row: int) -> npt.NDArray[np.bool_] | None:
    path = seen.test.masks[seen.task.labels[label]][row]
    if path is None or seen.test.labels[row, label] != 1:
        return None
    mask = pointing.read_mask(path, seen.spec)
    return mask if mask.any() else None


def _enlarged(pixels: Pixels) -> Pixels:
    """The picture at a whole multiple of its size, for the eye only; at least `_SIDE` high."""
    times = -(-_SIDE // pixels.shape[0])
    size = (pixels.shape[1] * times, pixels.shape[0] * times)
    return np.asarray(Pillow.fromarray(pixels).resize(size, Pillow.Resampling.BICUBIC)) if times > 1 else pixels


def outline(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """The pixels of a mask that touch the outside, bool of the mask's shape."""
    padded = np.pad(mask, 1)
    sides: Sequence[npt.NDArray[np.bool_]] = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return mask & ~np.logical_and.reduce(sides)


def data_uri(pixels: Pixels) -> str:
    """A JPEG of quality 88 as a data URI."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
