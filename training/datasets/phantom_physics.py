"""X-rays through thickness maps: the grid, the drawing of tubes, attenuation, and the detector.

Lengths are centimetres in the patient, x to the right of the picture (the patient's left), y downwards, the origin in
the middle of the chest. A thickness map holds, for each pixel, the length of the ray inside one material.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
Window = tuple[slice, slice]

# Linear attenuation at 60 keV in 1/cm: mass attenuation times density, NIST X-Ray Mass Attenuation Coefficients, table
# 4 (ICRU-44 materials). Soft tissue 0.2048 cm2/g * 1.06; lung 0.2053 * 0.26 (inflated); cortical bone 0.3148 * 1.92.
MU_SOFT = 0.217
MU_LUNG = 0.053
MU_BONE = 0.604

PLATE_CM = 36.0  # side of the square image plate
GREY_LEVELS = 4096  # 12 bits


@dataclass(frozen=True)
class Grid:
    """Where each pixel lies in the patient.

    Attributes:
        x, y: f32 [size, size], centimetres.
        pixel_cm: side of a pixel in the patient.
        angle: rotation of the patient on the plate, radians.
        centre: pixel (column, row) of the origin.
    """

    x: Map
    y: Map
    pixel_cm: float
    angle: float
    centre: tuple[float, float]

    @classmethod
    def posed(
        cls, size: int, *, shift_cm: tuple[float, float] = (0, 0), degrees: float = 0, magnification: float = 1
    ) -> Grid:
        """The grid of a `size` x `size` picture of a patient lying so on the plate."""
        pixel_cm, angle = PLATE_CM / size / magnification, math.radians(degrees)
        centre = (size / 2 - 0.5 + shift_cm[0] / pixel_cm, size / 2 - 0.5 + shift_cm[1] / pixel_cm)
        return cls._spanned(size, pixel_cm, angle, centre)

    @classmethod
    def _spanned(cls, size: int, pixel_cm: float, angle: float, centre: tuple[float, float]) -> Grid:
        """Pixels to centimetres: back from the centre, scaled, and turned by minus the angle."""
        across = (np.arange(size, dtype=np.float32) - centre[0]) * pixel_cm
        down = (np.arange(size, dtype=np.float32)[:, None] - centre[1]) * pixel_cm
        cos, sin = math.cos(angle), math.sin(angle)
        return cls(across * cos + down * sin, down * cos - across * sin, pixel_cm, angle, centre)

    @property
    def size(self) -> int:
        """Pixels along one side."""
        return int(self.x.shape[0])

    def resized(self, size: int) -> Grid:
        """The same patient on the same plate, in `size` x `size` pixels."""
        if size == self.size:
            return self
        ratio = size / self.size
        pixel_cm, centre = self.pixel_cm / ratio, tuple((c + 0.5) * ratio - 0.5 for c in self.centre)
        return Grid._spanned(size, pixel_cm, self.angle, (centre[0], centre[1]))

    def to_pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(x, y) in centimetres [..., 2] -> (column, row) in pixels [..., 2]."""
        cos, sin = np.cos(self.angle), np.sin(self.angle)
        x, y = points[..., 0], points[..., 1]
        return np.stack([x * cos - y * sin, x * sin + y * cos], axis=-1) / self.pixel_cm + np.asarray(self.centre)

    def windows(self, segments: NDArray[np.float64], reach_cm: NDArray[np.float64] | float) -> list[Window]:
        """For each segment [n, 2 ends, (column, row)], the box that holds everything within reach of it."""
        reach = np.reshape(reach_cm, (-1, 1)) / self.pixel_cm + 1
        low = np.clip(np.floor(segments.min(axis=1) - reach), 0, self.size).astype(int)
        high = np.clip(np.ceil(segments.max(axis=1) + reach) + 1, 0, self.size).astype(int)
        high = np.maximum(low, high)
        return [(slice(a[1], b[1]), slice(a[0], b[0])) for a, b in zip(low.tolist(), high.tolist(), strict=True)]


def zeros(grid: Grid) -> Map:
    """An empty thickness map."""
    return np.zeros((grid.size, grid.size), np.float32)


def _along(segment: list[list[float]], box: Window) -> tuple[Map, Map]:
    """Squared distance in pixels to the segment, and the place 0..1 of the nearest point on it, over the box."""
    (x0, y0), (x1, y1) = segment
    column = np.arange(box[1].start, box[1].stop, dtype=np.float32) - x0
    row = np.arange(box[0].start, box[0].stop, dtype=np.float32)[:, None] - y0
    dx, dy = x1 - x0, y1 - y0
    length = dx * dx + dy * dy + 1e-9
    place = np.minimum(np.maximum(column * (dx / length) + row * (dy / length), 0), 1)
    return np.square(column - place * dx) + np.square(row - place * dy), place


