"""Does a map point at the lesion? Maps are scored against masks drawn by people, or by the phantom generator."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def peak(evidence: npt.NDArray[np.floating], height: int, width: int) -> tuple[int, int]:
    """The pixel in the middle of the strongest cell: row and column in a picture of height x width.

    Bilinear upsampling has its maximum there too, so the answer does not depend on how the map is drawn.

    Args:
        evidence: [rows, columns], covering the whole picture; the first of equals counts.
        height: of the picture, in pixels.
        width: likewise.
    """
    rows, columns = evidence.shape
    row, column = divmod(int(np.argmax(evidence)), columns)
    return int((row + 0.5) * height / rows), int((column + 0.5) * width / columns)


def hit(evidence: npt.NDArray[np.floating], mask: npt.NDArray[np.bool_]) -> bool:
    """The pointing game: does the map's maximum lie inside the mask?

    Args:
        evidence: [rows, columns], covering the whole picture; signed or not.
        mask: [height, width], true on the lesion.

    Returns:
        False, too, for a map that is the same everywhere: it points nowhere.

    Source: Zhang et al. 2018, section 4.2, https://arxiv.org/abs/1608.00507; without its margin of
        15 pixels around the object, which would be generous to small lesions.
    """
    if evidence.max() == evidence.min():
        return False
    return bool(mask[peak(evidence, *mask.shape)])


def centre_hit(mask: npt.NDArray[np.bool_]) -> bool:
    """The same for a guess that always points at the middle of the picture: the floor for `hit`.

    Args:
        mask: [height, width], true on the lesion.
    """
    height, width = mask.shape
    return bool(mask[height // 2, width // 2])
