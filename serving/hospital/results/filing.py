"""Everything of one analysis that goes into the archive, in the order it is sent."""

from __future__ import annotations

from datetime import datetime

from pydicom import Dataset

from serving.hospital.results import document, source
from serving.hospital.results.identity import Made
from serving.hospital.results.overlay import secondary_capture
from serving.hospital.results.parametric import parametric_map
from serving.hospital.results.structured import structured_report
from serving.predict import drawn
from zoo.cards import ModelCard
from zoo.imaging.image import read
from zoo.results import Analysis


def objects(data: bytes, analysis: Analysis, card: ModelCard, *, at: datetime) -> list[Dataset]:
    """The DICOM objects of an analysis: structured report, overlays, parametric maps, encapsulated PDF.

    A finding below its operating point gets neither overlay nor map (`serving.predict.drawn`), and an image without a
    place in the patient, as every CR and DX, no map. The same arguments give the same bytes, so that a retry after a
    lost acknowledgement stores nothing twice.

    Args:
        data: the DICOM file that was analysed.
        analysis: what the model said of it.
        card: the model's.
        at: when the analysis was made, in local time.

    Returns:
        Data sets with file meta information, little endian explicit, ready for C-STORE or STOW-RS.

    Raises:
        BadRequest: a PNG or JPEG.
        BadImage: the file lacks an identifier that a result must refer to, or is damaged.
    """
    origin, image, made = source.read(data), read(data), Made(analysis, at)
    shown = [finding for finding in analysis.findings if drawn(finding, below=False) and finding.operating_point]
    made_objects = [structured_report(origin, made, card)]
    made_objects += [secondary_capture(origin, made, each, image, n) for n, each in enumerate(shown, start=1)]
    if origin.has_geometry:
        made_objects += [parametric_map(origin, made, each, n) for n, each in enumerate(shown, start=1)]
    made_objects.append(document.encapsulated(origin, made, document.pdf(made, card, image, origin)))
    return made_objects
