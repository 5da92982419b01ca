"""Ribs, clavicles, shoulder blades, upper arms and spine, as paths through cortical bone."""

from __future__ import annotations

import numpy as np

from training.datasets.phantom_people import Habitus
from training.datasets.phantom_physics import Grid, Map, nearest, rod

RIBS = 11
Point = tuple[float, float]


def flat_bones(grid: Grid, habitus: Habitus, rng: np.random.Generator) -> Map:
    """Spine and the blades of the shoulders, as centimetres of cortical bone, f32 [size, size]."""
    bone, out = _spine(grid, rng), _blade_shift(habitus)
    for side in (-1.0, 1.0):
        a, b, c = _blade(habitus, side, out)
        bone += 0.16 * _triangle(grid, a, b, c)
    return bone


def add_long_bones(bone: Map, grid: Grid, habitus: Habitus, rng: np.random.Generator) -> None:
    """Ribs, clavicles, borders of the shoulder blades and upper arms, added to `bone`."""
    thick, out = float(rng.uniform(0.85, 1.15)), _blade_shift(habitus)
    for side in (-1.0, 1.0):
        for number in range(RIBS):
            _rib(bone, grid, habitus, side, number, thick, rng)
        _clavicle(bone, grid, habitus, side, rng)
        _shoulder(bone, grid, habitus, side, out)


def _shell(distance: Map, radius: Map | float, cortex: float) -> Map:
    """Path through a tube whose wall is `cortex` thick and whose inside is spongy: a tenth as dense."""
    outer = rod(distance, radius)
    return outer - 0.9 * rod(distance, np.asarray(radius - cortex, np.float32))


def _rib(
    bone: Map, grid: Grid, habitus: Habitus, side: float, number: int, thick: float, rng: np.random.Generator
) -> None:
    """One rib: half a tilted hoop from the spine round the side to the front, where cartilage takes over.

    The hoop is x = w sin(t), z = -d cos(t) with t from the spine (0) to the breastbone (180 degrees), and it sinks as
    it comes forward; where it runs along the ray the path through it grows by ds/ds_projected.
    """
    turn = np.radians(np.linspace(8, 148 - 2.2 * number, 14))
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
    inside = distance < 0.62
    at = place[inside]
    longer = np.interp(at, np.arange(len(turn)), stretch)
    front = np.interp(at, [0, 6.5, 11.5, 13], [1.0, 0.9, 0.75, 0.15])
    bone[box][inside] += 0.8 * thick * longer * front * _shell(distance[inside], 0.62, 0.16)


def _clavicle(bone: Map, grid: Grid, habitus: Habitus, side: float, rng: np.random.Generator) -> None:
    """A collar bone: a flat S from the breastbone to the shoulder."""
    tilt, y = float(rng.uniform(-0.6, 2.4)), habitus.apex + 3.6
    t = np.linspace(0, 1, 14)
    x = side * (1.9 + t * (habitus.width + 0.6))
    curve = y - tilt * t - 0.8 * np.sin(np.pi * 1.25 * t) + 0.7 * np.sin(2 * np.pi * t)
    box, distance, place = nearest(grid, list(zip(x, curve, strict=True)), 1.1)
    radius = np.interp(place, [0, 2, 7, 13], [0.95, 0.7, 0.55, 0.75]).astype(np.float32)
    bone[box] += 0.85 * _shell(distance, radius, 0.17)


def _blade_shift(habitus: Habitus) -> float:
    """How far this person's shoulder blades are turned out of the lungs, centimetres."""
    return float(np.random.default_rng([habitus.seed, 3]).uniform(-0.8, 1.8))


def _blade(habitus: Habitus, side: float, out: float) -> tuple[Point, Point, Point]:
    """Upper medial, lower and outer corner of a shoulder blade."""
    w = habitus.width
    return (side * (0.66 * w + out), -9.0), (side * (0.80 * w + out), 1.2), (side * (1.10 * w + out), -8.2)


def _shoulder(bone: Map, grid: Grid, habitus: Habitus, side: float, out: float) -> None:
    """Borders of a shoulder blade, and the head of the upper arm with its shaft."""
    upper, lower, outer = _blade(habitus, side, out)
    for start, end, weight in ((upper, lower, 0.22), (lower, outer, 0.34)):
        box, distance, _ = nearest(grid, [start, end], 0.6)
        bone[box] += weight * rod(distance, 0.5)
    head = (side * (1.16 * habitus.width + 1.6 + 0.4 * habitus.wall), habitus.apex + 3.0)
    shaft = [head, (head[0] + side * 0.6, head[1] + 8), (head[0] + side * 2.0, head[1] + 30)]
    box, distance, place = nearest(grid, shaft, 2.3)
    radius = np.interp(place, [0, 0.3, 2], [2.2, 1.25, 1.15]).astype(np.float32)
    bone[box] += 0.6 * _shell(distance, radius, 0.35)


def _triangle(grid: Grid, a: Point, b: Point, c: Point) -> Map:
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
