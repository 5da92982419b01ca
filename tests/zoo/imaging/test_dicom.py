"""DICOM to what a reading room would show, with tables worked out by hand."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    MPEG2MPML,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    generate_uid,
)

from zoo import errors
from zoo.errors import Reason
from zoo.imaging.dicom import window
from zoo.imaging.image import read

CT_SERIES = Path(__file__).parents[3] / "../shared/data/ct_series"


def dataset(pixels: np.ndarray, **attributes: object) -> Dataset:
    """A minimal 12-bit picture; `attributes` by keyword override what it says."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.PatientName, ds.PatientID = "DOE^JANE", "SECRET-1"
    ds.Modality = "CR"
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = 8 * pixels.dtype.itemsize
    ds.BitsStored = min(12, ds.BitsAllocated)
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def as_bytes(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["uint16", "int16"])
def test_bits_above_the_sample_are_not_part_of_it(kind: str):
    # PS3.5 8.1.1: 12 of 16 bits are the sample; old files keep an overlay in bit 15. A minus sign is bit 11.
    clean = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64) & 0xFFF
    overlaid = clean | np.where(np.arange(64) % 2, -0x8000, 0).astype(np.int16)
    window = {"WindowCenter": 2048 if kind == "uint16" else 0, "WindowWidth": 4096}
    shown = [read(as_bytes(dataset(pixels.astype(kind), **window))).pixels for pixels in (clean, overlaid)]
    np.testing.assert_array_equal(*shown)
    assert shown[0][0, 0] == (128 if kind == "uint16" else 0)  # the sample 0x800: 2048, or -2048


def shown(ds: Dataset) -> np.ndarray:
    return read(as_bytes(ds)).pixels


STEPS = np.array([[0, 1000, 2000], [3000, 4000, 4095]], np.uint16)


def test_a_linear_window_worked_out_by_hand():
    # c = 2048, w = 4096: (x - 2047.5) / 4095 + 0.5 = x / 4095, so 1000 -> 62.27 and 4095 -> 255.
    pixels = shown(dataset(STEPS, WindowCenter=2048, WindowWidth=4096))
    np.testing.assert_array_equal(pixels, [[0, 62, 125], [187, 249, 255]])


def test_three_window_functions_worked_out_by_hand():
    # At c + w/4 with c = 0, w = 8, x = 2: linear (2.5 / 7 + 0.5) = 6/7; exact 2/8 + 0.5; sigmoid 1/(1 + e^-1).
    two = np.array([2.0])
    np.testing.assert_allclose(window(two, 0, 8), [6 / 7])
    np.testing.assert_allclose(window(two, 0, 8, "LINEAR_EXACT"), [0.75])
    np.testing.assert_allclose(window(two, 0, 8, "SIGMOID"), [1 / (1 + np.exp(-1))])


def test_monochrome1_is_turned_over():
    plain = shown(dataset(STEPS, WindowCenter=2048, WindowWidth=4096))
    turned = shown(dataset(STEPS, WindowCenter=2048, WindowWidth=4096, PhotometricInterpretation="MONOCHROME1"))
    np.testing.assert_array_equal(turned, 255 - plain)


def test_the_rescale_comes_before_the_window():
    # Stored 1000 and 1100 are -24 and 76 HU; a window of 0 to 100 HU (exact) shows them as 0 and 0.76.
    stored = np.array([[1000, 1100]], np.uint16)
    ds = dataset(stored, RescaleIntercept=-1024, RescaleSlope=1, WindowCenter=50, WindowWidth=100)
    ds.VOILUTFunction = "LINEAR_EXACT"
    np.testing.assert_array_equal(shown(ds), [[0, 194]])


def test_signed_pixels_are_read_as_signed():
    stored = np.array([[-1000, 0, 1000]], np.int16)
    ds = dataset(stored, WindowCenter=0, WindowWidth=2000, VOILUTFunction="LINEAR_EXACT")
    np.testing.assert_array_equal(shown(ds), [[0, 128, 255]])


def test_big_endian_files_look_as_little_endian_ones():
    big = dataset(STEPS, WindowCenter=2048, WindowWidth=4096, PixelData=STEPS.astype(">u2").tobytes())
    big["PixelData"].VR = "OW"
    big.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    buffer = io.BytesIO()
    big.save_as(buffer, enforce_file_format=True)
    np.testing.assert_array_equal(read(buffer.getvalue()).pixels, [[0, 62, 125], [187, 249, 255]])


def test_of_several_windows_the_first_is_shown():
    ds = dataset(STEPS, WindowCenter=[2048, 10], WindowWidth=[4096, 5])
    assert shown(ds)[0, 1] == 62


