"""A radiograph read and let through the gate, against a bare read: `python -m benchmarks.decode`, and in `make bench`.

Ours is all that stands between a file's bytes and the model: the file parsed and checked, the windows, the three looks
of `zoo.imaging.gate` and the resizing. The third look's features are made up, so that no network runs.
"""

from __future__ import annotations

import io
import sys

import numpy as np
from PIL import Image as Pillow
from pydicom import dcmread

from benchmarks.radiograph import SIDE, radiograph
from benchmarks.timing import Measured, compare
from zoo.cards import InputSpec
from zoo.imaging import gate
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess
from zoo.reference import ReferenceEmbedding, thumbnail

SPEC = InputSpec(height=224, width=224, channels=1, modalities=("CR",), body_parts=("CHEST",), views=("PA",))
FEATURES, DIRECTIONS = 1280, 16
BAR, ROUNDS = 1.3, 60


def bare(data: bytes, size: int) -> np.ndarray:
    """What anybody's script does: pydicom's pixels, to 8 bits, resized by Pillow; no windows, no checks."""
    pixels = (dcmread(io.BytesIO(data)).pixel_array >> 4).astype(np.uint8)
    return np.asarray(Pillow.fromarray(pixels).resize((size, size), Pillow.Resampling.BILINEAR))


def gated(data: bytes, reference: ReferenceEmbedding) -> np.ndarray:
    """The pixels that the model would be asked with; a refusal raises."""
    image = read(data)
    gate.check(image, SPEC)
    pixels = preprocess(image, SPEC)
    gate.check_pixels(pixels, reference)
    gate.check_embedding(np.zeros(FEATURES, np.float32), reference)
    return pixels


def reference_of(data: bytes) -> ReferenceEmbedding:
    """Training images whose average is this picture, in as many features and directions as a card has."""
    unit = np.eye(DIRECTIONS, FEATURES)
    return ReferenceEmbedding(
        mean=(0.0,) * FEATURES,
        standard_deviation=(1.0,) * FEATURES,
        images=1000,
        directions=tuple(map(tuple, unit.tolist())),
        variances=(1.0,) * DIRECTIONS,
        rest=1.0,
        limit=2.0,
        mean_picture=tuple(int(grey) for grey in thumbnail(preprocess(read(data), SPEC))),
        likeness=0.5,
        false_refusals=0.01,
    )


def measure() -> Measured:
    """Both in turns, in this process."""
    data = radiograph()
    reference = reference_of(data)
    return compare(
        f"decode and gate, {SIDE} x {SIDE} DICOM of 12 bits",
        lambda: gated(data, reference),
        "pydicom decode + resize",
        lambda: bare(data, SPEC.width),
        rounds=ROUNDS,
        bar=BAR,
    )


def main() -> int:
    """Measures and prints."""
    found = measure()
    held = "holds" if found.holds else "FAILS"
    print(f"{found.name}: {found.ms:.2f} ms; {found.peer}: {found.peer_ms:.2f} ms")
    print(f"{found.ratio:.2f} times, at most {BAR}: {held}")
    return int(not found.holds)


if __name__ == "__main__":
    sys.exit(main())
