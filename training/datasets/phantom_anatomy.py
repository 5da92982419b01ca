"""The normal chest as thickness maps: body, lungs with vessels, heart and mediastinum, bones, gas.

The shapes are simple (ellipses, power curves, tubes) with the proportions of adults; what matters is that each is a
path length in centimetres, that neighbouring organs displace each other, and that people differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from training.datasets import phantom_bones, phantom_vessels
from training.datasets.phantom_people import Habitus, Pose
from training.datasets.phantom_physics import Grid, Map, attenuation, clouds, enlarge, zeros


@dataclass
class Chest:
    """Thickness maps f32 [size, size] in centimetres, and what the findings need to know of the geometry.

    Attributes:
        body: everything inside the skin.
        lung: aerated lung, vessels included.
        vessels: blood inside the lung.
        bone: cortical bone, or as much of it as spongy bone is worth.
        gas: trachea, stomach, air in the pleural space.
        outer: half the inner width of the chest on each row.
        floor: y of the diaphragm.
        heart: path through the heart.
        texture: relative density of the lung.
        extra: soft tissue outside the body proper (breasts, nipples), and metal in units of it.
    """

    grid: Grid
    habitus: Habitus
    body: Map
    lung: Map
    vessels: Map
    bone: Map
    gas: Map
    outer: Map
    floor: Map
    heart: Map
    texture: Map
    extra: Map
    bronchi: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def exponent(self) -> Map:
        """Beer-Lambert exponent: soft tissue is what is left of the body when the rest has its place."""
        vessels = np.minimum(self.vessels, self.lung)
        soft = np.maximum(self.body - self.lung - self.bone - self.gas, 0) + vessels + self.extra
        return attenuation(soft, self.lung - vessels, self.bone, self.texture)


def build(grid: Grid, habitus: Habitus, pose: Pose) -> Chest:
    """The normal chest of one person in one pose; large smooth organs are worked out on half as many rows."""
    rng = np.random.default_rng(habitus.seed)
    coarse = grid.resized(min(grid.size, max(256, grid.size // 2)))
    outer, opened = _cage(coarse, habitus)
    floor, heart = _diaphragm(coarse, habitus, pose), heart_path(coarse, habitus, pose)
    lung = _lungs(coarse, habitus, outer, opened, floor) * (1 - _mediastinum(coarse, habitus, pose))
    trees, bronchi = phantom_vessels.grow(rng, habitus.width, habitus.apex, habitus.dome + pose.inspiration)
    smooth = [
        _body(coarse, habitus, outer),
        np.maximum(lung - heart, 0),
        _stomach(coarse, habitus, pose, rng),
        _breasts(coarse, habitus, rng),
        phantom_bones.flat_bones(coarse, habitus, rng),
    ]
    body, lung, gas, extra, bone = (enlarge(part, grid.size) for part in smooth)
    phantom_vessels.add_airway(gas, grid, 0.8 * pose.turn)
    phantom_bones.add_long_bones(bone, grid, habitus, rng)
    mottle = 0.07 * clouds(rng, grid.size, (9, 22, 60, 130))
    texture = habitus.lung_density * (1 + mottle + 0.012 * np.clip(grid.y, -20, 20))
    return Chest(
        grid=grid,
        habitus=habitus,
        body=body,
        lung=lung,
        vessels=phantom_vessels.draw(grid, trees),
        bone=bone,
        gas=gas,
        outer=enlarge(outer, grid.size),
        floor=enlarge(floor, grid.size),
        heart=enlarge(heart, grid.size),
        texture=np.asarray(np.maximum(texture, 0.3), np.float32),
        extra=extra,
        bronchi=bronchi,
    )


def _cage(grid: Grid, habitus: Habitus) -> tuple[Map, Map]:
    """Half the inner width of the rib cage per pixel's row, and how far the cage has opened there (0..1)."""
    below = np.clip((grid.y - habitus.apex) / (7.0 - habitus.apex), 0, 1.6)
    opened = np.power(np.maximum(1 - np.power(np.abs(1 - np.minimum(below, 1)), 2.2), 0), 0.55)
    taper = 1 - 0.08 * np.maximum(below - 1, 0)
    crown = 4.4
    return (crown + (habitus.width - crown) * opened) * taper, np.asarray(opened, np.float32)


