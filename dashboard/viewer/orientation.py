"""Where the patient lies in a picture: the letters at its sides, and a series' slices in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydicom import Dataset

OPPOSITE = {"L": "R", "R": "L", "A": "P", "P": "A", "H": "F", "F": "H"}
# The patient's axes point to the left, to the back and to the head (PS3.3 C.7.6.2.1.1).
AXES = ("LR", "PA", "HF")
OBLIQUE = 0.26  # an axis counts from about 15 degrees on


def marks(dataset: Dataset) -> dict[str, str] | None:
    """Letters for the picture's sides, by top, right, bottom and left.

    From Image Orientation (Patient) (0020,0037), else Patient Orientation (0020,0020), whose two values are the
    direction of the rows and of the columns (PS3.3 C.7.6.1.1.1).

    Returns:
        None where the file says neither.
    """
    cosines = _cosines(dataset)
    if cosines is not None:
        right, bottom = (letters(cosines[at : at + 3]) for at in (0, 3))
    else:
        said = [str(side) for side in dataset.get("PatientOrientation") or []]
        right, bottom = said if len(said) == 2 else ("", "")
    if not right or not bottom or not set(right + bottom) <= set(OPPOSITE):
        return None
    return {"top": opposite(bottom), "right": right, "bottom": bottom, "left": opposite(right)}


def letters(direction: Sequence[float]) -> str:
    """A direction in words, the strongest axis first: (0.9, -0.4, 0) is "LA"."""
    found = [(abs(share), AXES[axis][share < 0]) for axis, share in enumerate(direction) if abs(share) > OBLIQUE]
    return "".join(letter for _, letter in sorted(found, reverse=True))


def opposite(side: str) -> str:
    """The other end of a direction: "LA" to "RP"."""
    return "".join(OPPOSITE[letter] for letter in side)


def order(dataset: Dataset) -> tuple[float, float]:
    """What a series is sorted by: the place along the slices' normal (PS3.3 C.7.6.2.1.1), then Instance Number."""
    cosines, position = _cosines(dataset), dataset.get("ImagePositionPatient")
    number = float(dataset.get("InstanceNumber") or 0)
    if cosines is None or position is None or len(position) != 3:
        return 0.0, number
    return float(np.dot(np.cross(cosines[:3], cosines[3:]), [float(part) for part in position])), number


def _cosines(dataset: Dataset) -> list[float] | None:
    said = dataset.get("ImageOrientationPatient")
    return [float(part) for part in said] if said and len(said) == 6 else None
