"""Radiographs to send: a few pictures, each under as many identifiers as are wanted."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from zoo.results import Analysis

PICTURES = 4
SIDE = 128


def uid(series: int, number: int | str) -> str:
    """The SOP Instance UID of one image, or what those of a series begin with where `number` is empty.

    2.25 is the root of UIDs that need no register (PS3.5 section B.2).
    """
    return f"2.25.{series}.{number}"


def study_of(instance_uid: str) -> str:
    """Its Study Instance UID: each image is a study of its own."""
    return f"{instance_uid}.0"


def picture_of(instance_uid: str) -> int:
    """Which of the pictures it shows."""
    return int(instance_uid.rpartition(".")[2]) % PICTURES


def dataset(instance_uid: str) -> Dataset:
    """A computed radiograph of 128 x 128 pixels of 12 bits."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = instance_uid
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.Modality = study_of(instance_uid), f"{instance_uid}.1", "CR"
    ds.Rows = ds.Columns = SIDE
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = (_scene(picture_of(instance_uid)).astype(np.uint16) << 4).tobytes()
    return ds


def file(instance_uid: str) -> bytes:
    """The same as a file."""
    buffer = io.BytesIO()
    dataset(instance_uid).save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def differs(found: Analysis, expected: Analysis) -> bool:
    """Whether two answers about the same picture are not the same answer, rounding apart."""
    if [(each.label, each.verdict) for each in found.findings] != [
        (each.label, each.verdict) for each in expected.findings
    ]:
        return True
    return not np.allclose(_numbers(found), _numbers(expected), rtol=1e-4, atol=1e-4)


def _numbers(analysis: Analysis) -> np.ndarray:
    return np.concatenate([[each.probability, each.logit, *each.evidence.ravel()] for each in analysis.findings])


def _scene(number: int) -> np.ndarray:
    """uint8 [128, 128]: smooth blobs."""
    coarse = np.random.default_rng(number).integers(0, 256, (6, 5), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
