"""A phantom as a DICOM file: Computed Radiography Image Storage (PS3.3 A.2), 12 bits stored in 16."""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from pathlib import Path

import gdcm
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import FileMetaDataset

from training.datasets.phantom_physics import GREY_LEVELS, PLATE_CM

SYNTAXES = (
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.JPEG2000Lossless,
    uid.RLELossless,
    uid.JPEGLSLossless,
)


@dataclass(frozen=True)
class Header:
    """What the header says; nothing here may depend on the findings.

    Attributes:
        patient: number of the patient, from 1.
        image: number of the image of this patient, from 1.
        seed: of the data set, for the unique identifiers.
        days: of the examination, after 1 January 2020.
        window: centre and width in grey levels of the picture as displayed (MONOCHROME2), or None.
    """

    patient: int
    image: int
    seed: int
    sex: str
    age: int
    view: str
    days: int
    kilovolts: int
    monochrome1: bool
    syntax: str
    window: tuple[int, int] | None


def patient_id(number: int) -> str:
    """PHANTOM-0001."""
    return f"PHANTOM-{number:04d}"


def save(path: Path, pixels: NDArray[np.uint16], header: Header) -> None:
    """Write one picture.

    Args:
        path: of the file.
        pixels: uint16 [H, W] in 0..4095, as displayed (bright bones).
        header: everything else.
    """
    dataset = pydicom.Dataset()
    _patient_and_study(dataset, header)
    _series_and_equipment(dataset, header)
    _image(dataset, pixels, header)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = uid.UID(header.syntax)
    dataset.file_meta = meta
    _pixel_data(dataset, pixels, header)
    dataset.save_as(path, enforce_file_format=True)


def _uid(*parts: object) -> str:
    """A unique identifier made from what it names (PS3.5 B.2: 2.25. and the number of a UUID)."""
    digest = hashlib.sha256("/".join(map(str, ("kerascope phantom", *parts))).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _patient_and_study(dataset: pydicom.Dataset, header: Header) -> None:
    """Patient (PS3.3 C.7.1.1), General Study (C.7.2.1), Patient Study (C.7.2.2)."""
    day = datetime.date(2020, 1, 1) + datetime.timedelta(days=header.days)
    dataset.PatientName = f"Phantom^{header.patient:04d}"
    dataset.PatientID = patient_id(header.patient)
    dataset.PatientBirthDate = ""
    dataset.PatientSex = header.sex
    dataset.PatientAge = f"{header.age:03d}Y"
    dataset.StudyInstanceUID = _uid(header.seed, header.patient, header.image, "study")
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = day.strftime("%Y%m%d")
    dataset.StudyTime = dataset.AcquisitionTime = dataset.ContentTime = "120000"
    dataset.StudyID = str(header.image)
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "Generated chest radiograph, no patient"


def _series_and_equipment(dataset: pydicom.Dataset, header: Header) -> None:
    """General Series (C.7.3.1), CR Series (C.8.1.1), General Equipment (C.7.5.1)."""
    dataset.Modality = "CR"
    dataset.SeriesInstanceUID = _uid(header.seed, header.patient, header.image, "series")
    dataset.SeriesNumber = 1
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = header.view
    dataset.KVP = str(header.kilovolts)
    dataset.Manufacturer = "Kerascope"
    dataset.ManufacturerModelName = "Phantom generator"


def _image(dataset: pydicom.Dataset, pixels: NDArray[np.uint16], header: Header) -> None:
    """General Image (C.7.6.1), CR Image (C.8.1.2), VOI LUT (C.11.2), SOP Common (C.12.1)."""
    dataset.SOPClassUID = uid.ComputedRadiographyImageStorage
    dataset.SOPInstanceUID = _uid(header.seed, header.patient, header.image, "image")
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.InstanceNumber = 1
    dataset.AcquisitionNumber = 1
    dataset.ImageType = ["ORIGINAL", "PRIMARY"]
    dataset.PatientOrientation = ["L", "F"]
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    spacing = f"{10 * PLATE_CM / pixels.shape[0]:.6f}"
    dataset.ImagerPixelSpacing = dataset.PixelSpacing = [spacing, spacing]
    if header.window is not None:
        centre, width = header.window
        dataset.WindowCenter = GREY_LEVELS - 1 - centre if header.monochrome1 else centre
        dataset.WindowWidth = width


def _pixel_data(dataset: pydicom.Dataset, pixels: NDArray[np.uint16], header: Header) -> None:
    """Image Pixel (C.7.6.3), compressed as the transfer syntax says; MONOCHROME1 stores the negative."""
    stored = np.ascontiguousarray(GREY_LEVELS - 1 - pixels if header.monochrome1 else pixels, "<u2")
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if header.monochrome1 else "MONOCHROME2"
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
    if header.syntax == uid.ExplicitVRLittleEndian:
        dataset.PixelData = stored.tobytes()
        dataset["PixelData"].VR = "OW"
        return
    dataset.PixelData = pydicom.encaps.encapsulate([_compressed(stored, header.syntax)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True


def _compressed(stored: NDArray[np.uint16], syntax: str) -> bytes:
    """One frame in RLE, JPEG-LS or JPEG 2000, without loss, by GDCM."""
    writer = gdcm.ImageWriter()  # owns the image, so it must outlive it
    image = writer.GetImage()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((stored.shape[1], stored.shape[0], 1))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(gdcm.PhotometricInterpretation.MONOCHROME2))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.ExplicitVRLittleEndian))
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, 12, 11, 0))
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetByteStringValue(stored.tobytes())
    image.SetDataElement(element)
    converter = gdcm.ImageChangeTransferSyntax()
    converter.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    converter.SetInput(image)
    if not converter.Change():
        raise RuntimeError(f"GDCM cannot write {uid.UID(syntax).name}.")
    fragment = converter.GetOutput().GetDataElement().GetSequenceOfFragments().GetFragment(0)
    return bytes(fragment.GetByteValue().GetBuffer().encode("utf-8", "surrogateescape"))