def dome_height(habitus: Habitus, pose: Pose, left: bool) -> float:
    """y of the top of one dome; the right one stands higher, over the liver."""
    return habitus.dome + pose.inspiration + (1.3 if left else 0.0)


def _diaphragm(grid: Grid, habitus: Habitus, pose: Pose) -> Map:
    """y of the diaphragm: a dome on each side that falls steeply to the costophrenic angle."""
    away, crest = np.abs(grid.x), 0.48 * habitus.width
    lateral = np.clip((away - crest) / (habitus.width - crest), 0, 1.1)
    medial = np.clip((crest - away) / crest, 0, 1)
    top = np.where(grid.x > 0, dome_height(habitus, pose, True), dome_height(habitus, pose, False))
    return np.asarray(top + habitus.sulcus * lateral**habitus.angle_power + 1.4 * medial**2, np.float32)


def _lungs(grid: Grid, habitus: Habitus, outer: Map, opened: Map, floor: Map) -> Map:
    """Path through both lungs, before heart and mediastinum take their place."""
    away = np.abs(grid.x)
    inner = 4.4 - 3.9 * opened
    across = np.sqrt(np.maximum(1 - np.square(away / np.maximum(outer, 0.1)), 0))
    edge = np.sqrt(np.clip((away - inner) / 1.4, 0, 1))
    depth = 2 * habitus.depth * np.power(opened, 0.8)
    above = 0.8 * smooth_step((floor - grid.y) / 0.1) + 0.2 * smooth_step(
        (floor + 0.55 * habitus.sulcus - grid.y) / 0.7
    )
    return np.asarray(depth * across * edge * above, np.float32)


def smooth_step(z: NDArray[np.floating]) -> Map:
    """A smooth step from 0 (z below -2) to 1 (z above 2): 3 u^2 - 2 u^3, with u = (z + 2) / 4."""
    u = np.minimum(np.maximum(0.25 * z + 0.5, 0), 1)
    return np.asarray(u * u * (3 - 2 * u), np.float32)


