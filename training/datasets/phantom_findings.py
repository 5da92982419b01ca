"""What is drawn into a normal chest: the findings, each with its mask, and the harmless things that resemble them.

Every finding exchanges materials inside the thickness maps (air for fluid, lung for air) and so takes part in the
projection as the anatomy does. Shapes after Hansell et al., Fleischner Society: Glossary of Terms for Thoracic Imaging,
Radiology 246:697 (2008): a nodule is a rounded opacity up to 3 cm across; a consolidation hides vessel and airway
walls and may show an air bronchogram; a pneumothorax shows the visceral pleura as a line with no vessel beyond it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.datasets.phantom_anatomy import Chest, smooth_step
from training.datasets.phantom_physics import Map, Mask, add_tree, clouds, nearest, rod, zeros

NODULE_MM = (14.0, 30.0)
CARDIOMEGALY = 0.5  # cardiothoracic ratio above which a heart on a frontal radiograph counts as enlarged


def pneumothorax(chest: Chest, rng: np.random.Generator, taken: Mask) -> Mask:
    """Air between lung and chest wall, widest at the apex; the lung's edge is a fine line. 2.2 to 6 cm at the apex."""
    grid, side = chest.grid, _side(rng)
    gap, lower = float(rng.uniform(2.2, 6.0)), float(rng.uniform(0.3, 0.9))
    below = np.clip((grid.y - chest.habitus.apex) / 17.0, 0, 1)
    away = grid.x * side
    lateral = chest.outer - gap * (1 - (1 - lower) * below) * 0.8 - away
    top = (grid.y - chest.habitus.apex - gap - 0.09 * np.square(away - 4.4)) / 1.15
    edge = 0.5 * (lateral + top - np.sqrt(np.square(lateral - top) + 0.8))  # a rounded minimum
    here = (away > 0) * smooth_step((chest.floor - grid.y) / 0.15)
    share = np.asarray(here * smooth_step(-edge / 0.07), np.float32)
    before = chest.lung
    chest.gas = chest.gas + share * before
    chest.lung = before * (1 - share)
    chest.vessels = chest.vessels * (1 - share)
    chest.extra = chest.extra + 0.45 * here * np.exp(-np.square((edge - 0.05) / 0.07)) * (before > 0.4)
    return np.asarray((here > 0.5) & (edge < 0.2) & (before > 0.4))


def effusion(chest: Chest, rng: np.random.Generator, taken: Mask) -> Mask:
    """Fluid at the base, 2 to 9 cm deep: it fills the costophrenic angle and climbs the chest wall in a meniscus."""
    grid, side = chest.grid, _side(rng)
    depth = 2.0 + 7.0 * float(rng.beta(1.2, 2.0))
    angle = _costophrenic(chest, side)
    away = grid.x * side
    rise = (1.0 + 0.3 * depth) * np.exp(-np.maximum(chest.outer - away, 0) / float(rng.uniform(1.6, 3.2)))
    level = angle - depth - rise - 0.15 * depth * np.exp(-np.maximum(away - 2.5, 0) / 1.5)
    filled = (away > 0) * np.clip((grid.y - level) / (0.9 + 0.2 * depth), 0, 1) ** 0.7
    fluid = chest.lung * np.asarray(filled, np.float32)
    floor = chest.floor + 0.5 * chest.habitus.sulcus
    chest.lung = chest.lung - fluid
    chest.gas = chest.gas * (1 - filled * (away > 3) * (grid.y < floor))  # of a pneumothorax on the same side
    return np.asarray((filled > 0.2) & (away > 2.3) & (away < chest.outer) & (grid.y < floor))


def consolidation(chest: Chest, rng: np.random.Generator, taken: Mask) -> Mask:
    """Air spaces full of fluid: a fluffy patch 4 to 9 cm across, in which the airways stay open."""
    grid = chest.grid
    x, y = _place(chest, rng, taken | (chest.heart > 0), 5.0)
    across, tall, tilt = float(rng.uniform(2.2, 4.8)), float(rng.uniform(0.65, 1.25)), float(rng.uniform(0, np.pi))
    u = (grid.x - x) * np.cos(np.float32(tilt)) + (grid.y - y) * np.sin(np.float32(tilt))
    v = (grid.y - y) * np.cos(np.float32(tilt)) - (grid.x - x) * np.sin(np.float32(tilt))
    field = 1 - (np.square(u / across) + np.square(v / (across * tall))) + 0.5 * clouds(rng, grid.size, (8, 18, 44, 90))
    patch = smooth_step((field - 0.35) / 0.4) * (np.hypot(u, v) < 2.2 * across) * (grid.x * x > 0)
    fill = float(rng.uniform(0.55, 0.95)) * patch * np.minimum(chest.lung, 11)
    fluid = np.maximum(fill - _airways(chest) * (patch > 0.3), 0)
    chest.lung = chest.lung - fluid
    return np.asarray(fluid > 0.1 * fluid.max())


def _airways(chest: Chest) -> Map:
    """Path through the air of the open bronchi, which run beside the arteries."""
    air = zeros(chest.grid)
    add_tree(air, chest.grid, [(a, b + 0.3, c, d + 0.3, 0.75 * r) for a, b, c, d, r in chest.bronchi])
    return air


