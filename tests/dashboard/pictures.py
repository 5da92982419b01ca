"""DICOM files made for the dashboard's tests: small, and their values known."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

SIDE = 64


def ct(values: npt.NDArray[np.integer], **more: object) -> bytes:
    """A CT slice whose stored values are Hounsfield units plus 1024."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = CTImageStorage
    dataset.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, dataset.file_meta.MediaStorageSOPInstanceUID
    dataset.Modality = "CT"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = "1.2.3", "1.2.3.4"
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, -1024
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelData = (values + 1024).astype("<u2").tobytes()
    for keyword, value in more.items():
        setattr(dataset, keyword, value)
    written = io.BytesIO()
    dcmwrite(written, dataset, enforce_file_format=True)
    return written.getvalue()


def series(count: int) -> list[bytes]:
    """Slices from feet to head, handed out in another order; slice n is n times 10 HU brighter than slice 0."""
    y, x = np.mgrid[:SIDE, :SIDE]
    base = (x * 3 - y).astype(np.int64)
    made = [ct(base + 10 * n, ImagePositionPatient=[0, 0, 5 * n], InstanceNumber=count - n) for n in range(count)]
    return made[1::2] + made[::2]