def nearest(grid: Grid, points: Sequence[tuple[float, float]], reach_cm: float) -> tuple[Window, Map, Map]:
    """How far each pixel is from a curve, and where on it the nearest point lies.

    Returns:
        The window that holds the curve and everything within `reach_cm` (beyond it, distances are unset: huge),
        distances in centimetres, and places on the curve (2.5: halfway from point 2 to point 3).
    """
    pixels = grid.to_pixels(np.asarray(points, np.float64))
    segments = np.stack([pixels[:-1], pixels[1:]], axis=1)
    parts = grid.windows(segments, reach_cm)
    rows = slice(min(part[0].start for part in parts), max(part[0].stop for part in parts))
    columns = slice(min(part[1].start for part in parts), max(part[1].stop for part in parts))
    shape = (rows.stop - rows.start, columns.stop - columns.start)
    best, place = np.full(shape, 1e12, np.float32), np.zeros(shape, np.float32)
    for index, (segment, part) in enumerate(zip(segments.tolist(), parts, strict=True)):
        squared, along = _along(segment, part)
        inner = (
            slice(part[0].start - rows.start, part[0].stop - rows.start),
            slice(part[1].start - columns.start, part[1].stop - columns.start),
        )
        closer = squared < best[inner]
        np.copyto(best[inner], squared, where=closer)
        np.copyto(place[inner], along + index, where=closer)
    distance = np.asarray(np.sqrt(best) * grid.pixel_cm, np.float32)
    return (rows, columns), distance, place


def rod(distance: Map, radius: Map | float) -> Map:
    """Path through a round rod (or a ball) seen at `distance` from its axis: 2 sqrt(r^2 - d^2)."""
    return np.asarray(2 * np.sqrt(np.maximum(np.square(radius) - np.square(distance), 0)), np.float32)


def add_tree(out: Map, grid: Grid, branches: Sequence[tuple[float, float, float, float, float]]) -> None:
    """Draw straight round branches (x0, y0, x1, y1, radius) into `out`; where they meet, the longer path counts."""
    if not branches:
        return
    table = np.asarray(branches, np.float64)
    segments, radii = grid.to_pixels(table[:, :4].reshape(-1, 2, 2)), table[:, 4] / grid.pixel_cm
    boxes = grid.windows(segments, table[:, 4])
    for segment, box, radius in zip(segments.tolist(), boxes, radii.tolist(), strict=True):
        squared, _ = _along(segment, box)
        path = np.sqrt(np.maximum(radius * radius - squared, 0)) * (2 * grid.pixel_cm)
        np.maximum(out[box], path, out=out[box])


def enlarge(small: Map, size: int) -> Map:
    """A small map, enlarged to [size, size] by linear interpolation."""
    return np.array(Image.fromarray(small).resize((size, size), Image.Resampling.BILINEAR))


def clouds(rng: np.random.Generator, size: int, cells: Sequence[int]) -> Map:
    """Smooth noise f32 [size, size], mean near 0 and standard deviation near 1: octaves of `cells` blobs a side."""
    coarse = min(size, 256)
    octaves = [enlarge(rng.standard_normal((n, n), np.float32), coarse) / 1.6**i for i, n in enumerate(cells)]
    total = np.sum(octaves, axis=0, dtype=np.float32)
    return enlarge(total / (total.std() + np.float32(1e-6)), size)


def attenuation(soft: Map, lung: Map, bone: Map, lung_density: Map | float = 1.0) -> Map:
    """Line integral of the linear attenuation coefficient, no unit: the exponent of Beer and Lambert's law.

    Args:
        soft, lung, bone: thickness maps in centimetres; gas counts as nothing.
        lung_density: of the lung, relative to a normally inflated one.
    """
    return np.asarray(MU_SOFT * soft + MU_LUNG * lung_density * lung + MU_BONE * bone, np.float32)


def transmitted(photons: float, exponent: Map) -> Map:
    """Beer and Lambert: the photons per pixel that pass, I = I0 exp(-integral of mu)."""
    return np.asarray(photons * np.exp(-exponent), np.float32)


@dataclass(frozen=True)
class Exposure:
    """How one radiograph is taken.

    Attributes:
        photons_per_cm2: that would reach the plate with no patient in the way.
        scatter: scattered photons for each primary one, averaged over the neighbourhood.
        blur_pixels: standard deviation of the detector's blur.
        darkness: error of the automatic exposure control, in nepers.
        latitude: nepers from black to white.
    """

    photons_per_cm2: float = 2.0e7
    scatter: float = 0.3
    blur_pixels: float = 0.6
    darkness: float = 0.0
    latitude: float = 6.0


def detect(exponent: Map, exposure: Exposure, pixel_cm: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    """What a storage phosphor plate reads: uint16 [H, W] in 0..4095, bright where little arrives (MONOCHROME2).

    Quantum noise is Poisson's in its normal limit (hundreds of photons a pixel at the least), so that two pictures
    from the same seed differ only where their anatomy does. The reading is logarithmic, as that of a CR reader.
    """
    photons = exposure.photons_per_cm2 * pixel_cm**2
    primary = transmitted(photons, exponent)
    arriving = primary + exposure.scatter * _neighbourhood(primary)
    noise = rng.standard_normal(exponent.shape, np.float32)
    counted = ndimage.gaussian_filter(arriving + np.sqrt(arriving) * noise, exposure.blur_pixels, truncate=3)
    reading = -np.log(np.maximum(counted, 1) / np.float32(photons))
    grey = (reading + exposure.darkness) / exposure.latitude * (GREY_LEVELS - 1)
    return np.clip(np.rint(grey), 0, GREY_LEVELS - 1).astype(np.uint16)


def _neighbourhood(primary: Map) -> Map:
    """The mean over some 2.5 cm around, where scatter comes from."""
    size = primary.shape[0]
    small = np.asarray(Image.fromarray(primary).resize((64, 64), Image.Resampling.BOX))
    return enlarge(ndimage.gaussian_filter(small, 4.5, mode="nearest"), size)
