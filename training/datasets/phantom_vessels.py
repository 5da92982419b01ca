"""Branching vessels and airways of the lungs: trees of straight, round branches."""

from __future__ import annotations

import numpy as np

from training.datasets.phantom_physics import Grid, Map, add_tree, zeros

Branch = tuple[float, float, float, float, float]  # x0, y0, x1, y1, radius; centimetres
Tree = list[Branch]

HILUM = (2.6, -1.6)  # of the patient's left; the right one is its mirror image


def grow(rng: np.random.Generator, width: float, apex: float, dome: float) -> tuple[list[Tree], Tree]:
    """Arteries and veins of both lungs, as trees that overlap, and the bronchi of the first orders.

    Args:
        width, apex, dome: half-width of the chest, y of the apices and of the domes, in centimetres.
    """
    trees, bronchi = [], []
    for side in (-1.0, 1.0):
        for lift, fans in ((0.0, 5), (0.9, 3)):
            tree: Tree = []
            for angle in np.linspace(-76, 80, fans):
                _branch(rng, tree, (side * HILUM[0], HILUM[1] + lift), side, angle + rng.normal(0, 9), 0.46, 2.6)
            trees.append(tree)
        bronchi += [branch for branch in trees[-1] if branch[4] > 0.12]
        trees.append(_end_on(rng, side, width))
    scale = (dome - apex) / 20.0
    return [[(a, b * scale, c, d * scale, r) for a, b, c, d, r in tree] for tree in trees], bronchi


def _branch(
    rng: np.random.Generator, tree: Tree, start: tuple[float, float], side: float, angle: float, r: float, run: float
) -> None:
    """Grow one branch and, thinner and shorter, its two children; `angle` in degrees, 0 sideways, 90 down."""
    if r < 0.1:
        return
    x, y = start
    steps = 2 if r > 0.17 else 1
    for _ in range(steps):
        angle += rng.normal(0, 7)
        dx, dy = np.cos(np.radians(angle)) * run / steps, np.sin(np.radians(angle)) * run / steps
        tree.append((x, y, x + side * dx, y + dy, r))
        x, y = x + side * dx, y + dy
    fork = rng.uniform(14, 34)
    for turn, share in ((fork, rng.uniform(0.55, 0.8)), (-fork, rng.uniform(0.55, 0.8))):
        _branch(rng, tree, (x, y), side, angle + turn, r * share, run * rng.uniform(0.75, 1.0))


def _end_on(rng: np.random.Generator, side: float, width: float) -> Tree:
    """Vessels seen along their axis: bright dots, denser than their size suggests, most of them near the hilum."""
    dots: Tree = []
    for _ in range(int(rng.poisson(5))):
        far, angle = rng.gamma(2.0, 1.8), rng.uniform(-80, 80)
        x, y = HILUM[0] + far * np.cos(np.radians(angle)), HILUM[1] + far * np.sin(np.radians(angle))
        if x < 0.9 * width:
            dots.append((side * x, y, side * x, y + 0.01, float(rng.uniform(0.12, 0.34))))
    return dots


def draw(grid: Grid, trees: list[Tree]) -> Map:
    """Path through blood: trees add up, the branches of one tree do not. End-on dots run deeper than they are wide."""
    total = zeros(grid)
    for tree in trees:
        one = zeros(grid)
        add_tree(one, grid, tree)
        total += one * (1.7 if tree and abs(tree[0][1] - tree[0][3]) < 0.02 else 1.0)
    return total


def add_airway(air: Map, grid: Grid, x: float) -> None:
    """Trachea down to the carina and the two main bronchi, into `air`."""
    carina = -3.6
    add_tree(
        air,
        grid,
        [
            (x, -25.0, x, carina, 0.82),
            (x - 0.3, carina, x - 2.6, carina + 2.2, 0.58),
            (x + 0.3, carina, x + 3.2, carina + 1.9, 0.5),
        ],
    )
