"""Ribs, clavicles, shoulder blades, upper arms and spine, as paths through cortical bone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from training.datasets.phantom_physics import Grid, Map, nearest, rod, zeros

if TYPE_CHECKING:
    from training.datasets.phantom_anatomy import Habitus

RIBS = 11
Curve = list[tuple[float, float]]


def skeleton(grid: Grid, habitus: Habitus, rng: np.random.Generator) -> Map:
    """Path through bone, as centimetres of cortical bone, f32 [size, size]."""
    bone = _spine(grid, rng)
    thick = float(rng.uniform(0.85, 1.15))
    for side in (-1.0, 1.0):
        for number in range(RIBS):
            _rib(bone, grid, habitus, side, number, thick, rng)
        _clavicle(bone, grid, habitus, side, rng)
        _shoulder_blade(bone, grid, habitus, side, rng)
    return bone


def _shell(distance: Map, radius: float | Map, cortex: float) -> Map:
    """Path through a tube whose wall is `cortex` thick and whose inside is spongy: a tenth as dense."""
    outer = rod(distance, radius)
    return outer - 0.9 * rod(distance, radius - np.float32(cortex))


def _rib(
    bone: Map, grid: Grid, habitus: Habitus, side: float, number: int, thick: float, rng: np.random.Generator
) -> None:
    """One rib: half a tilted hoop from the spine round the side to the front, where cartilage takes over.

    The hoop is x = w sin(t), z = -d cos(t) with t from the spine (0) to the breastbone (180 degrees), and it sinks as it comes
    forward; where it runs along the ray the path through it grows by ds/ds_projected.
    """
    turn = np.radians(np.linspace(8, 148 - 2.2 * number, 19))
    y0 = habitus.apex - 0.9 + number * (19.6 / RIBS) + rng.normal(0, 0.12)
    reach = habitus.width * min(1.0, 0.52 + 0.14 * number) + 0.35
    if number > 6:
        reach -= 0.12 * (number - 6)
    drop = 2.0 + 0.62 * min(number, 7) + 0.25 * habitus.sulcus
    x = side * reach * np.sin(turn) ** 0.85
    z = -habitus.depth * min(1.0, 0.6 + 0.07 * number) * np.cos(turn)
    y = y0 + drop * (1 - np.cos(turn)) - 0.9 * np.sin(turn) * (turn < np.pi / 2) - 0.9 * (turn >= np.pi / 2)
    box, distance, place = nearest(grid, list(zip(x, y, strict=True)), 0.75)
    flat = np.hypot(np.gradient(x), np.gradient(y))
    stretch = np.clip(np.hypot(flat, np.gradient(z)) / flat, 1, 2.6)
    longer = np.interp(place, np.arange(len(turn)), stretch).astype(np.float32)
    front = np.interp(place, [0, 9, 16, 18], [1.0, 0.9, 0.75, 0.15]).astype(np.float32)
    bone[box] += 0.8 * thick * longer * front * _shell(distance, 0.62, 0.16)


def _clavicle(bone: Map, grid: Grid, habitus: Habitus, side: float, rng: np.random.Generator) -> None:
    """A collar bone: a flat S from the breastbone to the shoulder."""
    tilt, y = float(rng.uniform(-0.6, 2.4)), habitus.apex + 3.6
    t = np.linspace(0, 1, 14)
    x = side * (1.9 + t * (habitus.width + 0.6))
    curve = y - tilt * t - 0.8 * np.sin(np.pi * 1.25 * t) + 0.7 * np.sin(2 * np.pi * t)
    box, distance, place = nearest(grid, list(zip(x, curve, strict=True)), 1.1)
    radius = np.interp(place, [0, 2, 7, 13], [0.95, 0.7, 0.55, 0.75]).astype(np.float32)
    bone[box] += 0.55 * _shell(distance, radius, 0.17)


def _shoulder_blade(bone: Map, grid: Grid, habitus: Habitus, side: float, rng: np.random.Generator) -> None:
    """A shoulder blade, thin but for its borders, and the head of the upper arm with its shaft."""
    w, out = habitus.width, float(rng.uniform(-0.8, 1.8))
    medial = [(side * (0.66 * w + out), -9.0), (side * (0.70 * w + out), -4.0), (side * (0.80 * w + out), 1.2)]
    lateral = [medial[-1], (side * (0.93 * w + out), -3.0), (side * (1.10 * w + out), -8.2)]
    for curve, weight in ((medial, 0.22), (lateral, 0.34)):
        box, distance, _ = nearest(grid, curve, 0.6)
        bone[box] += weight * rod(distance, 0.5)
    body = _triangle(grid, medial[0], medial[-1], lateral[-1])
    bone += 0.16 * body
    head = (side * (1.16 * w + 1.6 + 0.4 * habitus.wall), habitus.apex + 3.0)
    shaft = [head, (head[0] + side * 0.6, head[1] + 8), (head[0] + side * 2.0, head[1] + 30)]
    box, distance, place = nearest(grid, shaft, 2.3)
    radius = np.interp(place, [0, 0.3, 2], [2.2, 1.25, 1.15]).astype(np.float32)
    bone[box] += 0.6 * _shell(distance, radius, 0.35)


def _triangle(grid: Grid, a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> Map:
    """1 inside the triangle, 0 outside, with an edge some 2 mm soft."""
    inside = np.ones_like(grid.x)
    turn = np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    for p, q in ((a, b), (b, c), (c, a)):
        length = float(np.hypot(q[0] - p[0], q[1] - p[1]))
        signed = turn * ((q[0] - p[0]) * (grid.y - p[1]) - (q[1] - p[1]) * (grid.x - p[0])) / length
        inside = np.minimum(inside, np.clip(signed / 0.2 + 0.5, 0, 1))
    return np.asarray(inside, np.float32)


def _spine(grid: Grid, rng: np.random.Generator) -> Map:
    """Vertebral bodies with discs between them, pedicles and spinous processes; slightly bent."""
    pitch, bend = 2.35, float(rng.normal(0, 0.5))
    x = grid.x - bend * np.sin((grid.y + 2) / 9)
    within = np.mod(grid.y + float(rng.uniform(0, pitch)), pitch) / pitch - 0.5
    half = 1.55 + 0.035 * np.clip(grid.y + 12, 0, 30)
    column = np.clip((half - np.abs(x) - 0.12 * np.cos(2 * np.pi * within)) / 0.15, 0, 1)
    body = np.clip((0.40 - np.abs(within)) / 0.05, 0, 1)
    rim = np.exp(-np.square((np.abs(within) - 0.38) / 0.035))
    side = np.exp(-np.square((np.abs(x) - 1.05) / 0.28) - np.square((within + 0.12) * pitch / 0.42))
    process = np.exp(-np.square(x / 0.22) - np.square((within - 0.15) * pitch / 0.6))
    return 0.5 * np.asarray(column * (0.25 + 0.55 * body + 0.3 * rim) + 0.5 * side + 0.45 * process, np.float32)
