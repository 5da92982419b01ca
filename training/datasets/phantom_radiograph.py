"""One generated frontal chest radiograph: a person in a pose, the findings drawn in, the exposure."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from training.datasets.phantom_anatomy import build
from training.datasets.phantom_findings import FINDINGS, normal_variants
from training.datasets.phantom_markers import add_marker
from training.datasets.phantom_people import Habitus, Pose
from training.datasets.phantom_physics import GREY_LEVELS, MU_LUNG, MU_SOFT, Exposure, Grid, Mask, detect
from zoo import errors
from zoo.tasks import PHANTOM_CHEST

LABELS = PHANTOM_CHEST.labels


@dataclass(frozen=True)
class Radiograph:
    """One generated picture and the truth about it.

    Attributes:
        pixels: uint16 [size, size] in 0..4095, bones bright.
        masks: one bool [size, size] for each finding drawn, and for no other.
        ratio: cardiothoracic ratio; above 0.5 exactly where there is cardiomegaly.
        window: centre and width that show lung and mediastinum, in grey levels; chosen before any finding is drawn.
    """

    pixels: NDArray[np.uint16]
    masks: dict[str, Mask]
    ratio: float
    window: tuple[int, int]


def radiograph(
    rng: np.random.Generator,
    findings: Collection[str],
    *,
    habitus: Habitus | None = None,
    view: str = "PA",
    size: int = 512,
) -> Radiograph:
    """One frontal chest radiograph with these findings drawn in.

    The same generator state with other findings gives the same person, pose, exposure and noise.

    Args:
        rng: of pose, exposure and noise; and of the person, if none is given.
        findings: any of the labels of `zoo.tasks.PHANTOM_CHEST`.
        habitus: the person.
        view: PA, or AP: magnified more, and breathed in less.
        size: pixels along one side.

    Raises:
        BadConfig: an unknown finding.
    """
    if unknown := set(findings) - set(LABELS):
        raise errors.BadConfig(f"Unknown findings {sorted(unknown)}; there are {', '.join(LABELS)}.")
    habitus = habitus or Habitus.drawn(rng)
    grid, pose = _posed(rng, habitus, "cardiomegaly" in findings, view, size)
    exposure = _exposed(rng, habitus)
    chest = build(grid, habitus, pose)
    normal_variants(chest, np.random.default_rng([habitus.seed, 1]))
    add_marker(chest.extra, grid, rng)
    taken, masks = np.zeros((size, size), bool), {}
    for index, (name, draw) in enumerate(FINDINGS.items()):
        if name in findings:
            masks[name] = draw(chest, np.random.default_rng([habitus.seed, 2, index]), taken)
            taken = taken | masks[name]
    pixels = detect(chest.exponent(), exposure, grid.pixel_cm, rng)
    return Radiograph(
        pixels, {name: masks[name] for name in LABELS if name in masks}, pose.ratio, _window(habitus, exposure)
    )


def _posed(rng: np.random.Generator, habitus: Habitus, enlarged: bool, view: str, size: int) -> tuple[Grid, Pose]:
    """Where and how the person stands."""
    lying = view == "AP"
    grid = Grid.posed(
        size,
        shift_cm=(float(rng.normal(0, 1.0)), float(rng.normal(0.3, 1.2))),
        degrees=float(rng.normal(0, 2.5)),
        magnification=float(rng.uniform(0.88, 1.09)) * (1.04 if lying else 1.0),
    )
    inspiration = float(np.clip(rng.normal(-0.8 if lying else 0.0, 1.0), -2.6, 1.6))
    turn = float(np.clip(rng.normal(0, 0.5), -1.1, 1.1))
    return grid, Pose(inspiration, turn, heart_ratio(habitus.heart_quantile + rng.normal(0, 0.08), enlarged))


def heart_ratio(quantile: float, enlarged: bool) -> float:
    """A cardiothoracic ratio: 0.36 to 0.495, mostly about 0.45; enlarged 0.505 to 0.63, the smaller the commoner."""
    quantile = min(max(quantile, 0.001), 0.999)
    if enlarged:
        return 0.505 + 0.125 * (1 - math.sqrt(1 - quantile))
    normal = NormalDist(0.45, 0.035)
    low, high = normal.cdf(0.36), normal.cdf(0.495)
    return normal.inv_cdf(low + quantile * (high - low))


def _exposed(rng: np.random.Generator, habitus: Habitus) -> Exposure:
    """Dose, scatter and reading; the automatic exposure control makes up for two thirds of the build, not for all."""
    lung = 2 * MU_SOFT * habitus.wall + 1.5 * MU_LUNG * habitus.lung_density * habitus.depth
    return Exposure(
        photons_per_cm2=float(np.exp(rng.uniform(np.log(0.8e7), np.log(4e7)))),
        scatter=float(rng.uniform(0.15, 0.4)),
        blur_pixels=float(rng.uniform(0.45, 0.75)),
        darkness=float(0.45 - 0.67 * (lung - 1.6) + rng.normal(0, 0.22)),
        latitude=float(rng.uniform(4.8, 6.0)),
    )


def _window(habitus: Habitus, exposure: Exposure) -> tuple[int, int]:
    """From a little less than what the lung stops to what the mediastinum stops."""
    scale = (GREY_LEVELS - 1) / exposure.latitude
    dark = 0.75 + exposure.darkness
    bright = 0.97 * MU_SOFT * 2 * (habitus.depth + habitus.wall) + exposure.darkness
    return round((dark + bright) / 2 * scale), round((bright - dark) * scale)
