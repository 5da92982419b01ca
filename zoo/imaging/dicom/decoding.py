"""A data set to the stored values of one frame."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import UID, JPEGExtended12Bit, RLELossless

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import codestream
from zoo.imaging.dicom.parsing import COLOUR, damaged, number

Stored = npt.NDArray[np.generic]

get_decoder(JPEGExtended12Bit).add_plugin("kerascope", ("zoo.imaging.dicom.extended", "decode_frame"))


def decode(dataset: Dataset, frame: int) -> Stored:
    """The stored values [rows, columns] or [rows, columns, 3] of frame `frame`, from 1.

    Grey values come as they lie, unused bits and all: the table of `grey` drops them, which costs no copy.

    Raises:
        BadImage: no plugin reads the transfer syntax, or the frame is damaged or not of the size it should have.
    """
    syntax = _readable(dataset)
    if syntax.is_encapsulated and syntax != RLELossless:
        _check_frame(dataset, frame)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            colour = dataset.PhotometricInterpretation in COLOUR
            pixels, _ = get_decoder(syntax).as_array(
                dataset, index=frame - 1, view_only=True, correct_unused_bits=colour
            )
            values = np.asarray(pixels, pixels.dtype.newbyteorder("="))
    except Exception:  # many kinds, and plugins of their own
        raise damaged("its pixels cannot be decoded (PS3.5 section 8)") from None
    if values.shape[:2] != (number(dataset, "Rows"), number(dataset, "Columns")) or values.dtype.itemsize > 2:
        raise damaged("its pixels are not those that its Rows, Columns and bits speak of (PS3.3 C.7.6.3)")
    return values


def _readable(dataset: Dataset) -> UID:
    syntax = UID(str(dataset.file_meta.get("TransferSyntaxUID", "")))
    try:
        readable = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):
        readable = False
    if not readable:
        name = f"{syntax.name} ({syntax})" if syntax.name != syntax else "of the file"  # which may be any text
        raise errors.BadImage(
            f"The transfer syntax {name} cannot be read here. Send the image uncompressed, RLE, JPEG, JPEG-LS, "
            "JPEG 2000 or HTJ2K (PS3.5 section 10 and annex A).",
            Reason.UNREADABLE_TRANSFER_SYNTAX,
        )
    return syntax


def _check_frame(dataset: Dataset, frame: int) -> None:
    """Refuses a frame whose own header speaks of another size, before a decoder takes the memory for it."""
    try:
        encoded = get_frame(dataset.PixelData, frame - 1, number_of_frames=number(dataset, "NumberOfFrames", 1) or 1)
    except Exception:
        raise damaged("its encapsulated frames cannot be told apart (PS3.5 section A.4)") from None
    found = codestream.header(encoded)
    if found is None or (found.width, found.height) != (number(dataset, "Columns"), number(dataset, "Rows")):
        raise damaged("its compressed frame is not of Rows x Columns pixels (PS3.5 section 8.2)")
