"""The lead letter, L or R, that the radiographer puts on the plate."""

from __future__ import annotations

import numpy as np

from training.datasets.phantom_physics import Grid, Map, nearest

LETTERS = {
    "L": [(0.0, 0.0), (0.0, 1.0), (0.6, 1.0)],
    "R": [(0.0, 1.0), (0.0, 0.0), (0.5, 0.05), (0.6, 0.25), (0.5, 0.48), (0.0, 0.5), (0.25, 0.5), (0.6, 1.0)],
}


def add_marker(extra: Map, grid: Grid, rng: np.random.Generator) -> None:
    """Put a letter on one side, as soft tissue of the same stopping power; two radiographs of three have one."""
    letter, wanted = ("L", "R")[int(rng.integers(2))], rng.random() < 0.65
    x = (13.5 if letter == "L" else -14.5) + float(rng.uniform(-1, 1))
    y, height = float(rng.uniform(-15.5, -12.5)), float(rng.uniform(0.9, 1.4))
    if wanted:
        strokes = [(x + height * u, y + height * v) for u, v in LETTERS[letter]]
        box, distance, _ = nearest(grid, strokes, 0.2)
        extra[box] += 6.0 * np.clip((0.13 - distance) / 0.06, 0, 1)
