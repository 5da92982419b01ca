"""Which images of a manifest a bundle's gate admits, as the gateway would, and what became of the others."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.progress import track

from training.manifest import Manifest
from zoo import errors
from zoo.cards import ModelCard
from zoo.imaging import gate
from zoo.imaging.image import read
from zoo.imaging.preprocess import preprocess


class Admission:
    """The gate of one bundle, asked about the images of one manifest.

    Attributes:
        refused: reason -> how many images.
        unusual: rows of the manifest that are answered with a caution.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card
        self.refused: Counter[str] = Counter()
        self.unusual: set[int] = set()

    def by_picture(self, images: Manifest, console: Console) -> tuple[list[int], npt.NDArray[np.uint8]]:
        """The rows whose file and picture are admitted, and their preprocessed pixels [N, H, W, C].

        Raises:
            BadManifest: a picture cannot be read.
        """
        rows, pixels = [], []
        for row in track(range(len(images)), "Reading", console=console, transient=True):
            try:
                pixels.append(self._admit(images, row))
                rows.append(row)
            except errors.ImageRefused as error:
                self.refused[error.reason.value] += 1
            except errors.BadImage as error:
                raise errors.BadManifest(f"Row {images.row(row)}, column file: {error}") from None
        return rows, np.array(pixels, np.uint8)

    def by_features(self, rows: list[int], embedding: npt.NDArray[np.float32]) -> list[int]:
        """The places in `rows` whose features, [N, K], are admitted too."""
        admitted = []
        for place, (row, features) in enumerate(zip(rows, embedding, strict=True)):
            try:
                if gate.check_embedding(features, self._card.gate):
                    self.unusual.add(row)
                admitted.append(place)
            except errors.ImageRefused as error:
                self.refused[error.reason.value] += 1
                self.unusual.discard(row)
        return admitted

    def _admit(self, images: Manifest, row: int) -> npt.NDArray[np.uint8]:
        image = read(images.files[row].read_bytes())
        gate.check(image, self._card.input)
        pixels = preprocess(image, self._card.input)
        if gate.check_pixels(pixels, self._card.gate):
            self.unusual.add(row)
        return pixels
