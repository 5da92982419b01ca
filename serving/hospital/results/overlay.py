"""A finding's heat map over its picture, as a Secondary Capture that any viewer shows."""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from serving.hospital.results.identity import Made
from serving.hospital.results.instance import blank, reference
from serving.hospital.results.source import Source
from zoo.imaging.image import Image, Pixels
from zoo.imaging.overlay import captioned, heatmap
from zoo.imaging.overlay import overlay as lay_over
from zoo.results import Finding

SERIES_NUMBER = 9002
_GEOMETRY = ("FrameOfReferenceUID", "PositionReferenceIndicator", "ImagePositionPatient", "ImageOrientationPatient")
_INHERITED = (
    "PixelSpacing",
    "ImagerPixelSpacing",
    "SliceThickness",
    "BurnedInAnnotation",
    "RecognizableVisualFeatures",
)


def picture(image: Image, made: Made, finding: Finding) -> Pixels:
    """The heat over the picture with its caption burnt in, for a viewer that shows nothing else of the object.

    Args:
        image: the picture as read, at its own size.
        made: the analysis.
        finding: one of its findings.

    Returns:
        RGB uint8 [height, width, 3], of the picture's own size: the map was made of the whole picture stretched to the
        model's input, so it covers the whole picture.
    """
    heat, strength = heatmap(finding.evidence)
    made_by = made.analysis.provenance
    caution = made.analysis.caution
    lines = [
        "RESEARCH USE ONLY",
        *([f"CAUTION: unusual for this model ({caution.ratio:.2f} times the limit)"] if caution else []),
        f"{made_by.model} {made_by.version}: {finding.label} {finding.verdict.value} ({finding.probability:.2f})",
        f"heat: where evidence lies, no outline; peak {strength:.2f} logits",
    ]
    return captioned(lay_over(image.pixels, heat), lines)


def secondary_capture(source: Source, made: Made, finding: Finding, image: Image, number: int) -> Dataset:
    """The overlay as a Secondary Capture Image Storage instance (PS3.3 A.8.1) in the frame of its source.

    Args:
        source: the image's attributes.
        made: the analysis.
        finding: one of its findings.
        image: the picture itself.
        number: of the instance in its series, from 1.

    Returns:
        RGB, 8 bits, rows and columns of the source, derived from it (PS3.3 C.7.6.1), with its pixel spacing and, where
        it has them, its frame of reference, position and orientation.
    """
    capture = blank(
        source,
        made,
        sop_class=SecondaryCaptureImageStorage,
        instance=f"overlay/{finding.label}",
        series=("overlay", SERIES_NUMBER),
        modality="OT",
        number=number,
    )
    _show(capture, picture(image, made, finding))
    capture.ConversionType = "WSD"  # made by a workstation (PS3.3 C.8.6.1)
    capture.ImageType = ["DERIVED", "SECONDARY"]
    capture.DerivationDescription = f"Class activation of {finding.label} over the image. {made.remarks}"[:1024]
    capture.ImageComments = made.remarks
    capture.SourceImageSequence = [reference(source, purpose=True)]
    for keyword in (*_INHERITED, *(_GEOMETRY if source.has_geometry else ())):
        if keyword in source.dataset:
            setattr(capture, keyword, source.dataset.get(keyword))
    capture.Laterality = source.dataset.Laterality
    capture.PatientOrientation = source.dataset.get("PatientOrientation") or ""
    return capture


def _show(capture: Dataset, pixels: Pixels) -> None:
    """RGB of 8 bits (PS3.3 C.7.6.3)."""
    capture.Rows, capture.Columns = pixels.shape[:2]
    capture.SamplesPerPixel, capture.PhotometricInterpretation, capture.PlanarConfiguration = 3, "RGB", 0
    capture.BitsAllocated, capture.BitsStored, capture.HighBit, capture.PixelRepresentation = 8, 8, 7, 0
    data = pixels.tobytes()
    capture.PixelData = data + b"\0" * (len(data) % 2)
