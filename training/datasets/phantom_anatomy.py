"""The normal chest as thickness maps: body, lungs with vessels, heart and mediastinum, bones, gas.

The shapes are simple (ellipses, power curves, tubes) with the proportions of adults; what matters is that each is a
path length in centimetres, that neighbouring organs displace each other, and that people differ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from training.datasets import phantom_bones, phantom_vessels
from training.datasets.phantom_physics import Grid, Map, attenuation, clouds, zeros


@dataclass(frozen=True)
class Habitus:
    """One person's build; lengths in centimetres. `drawn` makes people differ."""

    sex: str = "M"
    age: int = 50
    width: float = 13.5  # half the inner width of the chest at its widest
    depth: float = 7.8  # half the depth of the lungs
    wall: float = 2.2  # soft tissue of the chest wall, front, back and sides
    apex: float = -12.5  # where the lungs begin
    dome: float = 7.5  # height of the right dome at full inspiration
    sulcus: float = 3.4  # how far the costophrenic angle lies below the dome
    angle_power: float = 2.6  # low: the angle looks blunt
    heart_quantile: float = 0.5  # where the heart's size lies among hearts of its label
    heart_right: float = 0.33  # share of the heart to the right of the midline
    heart_tilt: float = 35.0  # degrees
    breast: float = 0.0  # thickness
    lung_density: float = 1.0
    knob: float = 1.5  # radius of the aortic knob
    nipples: bool = False
    seed: int = 0  # of vessels, texture and bones

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> Habitus:
        """A person at random."""
        sex = "F" if rng.random() < 0.5 else "M"
        small = 0.93 if sex == "F" else 1.0
        stout = float(np.clip(rng.normal(), -1.5, 2.5))
        return cls(
            sex=sex,
            age=int(rng.integers(20, 90)),
            width=float(np.clip(rng.normal(13.6, 0.8), 11.8, 15.2)) * small,
            depth=float(np.clip(rng.normal(7.8, 0.6), 6.4, 9.4)) * small,
            wall=2.4 + 0.75 * stout,
            apex=float(rng.uniform(-13.4, -11.6)),
            dome=float(rng.uniform(6.0, 8.5)),
            sulcus=float(rng.uniform(2.0, 4.6)),
            angle_power=float(rng.uniform(1.7, 3.6)),
            heart_quantile=float(rng.random()),
            heart_right=float(rng.uniform(0.28, 0.38)),
            heart_tilt=float(rng.uniform(25, 48)),
            breast=max(0.0, float(rng.normal(2.6 + 0.6 * stout, 0.8))) if sex == "F" else 0.0,
            lung_density=float(rng.uniform(0.75, 1.3)),
            knob=float(rng.uniform(1.2, 1.9)),
            nipples=bool(rng.random() < 0.12),
            seed=int(rng.integers(2**31)),
        )


@dataclass(frozen=True)
class Pose:
    """How the person stands at one exposure.

    Attributes:
        inspiration: centimetres by which the domes move down (up: negative) against the habitus.
        turn: sideways shift of the heart and mediastinum by turning, in centimetres.
        ratio: cardiothoracic ratio, widest heart over widest inner chest.
    """

    inspiration: float = 0.0
    turn: float = 0.0
    ratio: float = 0.44


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
    """The normal chest of one person in one pose."""
    rng = np.random.default_rng(habitus.seed)
    outer, rise = _cage(grid, habitus)
    floor = _diaphragm(grid, habitus, pose)
    lung = _lungs(grid, habitus, outer, rise, floor)
    heart = heart_path(grid, habitus, pose)
    lung = np.maximum(lung - heart, 0) * (1 - _mediastinum(grid, habitus, pose))
    trees, bronchi = phantom_vessels.grow(rng, habitus.width, habitus.apex, habitus.dome + pose.inspiration)
    vessels = phantom_vessels.draw(grid, trees)
    texture = habitus.lung_density * (1 + 0.07 * clouds(rng, grid.size, (9, 22, 60, 130)) + 0.012 * grid.y)
    return Chest(
        grid=grid,
        habitus=habitus,
        body=_body(grid, habitus, outer),
        lung=lung,
        vessels=vessels,
        bone=phantom_bones.skeleton(grid, habitus, rng),
        gas=_airway(grid, habitus, pose) + _stomach(grid, habitus, pose, rng),
        outer=outer,
        floor=floor,
        heart=heart,
        texture=np.maximum(texture, 0.3),
        extra=_breasts(grid, habitus, rng),
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


def smooth_step(z: Map) -> Map:
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
    return np.asarray(2 * 0.42 * across * np.sqrt(np.maximum(ventricle, 0.85 * atrium)), np.float32)


def _mediastinum(grid: Grid, habitus: Habitus, pose: Pose) -> Map:
    """Share (0..1) of the lung's room taken by great vessels, aortic knob and spine muscles."""
    x, y = grid.x - pose.turn, grid.y
    half = 2.5 + 0.5 * np.clip(-(y + 6) / 6, -0.5, 1.2) + 0.35 * np.clip((y + 2) / 6, 0, 1)
    band = smooth_step((half - np.abs(x)) / 0.12)
    knob = np.sqrt(_ellipse(grid, 2.0 + pose.turn, -5.6, habitus.knob, habitus.knob * 1.15))
    trunk = np.sqrt(_ellipse(grid, 1.9 + pose.turn, -2.4, 1.9, 2.3))
    return np.asarray(np.maximum.reduce([0.92 * band, 0.55 * knob, 0.5 * trunk]), np.float32)


def _body(grid: Grid, habitus: Habitus, outer: Map) -> Map:
    """Path inside the skin: trunk, neck, shoulders and upper arms."""
    away, wall = np.abs(grid.x), habitus.wall
    width = outer + wall * (0.55 + 0.35 * smooth_step((grid.y + 4) / 2)) + 0.5
    trunk = 2 * (habitus.depth + wall) * np.power(np.maximum(1 - np.power(away / width, 2.4), 0), 0.5)
    trunk = trunk * (0.45 + 0.55 * smooth_step((grid.y - habitus.apex - 2.5) / 1.8))
    neck = 11.0 * np.sqrt(np.maximum(1 - np.square(away / (5.0 + 0.5 * wall)), 0)) * smooth_step((-8 - grid.y) / 1.5)
    line = habitus.apex - 4.2 + 0.30 * np.maximum(away - 5, 0) - 0.25 * wall
    shoulder = 12.0 * np.sqrt(np.clip((grid.y - line) / 5, 0, 1)) * smooth_step((-6.5 - grid.y + 0.1 * away) / 1.6)
    lean = away - habitus.width - 5.6 - 0.9 * wall - 0.10 * np.maximum(grid.y + 6, 0)
    arm = 9.5 * np.sqrt(np.maximum(1 - np.square(lean / 4.6), 0)) * smooth_step((grid.y + 10) / 1.5)
    fourth = sum(np.square(np.square(part)) for part in (trunk, neck, shoulder, arm))
    return np.asarray(np.sqrt(np.sqrt(fourth)), np.float32)


def _airway(grid: Grid, habitus: Habitus, pose: Pose) -> Map:
    """Gas in the trachea and the main bronchi."""
    air, x = zeros(grid), pose.turn * 0.8
    phantom_vessels.add_airway(air, grid, x)
    return air


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
