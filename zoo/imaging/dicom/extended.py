"""JPEG Extended with 12 bits a sample (PS3.5 section 8.2.1): GDCM reads it, pydicom's own plugin does not ask it to.

A plugin of pydicom's decoder, as `pydicom.pixels.decoders.base.Decoder.add_plugin` takes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gdcm
from pydicom.uid import UID, JPEGExtended12Bit

if TYPE_CHECKING:
    from pydicom.pixels.decoders.base import DecodeRunner

DECODER_DEPENDENCIES = {JPEGExtended12Bit: ("gdcm>=3.0.10",)}


def is_available(uid: str) -> bool:
    """Whether this plugin reads a transfer syntax."""
    return UID(uid) in DECODER_DEPENDENCIES


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """One frame, grey, as little-endian samples of 16 bits.

    Raises:
        ValueError: colour, or 8 bits, which pydicom's other plugins read.
    """
    if runner.samples_per_pixel != 1 or runner.bits_allocated != 16:
        raise ValueError("read here are grey samples of 16 bits")
    fragment = gdcm.Fragment()
    fragment.SetByteStringValue(source)
    fragments = gdcm.SequenceOfFragments.New()  # must outlive the image, which only points to it
    fragments.AddFragment(fragment)
    element = gdcm.DataElement(gdcm.Tag(0x7FE0, 0x0010))
    element.SetValue(fragments.__ref__())
    image = gdcm.Image()
    image.SetNumberOfDimensions(2)
    image.SetDimensions((runner.columns, runner.rows, 1))
    image.SetDataElement(element)
    polarity = gdcm.PhotometricInterpretation.GetPIType(str(runner.photometric_interpretation))
    image.SetPhotometricInterpretation(gdcm.PhotometricInterpretation(polarity))
    image.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGExtendedProcess2_4))
    bits = runner.bits_stored
    image.SetPixelFormat(gdcm.PixelFormat(1, 16, bits, bits - 1, runner.pixel_representation))
    decoded: bytes = image.GetBuffer().encode("utf-8", "surrogateescape")  # GDCM hands bytes out as text
    return decoded
