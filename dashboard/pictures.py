"""Pixels for the screen: the picture at the size of a screen, with or without a map, and how two maps compare."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

from zoo.imaging.image import Image, Pixels
from zoo.imaging.overlay import colours, enlarge, heatmap, overlay

FloatArray = npt.NDArray[np.float32]

MAX_SIDE = 1024
CASE_SIDE = 224


def for_screen(image: Image) -> Pixels:
    """The picture with its longer side at most `MAX_SIDE` pixels; uint8 [height, width] or [height, width, 3]."""
    picture = Pillow.fromarray(image.pixels)
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Pillow.Resampling.LANCZOS)
    return np.asarray(picture)


def data_uri(pixels: Pixels) -> str:
    """Pixels as a JPEG inside a `data:` address: it lives in the page it is shown on and nowhere else."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def with_map(pixels: Pixels, heat: FloatArray | None, opacity: float) -> str:
    """A picture, under a map where there is one, as a `data:` address.

    Args:
        pixels: uint8 [height, width] or [height, width, 3].
        heat: float32 [rows, columns] in [0, 1], covering the whole picture; None shows the picture alone.
        opacity: of the hottest place, in [0, 1].
    """
    return data_uri(pixels if heat is None else overlay(pixels, heat, opacity=opacity))


def of_case(pixels: Pixels, heat: FloatArray) -> str:
    """A small picture of the reference set under a map, as a `data:` address; the map alone where there is no picture.

    Args:
        pixels: uint8 [side, side]; side 0 for no picture.
        heat: float32 [rows, columns] in [0, 1].
    """
    if not pixels.size:
        return data_uri(colours(enlarge(heat, CASE_SIDE, CASE_SIDE)))
    large = Pillow.fromarray(pixels).resize((CASE_SIDE, CASE_SIDE), Pillow.Resampling.BICUBIC)
    return data_uri(overlay(np.asarray(large), heat))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike two maps are.

    Attributes:
        cosine: of the angle between them as vectors, 1 for the same shape; None where one is all zeros.
        largest_difference: between them at any one place, each scaled to a maximum of 1.
    """

    cosine: float | None
    largest_difference: float


def agreement(evidence: FloatArray, heat: FloatArray) -> Agreement | None:
    """The positive part of the evidence that was served against a method's map of the same label.

    Args:
        evidence: [rows, columns], signed.
        heat: [rows, columns] in [0, 1].

    Returns:
        None where the two have different grids: any resampling would be compared too.
    """
    ours, _ = heatmap(evidence)
    if ours.shape != heat.shape:
        return None
    norms = float(np.linalg.norm(ours) * np.linalg.norm(heat))
    cosine = float((ours * heat).sum()) / norms if norms else None
    return Agreement(cosine=cosine, largest_difference=float(np.abs(ours - heat).max()))
