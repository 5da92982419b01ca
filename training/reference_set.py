"""The test split as the network saw it, for whoever asks the model later: `zoo.reference_set.ReferenceSet`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from training.evaluation import FOLDER
from training.outputs import Outputs
from training.pipeline import Pixels
from zoo.explain import features
from zoo.reference_set import MOST, UNKNOWN, ReferenceSet

FloatArray = npt.NDArray[np.floating]

FILE = f"{FOLDER}/reference_set.npz"
LEAST = 4  # pictures; t-SNE takes no fewer
SIDE = 112  # of a small picture


def reference_set(said: Outputs, truth: FloatArray, probability: FloatArray, pixels: Pixels) -> ReferenceSet | None:
    """The reference set of a test split, at most `MOST` of its pictures, evenly taken; None where it has too few.

    Args:
        said: what the network said of it, evidence included.
        truth: [N, L], 1, 0, or NaN for what nobody knows.
        probability: [N, L], calibrated.
        pixels: uint8 [N, H, W, C].
    """
    if len(truth) < LEAST:
        return None
    kept = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), MOST)).round().astype(int))
    embedding = said.embedding[kept]
    flat, near = features.pca(embedding), features.tsne(embedding)
    return ReferenceSet(
        truth=np.where(np.isnan(truth[kept]), UNKNOWN, truth[kept]).astype(np.int8),
        probability=probability[kept].astype(np.float32),
        embedding=embedding.astype(np.float16),
        evidence=said.evidence[kept].astype(np.float16),
        pca=flat.points,
        centre=embedding.mean(axis=0, dtype=np.float64).astype(np.float32),
        directions=np.asarray(flat.directions, np.float32),
        explained=np.asarray(flat.explained, np.float32),
        tsne=near.points,
        pixels=np.stack([_small(pixels[place]) for place in kept]),
        of=len(truth),
    )


def of_run(path: Path) -> ReferenceSet | None:
    """What the evaluation of a run left; None where it left none.

    Raises:
        BadBundle: the file is damaged.
    """
    try:
        return ReferenceSet.from_bytes((path / FILE).read_bytes())
    except OSError:
        return None


def _small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """uint8 [H, W, C] as grey [SIDE, SIDE]."""
    grey = Pillow.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture).convert("L")
    return np.asarray(grey.resize((SIDE, SIDE), Pillow.Resampling.BOX))
