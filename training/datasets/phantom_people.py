"""Who is radiographed, and how they stand: build and pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


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
            width=float(np.clip(rng.normal(13.6, 1.0), 11.4, 15.6)) * small,
            depth=float(np.clip(rng.normal(7.8, 0.6), 6.4, 9.4)) * small,
            wall=2.4 + 0.75 * stout,
            apex=float(rng.uniform(-13.4, -11.6)),
            dome=float(rng.uniform(6.0, 8.5)),
            sulcus=float(rng.uniform(2.0, 4.6)),
            angle_power=float(rng.uniform(1.7, 3.6)),
            heart_quantile=float(rng.random()),
            heart_right=float(rng.uniform(0.26, 0.40)),
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