def _ellipse(grid: Grid, x: float, y: float, a: float, b: float, degrees: float = 0) -> Map:
    """1 - r^2 of an ellipse, clipped at 0: its square root is the path through an ellipsoid, in half-depths."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    u, v = (grid.x - x) * cos + (grid.y - y) * sin, (grid.y - y) * cos - (grid.x - x) * sin
    return np.asarray(np.maximum(1 - np.square(u / a) - np.square(v / b), 0), np.float32)


def heart_path(grid: Grid, habitus: Habitus, pose: Pose) -> Map:
    """Path through the heart: left ventricle and right atrium, together exactly `ratio` times the chest's width across.

    The half-width of an ellipse with half-axes a, b turned by t is sqrt(a^2 cos^2 t + b^2 sin^2 t).
    """
    across = pose.ratio * 2 * habitus.width
    tilt = math.radians(habitus.heart_tilt)
    a, b = 0.47 * across, 0.35 * across
    half = math.hypot(a * math.cos(tilt), b * math.sin(tilt))
    height = math.hypot(a * math.sin(tilt), b * math.cos(tilt))
    bottom = dome_height(habitus, pose, True) + 1.6
    right, left = -habitus.heart_right * across + pose.turn, (1 - habitus.heart_right) * across + pose.turn
    ventricle = _ellipse(grid, left - half, bottom - height, a, b, habitus.heart_tilt)
    atrium = _ellipse(grid, right + 0.26 * across, bottom - 0.44 * across, 0.26 * across, 0.36 * across)
    return np.asarray((9.0 + 0.2 * across) * np.sqrt(np.maximum(ventricle, 0.85 * atrium)), np.float32)


def _mediastinum(grid: Grid, habitus: Habitus, pose: Pose) -> Map:
    """Share (0..1) of the lung's room taken by what lies in the middle.

    On the left of the patient the outline shows the aortic knob, a dip and the pulmonary trunk; on the right, the upper
    vena cava and the ascending aorta.
    """
    x, y = grid.x - pose.turn, grid.y
    upper = 0.5 * smooth_step((-8 - y) / 1.5)
    knob = (habitus.knob - 0.6) * np.exp(-np.square((y + 5.9) / 1.5))
    trunk = (0.5 + 0.35 * habitus.knob) * np.exp(-np.square((y + 2.3) / 1.7))
    left = 2.35 + knob + trunk + upper
    right = 2.25 + 0.55 * np.exp(-np.square((y + 3.5) / 3.0)) + upper
    half = np.where(x > 0, left, right)
    inside = np.clip((half - np.abs(x)) / half, 0, 1)
    hila = 0.17 * np.exp(-np.square((np.abs(x) - 3.3) / 0.9) - np.square((y + 1.0) / 1.6))
    return np.asarray(np.maximum(0.88 * np.power(inside, 0.28), hila), np.float32)


def _body(grid: Grid, habitus: Habitus, outer: Map) -> Map:
    """Path inside the skin: trunk, neck, shoulders and upper arms."""
    away, wall = np.abs(grid.x), habitus.wall
    width = outer + wall * (0.55 + 0.35 * smooth_step((grid.y + 4) / 2)) + 0.5
    round_ = np.square(away / width)
    trunk = 2 * (habitus.depth + wall) * np.sqrt(np.maximum(1 - round_ * np.sqrt(np.sqrt(round_)), 0))
    trunk = trunk * (0.45 + 0.55 * smooth_step((grid.y - habitus.apex - 2.5) / 1.8))
    neck = 11.5 * np.sqrt(np.maximum(1 - np.square(away / (5.6 + 0.5 * wall)), 0)) * smooth_step((-8 - grid.y) / 1.5)
    line = habitus.apex - 4.4 + 0.28 * np.maximum(away - 5, 0) - 0.25 * wall
    shoulder = np.sqrt(np.clip((grid.y - line) / 5, 0, 1)) * smooth_step((-5.2 - grid.y + 0.16 * away) / 2.4)
    shoulder = (11.0 + 0.8 * wall) * shoulder
    lean = away - habitus.width - 5.2 - 0.9 * wall - 0.10 * np.maximum(grid.y + 6, 0)
    arm = 9.5 * np.sqrt(np.maximum(1 - np.square(lean / 4.6), 0)) * smooth_step((grid.y + 10) / 1.5)
    fourth = sum(np.square(np.square(part)) for part in (trunk, neck, shoulder, arm))
    return np.asarray(np.sqrt(np.sqrt(fourth)), np.float32)


def _stomach(grid: Grid, habitus: Habitus, pose: Pose, rng: np.random.Generator) -> Map:
    """The gas bubble under the left dome; not everybody has one."""
    size = float(rng.uniform(0, 2.6))
    y = dome_height(habitus, pose, True) + 1.4 + 0.8 * size
    ball = _ellipse(grid, 0.42 * habitus.width, y, 1.0 + size, 0.6 + 0.7 * size)
    return np.asarray(1.6 * size * np.sqrt(ball), np.float32)


def _breasts(grid: Grid, habitus: Habitus, rng: np.random.Generator) -> Map:
    """Soft tissue in front of the chest: breasts, whose lower edge shows, and nipples, which look like nodules."""
    soft, y = zeros(grid), float(rng.uniform(3.0, 5.0))
    for side in (-1, 1):
        x = side * 0.58 * habitus.width
        if habitus.breast > 0:
            ball = _ellipse(grid, x + side * 0.8, y - 1.5, 6.6, 6.2)
            fall = np.clip((grid.y - y + 7) / 6, 0, 1)
            soft += habitus.breast * np.power(ball, 0.6) * fall
        if habitus.nipples:
            soft += 0.8 * np.sqrt(_ellipse(grid, x + side * 0.6, y + float(rng.uniform(-0.5, 1.5)), 0.45, 0.4))
    return soft
