"""The radiograph that benchmarks send."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 2048


def radiograph(side: int = SIDE, seed: int = 0) -> bytes:
    """A 12-bit DICOM file of smooth noise with a window, uncompressed, as a CR reader writes it; a study of its own.

    Args:
        side: pixels, both ways.
        seed: of the noise.
    """
    coarse = np.random.default_rng(seed).integers(0, 4096, (64, 64)).astype(np.float32)
    smooth = Pillow.fromarray(coarse).resize((side, side), Pillow.Resampling.BICUBIC)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.StudyInstanceUID, ds.SeriesInstanceUID = generate_uid(), generate_uid()
    ds.Modality, ds.PhotometricInterpretation = "CR", "MONOCHROME2"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PixelRepresentation = side, side, 1, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = np.asarray(smooth).clip(0, 4095).astype(np.uint16).tobytes()
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