def nodule(chest: Chest, rng: np.random.Generator, taken: Mask) -> Mask:
    """One to three balls of soft tissue in the lung, 14 to 30 mm across, a little out of round, with some calcium."""
    grid, mask = chest.grid, np.zeros_like(taken)
    for _ in range(1 + int(rng.random() < 0.5) + int(rng.random() < 0.35)):
        x, y = _place(chest, rng, taken | mask | (chest.heart > 0), 4.0)
        radius = float(NODULE_MM[0] + (NODULE_MM[1] - NODULE_MM[0]) * rng.beta(1.5, 1.2)) / 20
        phase, lobes = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.0, 0.12))
        box, distance, _ = nearest(grid, [(x, y), (x, y + 0.01)], 1.2 * radius)
        turn = np.arctan2(grid.y[box] - y, grid.x[box] - x)
        bound = radius * (1 - lobes * np.square(np.sin(1.5 * turn + phase)))
        ball = np.minimum(rod(distance, bound), chest.lung[box])
        chest.lung[box] -= ball
        chest.bone[box] += float(rng.uniform(0.15, 0.5)) * ball
        mask[box] |= distance < bound
    return mask


def cardiomegaly(chest: Chest, rng: np.random.Generator, taken: Mask) -> Mask:
    """The heart itself, which the pose has already made large: its whole silhouette."""
    return np.asarray(chest.heart > 0)


# In the order in which they are drawn: what moves the lung first, what lies in it later.
FINDINGS: dict[str, Callable[[Chest, np.random.Generator, Mask], Mask]] = {
    "cardiomegaly": cardiomegaly,
    "pneumothorax": pneumothorax,
    "effusion": effusion,
    "consolidation": consolidation,
    "nodule": nodule,
}


def normal_variants(chest: Chest, rng: np.random.Generator) -> None:
    """Harmless look-alikes: a skin fold (pneumothorax), a plate of collapsed lung, a healed granuloma (nodule), a blunt
    costophrenic angle (effusion). Each in a fraction of people, whatever their findings."""
    grid, side = chest.grid, _side(rng)
    if rng.random() < 0.12:
        x, y, lean = float(rng.uniform(6.5, 11)), float(rng.uniform(-8, 2)), float(rng.uniform(-1.5, 2.0))
        box, distance, _ = nearest(grid, [(side * x, y), (side * (x + lean), y + 7)], 1.5)
        chest.extra[box] += 0.35 * np.exp(-distance / 0.5) * (side * grid.x[box] > x + lean * (grid.y[box] - y) / 7)
    if rng.random() < 0.2:
        x, y = float(rng.uniform(4, 7)), float(rng.uniform(3, 6.5))
        box, distance, _ = nearest(grid, [(-side * x, y), (-side * (x + 4), y + float(rng.uniform(-1, 1)))], 0.3)
        chest.extra[box] += 0.9 * rod(distance, 0.16) * (chest.lung[box] > 1)
    if rng.random() < 0.25:
        x, y = _place(chest, rng, chest.heart > 0, 4.0)
        box, distance, _ = nearest(grid, [(x, y), (x, y + 0.01)], 0.3)
        chest.bone[box] += 0.6 * rod(distance, float(rng.uniform(0.1, 0.22)))
    if rng.random() < 0.15:
        angle = _costophrenic(chest, side)
        low = smooth_step((grid.y - angle + float(rng.uniform(0.5, 1.4))) / 0.3) * (grid.x * side > 0)
        chest.lung = chest.lung * (1 - 0.8 * low)


def _side(rng: np.random.Generator) -> float:
    """-1 for the left half of the picture (the patient's right), 1 for the other."""
    return -1.0 if rng.random() < 0.5 else 1.0


def _costophrenic(chest: Chest, side: float) -> float:
    """y of the lowest point of the diaphragm against the chest wall of one side."""
    inside = (chest.grid.x * side > 0.75 * chest.habitus.width) & (np.abs(chest.grid.x) < chest.outer)
    return float(chest.floor[inside].max()) if inside.any() else float(chest.habitus.dome + chest.habitus.sulcus)


def _place(chest: Chest, rng: np.random.Generator, taken: Mask, path_cm: float) -> tuple[float, float]:
    """A random point of the lung with at least `path_cm` of lung along the ray, clear of what is taken.

    Where none of 60 draws qualifies, the one with the most lung.
    """
    habitus, best, most = chest.habitus, (5.0, 0.0), -1.0
    for _ in range(60):
        x, y = _side(rng) * rng.uniform(0.28, 0.95) * habitus.width, rng.uniform(habitus.apex + 1, habitus.dome + 3)
        column, row = (round(v) for v in chest.grid.to_pixels(np.array([[x, y]]))[0])
        if not (0 <= column < chest.grid.size and 0 <= row < chest.grid.size):
            continue
        lung = 0.0 if taken[row, column] else float(chest.lung[row, column])
        if lung > most:
            best, most = (float(x), float(y)), lung
        if lung >= path_cm:
            return float(x), float(y)
    return best
