"""Stored colour to RGB."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.pixels import apply_color_lut

from zoo.imaging.dicom.parsing import damaged, number
from zoo.imaging.image import Pixels


def displayed(stored: npt.NDArray[np.generic], dataset: Dataset) -> Pixels:
    """RGB uint8 [rows, columns, 3]; pydicom has already turned YBR into RGB (PS3.3 C.7.6.3.1.2).

    Raises:
        BadImage: PALETTE COLOR with an unreadable palette (PS3.3 C.7.9).
    """
    bits = number(dataset, "BitsStored")
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        try:
            stored = np.asarray(apply_color_lut(stored, dataset))[..., :3]
            bits = 8 * stored.dtype.itemsize
        except Exception:
            raise damaged("its palette is unreadable (PS3.3 C.7.9)") from None
    return np.clip(stored.astype(np.int64) >> max(bits - 8, 0), 0, 255).astype(np.uint8)
