"""Files to send to a gateway, made here."""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian, generate_uid

from tests.serving.postgresql import Cluster
from tests.serving.store.answers import CAUTION
from zoo.results import Caution

if TYPE_CHECKING:
    from tests.serving.held_model_server import HeldModelServer

MakeDicom = Callable[..., bytes]


def scene(seed: int = 0, height: int = 96, width: int = 80) -> np.ndarray:
    """uint8 [height, width]: smooth blobs, so that the maps differ from picture to picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5), dtype=np.uint8)
    return np.asarray(Pillow.fromarray(coarse).resize((width, height), Pillow.Resampling.BICUBIC))


def picture(kind: str, pixels: np.ndarray) -> bytes:
    """A PNG or JPEG file."""
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def dicom(pixels: np.ndarray, *, syntax: str = ExplicitVRLittleEndian, **attributes: object) -> bytes:
    """A radiograph of a patient whose name must never come out again; `attributes` override what it says."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = ComputedRadiographyImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "DOE^JANE", "SECRET-1", "19700102"
    ds.Modality = "CR"
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PixelRepresentation = 1, "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.WindowCenter, ds.WindowWidth = 2048, 4096
    ds.PixelData = (pixels.astype(np.uint16) << 4).tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.fixture
def pixels() -> np.ndarray:
    return scene()


@pytest.fixture
def png(pixels: np.ndarray) -> bytes:
    return picture("PNG", pixels)


@pytest.fixture
def make_dicom(pixels: np.ndarray) -> MakeDicom:
    """Makes a DICOM file of `pixels`; keywords override its attributes."""
    return lambda **attributes: dicom(pixels, **attributes)


@pytest.fixture
def make_png() -> Callable[[int], bytes]:
    """Makes a PNG file; another seed, another picture."""
    return lambda seed: picture("PNG", scene(seed))


@pytest.fixture
def jpeg(pixels: np.ndarray) -> bytes:
    return picture("JPEG", pixels)


@pytest.fixture
def unusual(monkeypatch: pytest.MonkeyPatch) -> Caution:
    """Has the gateways of this process answer every image with this caution, whatever their gate thinks of it."""
    from serving.service import Service

    analyze = Service.analyze
    monkeypatch.setattr(Service, "analyze", lambda *args, **said: replace(analyze(*args, **said), caution=CAUTION))
    return CAUTION


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="kerascope-postgresql-"))  # pytest's own are closed to other users
    try:
        cluster = Cluster(folder)
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def held(model_server) -> Iterator[HeldModelServer]:
    """The model server behind a door that a test opens."""
    from tests.serving.held_model_server import HeldModelServer

    server = HeldModelServer(model_server.port)
    yield server
    server.stop()
