"""The test split as a model saw it: answers, truths, features and evidence, picture by picture. Needs no TensorFlow.

One file of arrays in the bundle (`numpy.savez_compressed`), so that curves, neighbours, hits and misses can be shown
wherever the model is asked. It names no file and no patient. Small pictures are in it only where whoever exported the
model said so, as they may be of patients.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.measures import Interval, wilson

FloatArray = npt.NDArray[np.floating]

MOST = 500  # pictures; a larger test split is thinned evenly
UNKNOWN = -1
ALIKE, REACH, FEWEST = 50, 0.1, 10  # pictures of about the same probability: how many, how far, at least


@dataclass(frozen=True, kw_only=True)
class Alike:
    """The test pictures of about the same probability.

    Attributes:
        pictures: how many.
        had_it: the share of them that truly had the label, with its interval.
    """

    pictures: int
    had_it: Interval


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceSet:
    """N pictures of the test split, L labels in the card's order, K features.

    Attributes:
        truth: int8 [N, L]: 1 it is there, 0 it is not, -1 nobody knows.
        probability: float32 [N, L], calibrated.
        embedding: float16 [N, K], the pooled features.
        evidence: float16 [N, h, w, L], signed, in logits.
        pca: float32 [N, 2], along the two directions in which the embeddings vary most.
        centre: float32 [K], the embeddings' mean.
        directions: float32 [2, K], those directions, unit vectors: pca = (embedding - centre) directions^T.
        explained: float32 [2], the share of the variance along each.
        tsne: float32 [N, 2], on a plane where neighbours stay neighbours (van der Maaten and Hinton 2008).
        pixels: uint8 [N, side, side], each picture grey and stretched to a square; side 0 where none is told.
        of: how many pictures the whole test split has.
    """

    truth: npt.NDArray[np.int8]
    probability: FloatArray
    embedding: FloatArray
    evidence: FloatArray
    pca: FloatArray
    centre: FloatArray
    directions: FloatArray
    explained: FloatArray
    tsne: FloatArray
    pixels: npt.NDArray[np.uint8]
    of: int

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def has_pictures(self) -> bool:
        """Whether small pictures are in it."""
        return bool(self.pixels.shape[1])

    def without_pictures(self) -> ReferenceSet:
        """The same, fit to leave the house."""
        return replace(self, pixels=np.zeros((len(self), 0, 0), np.uint8))

    def similarity(self, embedding: FloatArray) -> FloatArray:
        """The cosine of the angle between an embedding [K] and each picture's, [N]; 0 where one is all zeros."""
        known = self.embedding.astype(np.float32)
        lengths = np.linalg.norm(known, axis=1) * np.linalg.norm(embedding)
        return np.divide(known @ embedding, lengths, out=np.zeros(len(known), np.float32), where=lengths > 0)

    def alike(self, column: int, probability: float) -> Alike | None:
        """What share of the pictures of about the same probability truly had a label, with its Wilson interval.

        They are the 50 nearest in probability of those whose truth is known, all that are as near as the fiftieth,
        and none that is further than 0.1; None where they are fewer than ten. Pictures count as independent: where
        a patient has several, the interval is a little too narrow.

        Args:
            column: the label's place in the card.
            probability: calibrated.

        Source: the interval is that of Wilson 1927, https://doi.org/10.1080/01621459.1927.10502953; which pictures
            it is of is ours.
        """
        known = self.truth[:, column] != UNKNOWN
        distance = np.abs(self.probability[known, column].astype(float) - probability)
        furthest = min(REACH, np.sort(distance)[:ALIKE].max(initial=0.0))
        had_it = self.truth[known, column][distance <= furthest] == 1
        if len(had_it) < FEWEST:
            return None
        share = float(had_it.mean())
        low, high = wilson(share, len(had_it))
        return Alike(pictures=len(had_it), had_it=Interval(value=share, low=low, high=high))

    def on_pca(self, embedding: FloatArray) -> FloatArray:
        """Where an embedding [K] lies among `pca`, [2]."""
        return np.asarray(self.directions @ (np.asarray(embedding, np.float32) - self.centre))

    def on_tsne(self, embedding: FloatArray, neighbours: int = 5) -> FloatArray:
        """Where an embedding [K] would lie among `tsne`, [2].

        t-SNE is no function: a new picture has no place of its own. It is put at the mean of its nearest neighbours'
        places, weighted by similarity; Policar et al. 2023 (https://doi.org/10.1007/s10994-021-06043-1) begin so.
        """
        alike = self.similarity(embedding)
        nearest = np.argsort(-alike, kind="stable")[:neighbours]
        weights = np.maximum(alike[nearest], 1e-6)
        return np.asarray(weights @ self.tsne[nearest] / weights.sum())

    def to_bytes(self) -> bytes:
        """The file."""
        written = io.BytesIO()
        arrays: dict[str, Any] = {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}
        np.savez_compressed(written, **arrays)
        return written.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> ReferenceSet:
        """Reads what `to_bytes` wrote.

        Raises:
            BadBundle: it is damaged, or of another kind.
        """
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                held = {field.name: arrays[field.name] for field in fields(cls)}
            made = cls(**{**held, "of": int(held["of"])})
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
            raise errors.BadBundle("The reference set is not readable. Export the model again.") from None
        lengths = {len(getattr(made, name)) for name in ("truth", "probability", "embedding", "evidence", "tsne")}
        if len(lengths) != 1:
            raise errors.BadBundle(
                f"The reference set has parts of {sorted(lengths)} pictures. Export the model again."
            )
        return made
