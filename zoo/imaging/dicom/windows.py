"""The window functions of the VOI LUT module (PS3.3 C.11.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from zoo import errors
from zoo.errors import Reason

FloatArray = npt.NDArray[np.float64]


def window(values: FloatArray, centre: float, width: float, function: str = "LINEAR") -> FloatArray:
    """Brightness through a window.

    LINEAR        ((x - (c - 0.5)) / (w - 1) + 0.5), w >= 1      PS3.3 C.11.2.1.2.1
    LINEAR_EXACT  ((x - c) / w + 0.5), w > 0                     PS3.3 C.11.2.1.3.2
    SIGMOID       1 / (1 + exp(-4 (x - c) / w)), w > 0           PS3.3 C.11.2.1.3.1

    Args:
        values: after the modality LUT, any unit.
        centre: WindowCenter (0028,1050), in the same unit.
        width: WindowWidth (0028,1051).
        function: VOILUTFunction (0028,1056).

    Returns:
        Brightness in [0, 1], the shape of `values`.

    Raises:
        BadImage: an unknown function, or a width the function does not allow.
    """
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID") or width <= 0 or (function == "LINEAR" and width < 1):
        raise errors.BadImage(
            f"(0028,1051) Window Width is {width:g} and (0028,1056) VOI LUT Function not one that allows it: LINEAR "
            "takes 1 or more, LINEAR_EXACT and SIGMOID more than 0 (PS3.3 C.11.2.1.2 and C.11.2.1.3).",
            Reason.UNSUPPORTED_PIXELS,
        )
    if function == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -60, 60))))
    if function == "LINEAR_EXACT":
        return np.clip((values - centre) / width + 0.5, 0, 1)
    if width == 1:  # a step between black and white
        return (values > centre - 0.5).astype(np.float64)
    return np.clip((values - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
