"""The self-test's known bundle, image and answers; `serving.doctor.make` writes them. Needs no TensorFlow."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.bundles import Bundle
from zoo.imaging.image import read
from zoo.registry import archive

HERE = Path(__file__).with_name("known")
NAME, VERSION = "self-test", 1
BUNDLE, IMAGE, ANSWERS = "bundle.tar.gz", "image.png", "answers.json"
MOST_BYTES = 4 << 20
OUTPUTS = ("probability", "logit", "evidence", "embedding")
TOLERANCE = 1e-4
"""Largest difference of an answer from the stored one, as a share of the largest number of that output.

Measured on one processor (AVX-512) with oneDNN held to SSE4.1, AVX, AVX2 and AVX-512, without oneDNN, with XLA, and
with one thread: at most 3e-7. With the weights alone rounded to TensorFloat-32 it is 2.5e-4, to bfloat16 2.2e-3.
"""

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Known:
    """One image of a known bundle, and the answers that it had where it was made.

    Attributes:
        folder: where the three files are.
    """

    folder: Path = HERE

    @property
    def image(self) -> bytes:
        """The image, a PNG file."""
        return (self.folder / IMAGE).read_bytes()

    @property
    def answers(self) -> dict[str, FloatArray]:
        """By output of the signature `analyze`, without the batch's axis."""
        stored = json.loads((self.folder / ANSWERS).read_text(encoding="utf-8"))
        return {name: np.asarray(stored[name], np.float32) for name in OUTPUTS}

    def unpack(self, registry: Path) -> Bundle:
        """The bundle, in an empty registry.

        Raises:
            BadBundle: the archive is damaged.
        """
        bundle = archive.unpack(self.folder / BUNDLE, registry, name=NAME, version=VERSION, most_bytes=MOST_BYTES)
        bundle.verify()
        return bundle

    def damaged(self) -> list[str]:
        """The names of those of the three files that are missing or cannot be read."""
        with tempfile.TemporaryDirectory() as scratch:
            readers = {
                IMAGE: lambda: read(self.image),
                ANSWERS: lambda: self.answers,
                BUNDLE: lambda: self.unpack(Path(scratch)),
            }
            return [name for name, reader in readers.items() if not _works(reader)]

    def difference(self, answers: dict[str, FloatArray]) -> float:
        """The largest difference of these answers from the stored ones, as a share of the largest number of that
        output; infinite where one is missing, of another shape or not finite."""
        return max(_difference(answers.get(name), stored) for name, stored in self.answers.items())


def _works(reader: Callable[[], object]) -> bool:
    try:
        reader()
    except (errors.KerascopeError, OSError, ValueError, LookupError, TypeError):
        return False
    return True


def _difference(found: FloatArray | None, stored: FloatArray) -> float:
    if found is None or np.shape(found) != stored.shape or not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(found - stored).max() / np.abs(stored).max())
