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
    shifted = stored if bits <= 8 else stored >> np.array(bits - 8, stored.dtype)
    if shifted.dtype == np.uint8:
        return np.ascontiguousarray(shifted)
    return np.clip(shifted, 0, min(255, np.iinfo(shifted.dtype).max)).astype(np.uint8)
