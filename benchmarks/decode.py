"""A radiograph read and let through the gate, against a bare read: `python -m benchmarks.decode`, and in `make bench`.

Ours is all that stands between a file's bytes and the model: the file parsed and checked, the windows, the three looks
of `zoo.imaging.gate` and the resizing. The network's features are made up, so that no network runs.
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
from zoo.imaging.appearance import appearance
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess
from zoo.reference import Gate, Limits, Reference, thumbnail

SPEC = InputSpec(height=224, width=224, channels=1, modalities=("CR",), body_parts=("CHEST",), views=("PA",))
FEATURES = 1280
BAR, ROUNDS = 1.3, 60


def bare(data: bytes, size: int) -> np.ndarray:
    """What anybody's script does: pydicom's pixels, to 8 bits, resized by Pillow; no windows, no checks."""
    pixels = (dcmread(io.BytesIO(data)).pixel_array >> 4).astype(np.uint8)
    return np.asarray(Pillow.fromarray(pixels).resize((size, size), Pillow.Resampling.BILINEAR))


def gated(data: bytes, known: Gate) -> np.ndarray:
    """The pixels that the model would be asked with; a refusal raises."""
    image = read(data)
    gate.check(image, SPEC)
    pixels = preprocess(image, SPEC)
    gate.check_pixels(pixels, known)
    gate.check_embedding(np.zeros(FEATURES, np.float32), known)
    return pixels


def gate_of(data: bytes) -> Gate:
    """Training images whose average is this picture, in as many features and directions as a card has."""
    pixels = preprocess(read(data), SPEC)
    looks = appearance(pixels)
    return Gate(
        colour="grey",
        mean_picture=tuple(int(grey) for grey in thumbnail(pixels)),
        likeness=0.5,
        texture=_around(looks.texture, 24),
        layout=_around(looks.layout, 24),
        embedding=_around(np.zeros(FEATURES), 8),
    )


def _around(features: np.ndarray, directions: int) -> Reference:
    return Reference(
        mean=tuple(features.tolist()),
        standard_deviation=(1.0,) * len(features),
        images=1000,
        directions=tuple(map(tuple, np.eye(directions, len(features)).tolist())),
        variances=(1.0,) * directions,
        rest=1.0,
        limits=Limits(refusal=2.0, refusal_share=0.003, caution=1.5, caution_share=0.015, patients=1000, images=1000),
    )


def measure() -> Measured:
    """Both in turns, in this process."""
    data = radiograph()
    known = gate_of(data)
    return compare(
        f"decode and gate, {SIDE} x {SIDE} DICOM of 12 bits",
        lambda: gated(data, known),
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