def test_without_a_window_outliers_do_not_darken_the_picture():
    pixels = np.linspace(500, 1500, 10_000).astype(np.uint16).reshape(100, 100)
    pixels[0, 0] = 4095
    result = shown(dataset(pixels))
    assert result[50, 0] == pytest.approx(128, abs=3)


def test_padding_is_black_and_does_not_count():
    pixels = np.linspace(500, 1500, 10_000).astype(np.uint16).reshape(100, 100)
    pixels[:30] = 4000
    result = shown(dataset(pixels, PixelPaddingValue=4000))
    assert result[:30].max() == 0
    assert result[-1, -1] == 255


def test_a_voi_lut_is_looked_up():
    # Four entries of 8 bits from stored value 10 on; below it the first holds, above it the last (PS3.3 C.11.2.1.1).
    item = Dataset()
    item.LUTDescriptor = [4, 10, 8]
    item.LUTData = [0, 100, 200, 255]
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    ds = dataset(np.array([[5, 10, 11, 12, 13, 99]], np.uint16), VOILUTSequence=[item])
    np.testing.assert_array_equal(shown(ds), [[0, 0, 100, 200, 255, 255]])


def test_compressed_pictures_look_as_uncompressed_ones():
    pixels = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    plain, rle, jpeg2000 = (dataset(pixels, WindowCenter=2048, WindowWidth=4096) for _ in range(3))
    rle.compress(RLELossless, generate_instance_uid=False)
    codestream = io.BytesIO()
    Pillow.fromarray(pixels).save(codestream, "JPEG2000", no_jp2=True, irreversible=False)
    jpeg2000.PixelData = pydicom.encaps.encapsulate([codestream.getvalue()])
    jpeg2000["PixelData"].is_undefined_length = True
    jpeg2000.file_meta.TransferSyntaxUID = JPEG2000Lossless
    np.testing.assert_array_equal(shown(rle), shown(plain))
    np.testing.assert_array_equal(shown(jpeg2000), shown(plain))


def test_colour_is_read_as_rgb():
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[..., 1] = 77
    ds = dataset(pixels, BitsStored=8, HighBit=7, Modality="US")
    np.testing.assert_array_equal(shown(ds), pixels)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"NumberOfFrames": 2}, Reason.MULTIPLE_FRAMES),
        ({"PhotometricInterpretation": "HSV"}, Reason.UNSUPPORTED_PIXELS),
        ({"BitsStored": 17}, Reason.UNSUPPORTED_PIXELS),
        ({"PixelData": b"\0\0"}, Reason.DAMAGED),
        ({"Rows": None}, Reason.DAMAGED),
        ({"WindowCenter": 5, "WindowWidth": 0}, Reason.UNSUPPORTED_PIXELS),
        ({"Rows": 60_000, "Columns": 60_000}, Reason.TOO_LARGE),
    ],
)
def test_what_cannot_be_shown_is_refused_without_naming_the_patient(attributes, reason):
    with pytest.raises(errors.BadImage) as caught:
        shown(dataset(STEPS, **attributes))
    assert caught.value.reason is reason
    assert "DOE" not in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_film_is_refused_by_its_transfer_syntax():
    ds = dataset(STEPS)
    ds.PixelData = pydicom.encaps.encapsulate([b"\0" * 8])
    ds["PixelData"].is_undefined_length = True
    ds.file_meta.TransferSyntaxUID = MPEG2MPML
    with pytest.raises(errors.BadImage, match=r"MPEG2.*cannot be read here") as caught:
        read(as_bytes(ds))
    assert caught.value.reason is Reason.UNREADABLE_TRANSFER_SYNTAX


def test_a_file_without_a_picture_is_refused():
    ds = dataset(STEPS)
    del ds.PixelData
    with pytest.raises(errors.BadImage, match=r"no .* Pixel Data") as caught:
        read(as_bytes(ds))
    assert caught.value.reason is Reason.NOT_AN_IMAGE


def test_a_dicom_file_cut_anywhere_is_refused_not_crashed_on():
    whole = as_bytes(dataset(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)))
    for length in range(132, len(whole) - 1, 301):
        with pytest.raises(errors.BadImage):
            read(whole[:length])


@pytest.mark.real_data
@pytest.mark.skipif(not CT_SERIES.is_dir(), reason="../shared/data/ct_series is not here")
def test_a_real_jpeg2000_ct_slice_shows_air_black_and_bone_white():
    path = sorted(CT_SERIES.glob("CT*"))[0]
    image = read(path.read_bytes())
    assert (image.modality, image.pixels.shape) == ("CT", (512, 512))
    hounsfield = pydicom.dcmread(path).pixel_array.astype(int) - 1024
    assert image.pixels[hounsfield < -900].max() == 0
    assert image.pixels[hounsfield > 600].min() == 255
