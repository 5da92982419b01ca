"""The evidence itself, in logits, as a Parametric Map lying where its image lies in the patient."""

from __future__ import annotations

import highdicom as hd
import numpy as np
from highdicom import pm
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom
from pydicom.sr.coding import Code

from serving.hospital.results.codes import PRIVATE, SCHEME
from serving.hospital.results.identity import Made
from serving.hospital.results.source import Source
from zoo import errors
from zoo.results import Finding

SERIES_NUMBER = 9003
LOGITS = Code("logit", PRIVATE, "logit: natural logarithm of the odds")


def parametric_map(source: Source, made: Made, finding: Finding, number: int) -> Dataset:
    """One finding's evidence at the model's own grid, signed, in the frame of reference of its image.

    The picture was stretched to the model's input, so the grid covers the picture from edge to edge: a cell is as many
    pixels high as the picture has rows by cell, and its first centre lies half a cell from the picture's corner.

    Args:
        source: the image; it must lie at a known place (PS3.3 C.7.6.2).
        made: the analysis.
        finding: one of its findings.
        number: of the instance in its series, from 1.

    Returns:
        A Parametric Map Storage instance (PS3.3 A.75), float32, of one frame.

    Raises:
        BadRequest: the image does not say where in the patient it lies, as a CR or DX never does.
    """
    if not source.has_geometry:
        raise errors.BadRequest(
            "The image has no place in the patient (Frame of Reference, position, orientation and spacing, PS3.3 "
            "C.7.6.2), so that no parametric map can lie in it. Ask for the overlay instead."
        )
    measures, position = _grid(source.dataset, finding.evidence.shape)
    strongest = float(np.abs(finding.evidence).max()) or 1.0
    made_map = pm.ParametricMap(
        source_images=[source.dataset],
        pixel_array=np.ascontiguousarray(finding.evidence, np.float32)[None],
        sop_instance_uid=made.uid(f"map/{finding.label}"),
        instance_number=number,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_meaning(finding)],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.0, window_width=2 * strongest)],
        pixel_measures=measures,
        plane_orientation=hd.PlaneOrientationSequence("PATIENT", list(source.dataset.ImageOrientationPatient)),
        plane_positions=[hd.PlanePositionSequence("PATIENT", position)],
        content_label="EVIDENCE",
        content_description=_described(made, finding),
        derivation=dicom.DCM.ClassActivation,
        coding_schemes=[SCHEME],
        **made.series("map", SERIES_NUMBER),
    )
    made_map.Laterality = source.dataset.Laterality
    return made.settle(made_map, source)


def _grid(inherited: Dataset, shape: tuple[int, ...]) -> tuple[hd.PixelMeasuresSequence, list[float]]:
    """The spacing of the map's cells and the centre of its first one, in mm (PS3.3 C.7.6.2.1.1)."""
    rows, columns = shape
    down, across = (float(value) for value in inherited.PixelSpacing)
    cell_down, cell_across = down * inherited.Rows / rows, across * inherited.Columns / columns
    direction = np.asarray(inherited.ImageOrientationPatient, float)
    first = np.asarray(inherited.ImagePositionPatient, float)
    first = first + direction[:3] * (cell_across - across) / 2 + direction[3:] * (cell_down - down) / 2
    thickness = float(inherited.get("SliceThickness") or 1.0)
    return hd.PixelMeasuresSequence((cell_down, cell_across), slice_thickness=thickness), first.tolist()


def _described(made: Made, finding: Finding) -> str:
    """Content Description (0070,0081), which viewers show: at most 64 characters, the caution first."""
    caution = "CAUTION: unusual for the model. " if made.analysis.caution else ""
    return f"{caution}Evidence for {finding.label}"[:64]


def _meaning(finding: Finding) -> pm.RealWorldValueMapping:
    """The stored value is the evidence (PS3.3 C.7.6.16.2.11)."""
    low, high = float(finding.evidence.min()), float(finding.evidence.max())
    return pm.RealWorldValueMapping(
        lut_label=finding.label[:16],
        lut_explanation=f"Evidence for {finding.label}"[:64],
        unit=LOGITS,
        value_range=(low, high if high > low else low + 1),
        slope=1,
        intercept=0,
        quantity_definition=dicom.DCM.ClassActivation,
    )
