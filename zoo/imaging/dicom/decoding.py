"""A data set to the stored values of one frame."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.encaps import get_frame
from pydicom.pixels import get_decoder
from pydicom.uid import (
    UID,
    JPEG2000TransferSyntaxes,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSTransferSyntaxes,
    RLELossless,
)

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import apart, codestream, jpeg2000
from zoo.imaging.dicom.parsing import COLOUR, damaged, number
from zoo.imaging.image import check_scans

Stored = npt.NDArray[np.generic]

# Who decodes what. GDCM ends its process on some broken frames: it reads only what nobody else does, and apart.
_PLUGINS = {
    JPEGBaseline8Bit: "pillow",
    **dict.fromkeys(JPEGLSTransferSyntaxes, "pyjpegls"),
    **dict.fromkeys(JPEG2000TransferSyntaxes, "pylibjpeg"),
}

get_decoder(JPEGExtended12Bit).add_plugin("kerascope", ("zoo.imaging.dicom.extended", "decode_frame"))


def decode(dataset: Dataset, frame: int) -> Stored:
    """The stored values [rows, columns] or [rows, columns, 3] of frame `frame`, from 1.

    Grey values come as they lie, unused bits and all: the table of `grey` drops them, which costs no copy.

    Raises:
        BadImage: no plugin reads the transfer syntax, or the frame is damaged or not of the size it should have.
    """
    syntax = _readable(dataset)
    try:
        if syntax.is_encapsulated and syntax != RLELossless:
            encoded = _frame(dataset, frame)
            values = apart.WORKER.decode(dataset, encoded) if _breaks(syntax, dataset) else here(dataset, frame)
        else:
            values = here(dataset, frame)
    except (KeyboardInterrupt, SystemExit, GeneratorExit, errors.BadImage):
        raise
    except BaseException:  # many kinds; a panic in pylibjpeg-rle's Rust is no Exception
        raise damaged("its pixels cannot be decoded (PS3.5 section 8)") from None
    if values.shape[:2] != (number(dataset, "Rows"), number(dataset, "Columns")) or values.dtype.itemsize > 2:
        raise damaged("its pixels are not those that its Rows, Columns and bits speak of (PS3.3 C.7.6.3)")
    return values


def here(dataset: Dataset, frame: int) -> Stored:
    """The same in this process, by pydicom and whatever it raises."""
    syntax = UID(str(dataset.file_meta.TransferSyntaxUID))
    pixels, _ = get_decoder(syntax).as_array(
        dataset,
        index=frame - 1,
        view_only=True,
        correct_unused_bits=dataset.PhotometricInterpretation in COLOUR,
        decoding_plugin=_plugin(syntax, dataset),
    )
    return np.asarray(pixels, pixels.dtype.newbyteorder("="))


def _breaks(syntax: UID, dataset: Dataset) -> bool:
    """Whether GDCM alone reads it."""
    twelve_bits = syntax == JPEGExtended12Bit and number(dataset, "BitsStored") != 8
    return twelve_bits or syntax in (JPEGLossless, JPEGLosslessSV1)


def _plugin(syntax: UID, dataset: Dataset) -> str:
    """The plugin's name; empty where pydicom chooses."""
    if syntax == JPEGExtended12Bit:
        return "pillow" if number(dataset, "BitsStored") == 8 else "kerascope"
    return _PLUGINS.get(syntax, "")


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


def _frame(dataset: Dataset, frame: int) -> bytes:
    """A compressed frame, unless its own header speaks of another picture: a decoder would take the memory for that."""
    try:
        encoded = get_frame(dataset.PixelData, frame - 1, number_of_frames=number(dataset, "NumberOfFrames", 1) or 1)
    except Exception:
        raise damaged("its encapsulated frames cannot be told apart (PS3.5 section A.4)") from None
    found = codestream.header(encoded)
    if found is None or (found.width, found.height) != (number(dataset, "Columns"), number(dataset, "Rows")):
        raise damaged("its compressed frame is not of Rows x Columns pixels (PS3.5 section 8.2)")
    if found.samples != number(dataset, "SamplesPerPixel"):
        raise damaged("its compressed frame has not Samples per Pixel (PS3.5 section 8.2)")
    check_scans(encoded)
    _check_division(encoded)
    return encoded


def _check_division(encoded: bytes) -> None:
    """Refuses a JPEG 2000 frame whose structure would take more memory than its pixels."""
    start = codestream.jpeg2000_start(encoded)
    if start is None:
        return
    if b"pclr" in encoded[:start]:
        raise damaged("its compressed frame brings a palette of its own (PS3.5 section 8.2.4)")
    if jpeg2000.is_divided_too_finely(encoded[start:]):
        raise errors.BadImage(
            "The JPEG 2000 frame is cut into more tiles, precincts, code-blocks or layers than a picture needs. "
            "Save it again with an encoder's usual settings.",
            Reason.TOO_LARGE,
        )
