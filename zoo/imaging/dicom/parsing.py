"""Bytes to a data set, and what must hold of it before a pixel is decoded."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence

from pydicom import Dataset, FileMetaDataset, dcmread
from pydicom.filereader import _read_file_meta_info, read_dataset
from pydicom.tag import Tag
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import bounds
from zoo.imaging.image import check_size

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_NEEDED = ("Rows", "Columns", "BitsAllocated", "BitsStored", "SamplesPerPixel", "PhotometricInterpretation")
USED = (
    *_NEEDED,
    *("HighBit", "PixelRepresentation", "PlanarConfiguration", "NumberOfFrames", "Modality", "BodyPartExamined"),
    *("ViewPosition", "BurnedInAnnotation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleSlope"),
    *("RescaleIntercept", "ModalityLUTSequence", "VOILUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("PresentationLUTShape", "PixelAspectRatio", "PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"),
    *("ShutterShape", "ShutterPresentationValue", "CollimatorShape"),
)
_USED_TAGS = frozenset(Tag(keyword) for keyword in USED)
_BESIDES_PIXELS = 16 << 20
_PIECE = 1 << 18


def damaged(what: str) -> errors.BadImage:
    """The refusal of a file that does not hold what it says it holds."""
    return errors.BadImage(f"The DICOM file is damaged: {what}. Send it again from its source.", Reason.DAMAGED)


def parse(data: bytes, max_pixels: int) -> Dataset:
    """The data set of a PS3.10 file; a deflated one (PS3.5 section A.5) is inflated no further than could be of use.

    Raises:
        BadImage: it cannot be parsed, inflates to more than six bytes for each of `max_pixels`, or has parts without
            number.
    """
    try:
        dataset = _inflated(data, max_pixels) or dcmread(bounds.Bounded(data))
        bounds.check(dataset)
        for tag in dataset.keys() & _USED_TAGS:  # pydicom converts a value when it is first looked at
            dataset[tag]
        return dataset
    except errors.BadImage:
        raise
    except Exception:  # pydicom raises a dozen kinds here, and their texts may quote the file
        raise damaged("its data set cannot be parsed (PS3.5 section 7)") from None


def header(data: bytes, keywords: Sequence[str], max_pixels: int) -> Dataset:
    """Some elements of a PS3.10 file, and the transfer syntax in its File Meta Information; no pixels are read.

    Raises:
        BadImage: as `parse`.
    """
    try:
        dataset = _inflated(data, max_pixels)
        if dataset is None:
            dataset = dcmread(bounds.Bounded(data), stop_before_pixels=True, specific_tags=list(keywords))
            bounds.check(dataset)
            return dataset
        bounds.check(dataset)
        chosen = Dataset({tag: dataset[tag] for tag in map(Tag, keywords) if tag in dataset})
        chosen.file_meta = FileMetaDataset()
        chosen.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian  # as the file has it
        return chosen
    except errors.BadImage:
        raise
    except Exception:
        raise damaged("its data set cannot be parsed (PS3.5 section 7)") from None


def _inflated(data: bytes, max_pixels: int) -> Dataset | None:
    """A deflated data set, inflated here because pydicom would inflate it without bound; None for any other.

    What is deflated is decided by pydicom's own reading of group 2 (PS3.10 section 7.1), so that no file can look plain
    here and deflated there.
    """
    file = io.BytesIO(data)
    file.seek(132)
    meta = _read_file_meta_info(file)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return None
    limit, packed = 6 * max_pixels + _BESIDES_PIXELS, file.read()
    if _inflates_beyond(packed, limit):
        raise errors.BadImage(
            f"The deflated data set holds more than {limit >> 20} MiB; no picture that is read here needs as much. "
            "Send one image, uncompressed.",
            Reason.TOO_LARGE,
        )
    plain = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed)
    dataset = read_dataset(bounds.Bounded(plain), False, True)
    dataset.file_meta = FileMetaDataset(meta)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return dataset


def _inflates_beyond(packed: bytes, limit: int) -> bool:
    """Whether there is more than that in it; counted piece by piece, and no piece is kept."""
    inflating, length = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for start in range(0, len(packed), _PIECE):
        piece = packed[start : start + _PIECE]
        while piece and not inflating.eof:
            length += len(inflating.decompress(piece, _PIECE))
            if length > limit:
                return True
            piece = inflating.unconsumed_tail
    return False


def check(dataset: Dataset, max_pixels: int, frame: int | None) -> int:
    """What must hold before a pixel is decoded.

    Returns:
        Which frame to decode, from 1.

    Raises:
        BadImage: as `zoo.imaging.dicom.read`.
    """
    if "PixelData" not in dataset:
        raise errors.BadImage(
            "The DICOM file has no (7FE0,0010) Pixel Data: it is a report or another object without a picture. "
            "Send an image object.",
            Reason.NOT_AN_IMAGE,
        )
    if missing := [keyword for keyword in _NEEDED if dataset.get(keyword) in (None, "")]:
        raise damaged(f"{', '.join(missing)} of the Image Pixel module is missing (PS3.3 C.7.6.3)")
    check_size(number(dataset, "Columns"), number(dataset, "Rows"), max_pixels)
    _check_pixels(dataset)
    return _which(number(dataset, "NumberOfFrames", 1) or 1, frame)


def number(dataset: Dataset, keyword: str, default: int = 0) -> int:
    """A whole number of the Image Pixel module.

    Raises:
        BadImage: it is none.
    """
    value = dataset.get(keyword)
    try:
        return int(default if value in (None, "") else value)
    except (TypeError, ValueError, OverflowError):
        raise damaged(f"{keyword} is not a number (PS3.3 C.7.6.3)") from None


def _which(frames: int, frame: int | None) -> int:
    if frame is None and frames != 1:
        raise errors.BadImage(
            f"(0028,0008) Number of Frames is {frames}; one picture is read at a time. Send single frames.",
            Reason.MULTIPLE_FRAMES,
        )
    if frame is not None and not 1 <= frame <= frames:
        raise errors.BadImage(
            f"Frame {frame} is asked for; (0028,0008) Number of Frames is {frames}, counted from 1.",
            Reason.MULTIPLE_FRAMES,
        )
    return frame or 1


def _check_pixels(dataset: Dataset) -> None:
    if dataset.PhotometricInterpretation not in GREY + COLOUR:
        raise errors.BadImage(
            f"(0028,0004) Photometric Interpretation is none of {', '.join(GREY + COLOUR)}, which are read "
            "(PS3.3 C.7.6.3.1.2).",
            Reason.UNSUPPORTED_PIXELS,
        )
    samples, allocated = number(dataset, "SamplesPerPixel"), number(dataset, "BitsAllocated")
    stored, high = number(dataset, "BitsStored"), number(dataset, "HighBit", number(dataset, "BitsStored") - 1)
    if samples != (1 if dataset.PhotometricInterpretation in (*GREY, "PALETTE COLOR") else 3):
        raise damaged("Samples per Pixel contradicts Photometric Interpretation (PS3.3 C.7.6.3.1.2)")
    if allocated not in (1, 8, 16) or not 1 <= stored <= allocated or not stored - 1 <= high < allocated:
        raise errors.BadImage(
            f"The picture has {stored} of {allocated} bits per sample, the highest being number {high}; read are 1, 8 "
            "and 16 bits allocated with at most as many stored (PS3.5 section 8.1.1).",
            Reason.UNSUPPORTED_PIXELS,
        )
