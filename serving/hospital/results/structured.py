"""The findings as a Comprehensive 3D SR: a Measurement Report by TID 1500, one Measurement Group (TID 1501) a label."""

from __future__ import annotations

from highdicom import sr
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom
from pydicom.sr.coding import Code

from serving.hospital.results import codes
from serving.hospital.results.identity import DEVICE, MANUFACTURER, Made
from serving.hospital.results.source import Source
from zoo.cards import Interval, ModelCard
from zoo.results import Caution, Finding

SERIES_NUMBER = 9001


def structured_report(source: Source, made: Made, card: ModelCard) -> Dataset:
    """The findings, coded, for a machine to read and a person to verify.

    Each label is a group: tracking identifier and UID, the finding's code, present, absent or undetermined
    (PS3.16 CID 240), its probability, the operating point with sensitivity and specificity and their 95 % intervals
    as measurement uncertainty, the algorithm (TID 4019) and the image. Preliminary and UNVERIFIED (PS3.3 C.17.2):
    nobody has read it. A caution is in each group, coded and in words, as a reader may show one group alone. There is
    no Image Library (TID 1600, optional): what it repeats is in the image, which each group names.

    Args:
        source: the image.
        made: the analysis of it.
        card: the model's.

    Returns:
        A Comprehensive 3D SR Storage instance (1.2.840.10008.5.1.4.1.1.88.34).
    """
    groups = [_group(source, made, card, finding) for finding in made.analysis.findings]
    report = sr.MeasurementReport(
        observation_context=_observer(made),
        procedure_reported=dicom.SCT.ImagingProcedure,
        imaging_measurements=groups,
        title=dicom.DCM.ImagingMeasurementReport,
        language_of_content_item_and_descendants=sr.LanguageOfContentItemAndDescendants(
            Code("en", "RFC5646", "English")
        ),
    )
    document = sr.Comprehensive3DSR(
        evidence=[source.dataset],
        content=report[0],
        sop_instance_uid=made.uid("structured-report"),
        instance_number=1,
        is_complete=True,
        coding_schemes=[codes.SCHEME],
        **made.series("structured-report", SERIES_NUMBER),
    )
    return made.settle(document, source)


def _observer(made: Made) -> sr.ObservationContext:
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=made.uid("device"),
        name=DEVICE,
        manufacturer_name=MANUFACTURER,
        model_name=made.software[1],
        serial_number=made.software[0],
    )
    return sr.ObservationContext(
        observer_device_context=sr.ObserverContext(
            observer_type=dicom.DCM.Device, observer_identifying_attributes=device
        )
    )


def _group(source: Source, made: Made, card: ModelCard, finding: Finding) -> sr.MeasurementsAndQualitativeEvaluations:
    """One label (TID 1501), with the caution where the answer carries one."""
    evaluations = [sr.QualitativeEvaluation(codes.PRESENCE, codes.VERDICTS[finding.verdict])]
    caution = made.analysis.caution
    if caution is not None:
        evaluations.append(sr.QualitativeEvaluation(codes.LIKENESS, codes.UNUSUAL))
    image = sr.SourceImageForMeasurementGroup(source.dataset.SOPClassUID, source.dataset.SOPInstanceUID)
    group = sr.MeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(
            uid=made.uid(f"tracking/{finding.label}"),
            identifier=f"{finding.label}: {finding.verdict.value}"[:64],
        ),
        finding_type=codes.finding(card, finding.label),
        algorithm_id=_algorithm(made, finding),
        measurements=_measurements(finding, caution),
        qualitative_evaluations=evaluations,
        source_images=[image],
    )
    if caution is not None:  # highdicom has no argument for words, which TID 1501 allows
        group[0].ContentSequence.append(sr.TextContentItem(codes.COMMENT, caution.message, "CONTAINS"))
    return group


def _algorithm(made: Made, finding: Finding) -> sr.AlgorithmIdentification:
    """Which model, and on which terms (TID 4019)."""
    made_by, point = made.analysis.provenance, finding.operating_point
    parameters = [
        made.analysis.notice,
        f"weights SHA-256 {made_by.weights_sha256}",
        f"image SHA-256 {made_by.image_sha256}",
        f"analysis {made_by.analysis_id}",
    ]
    if point is not None:
        low, high = point.not_sure
        parameters.append(f"operating point chosen by {point.chosen_by}; not sure from {low:g} to {high:g}")
    return sr.AlgorithmIdentification(
        name=made_by.model,
        version=str(made_by.version),
        parameters=parameters,
        family=dicom.DCM.ArtificialIntelligence,
        manufacturer=MANUFACTURER,
    )


def _measurements(finding: Finding, caution: Caution | None) -> list[sr.Measurement]:
    found = [_measurement(codes.PROBABILITY, finding.probability)]
    if (point := finding.operating_point) is not None:
        found.append(_measurement(codes.THRESHOLD, point.threshold))
        found += _interval(codes.SENSITIVITY, point.sensitivity)
        found += _interval(codes.SPECIFICITY, point.specificity)
    return [*found, *(_measurement(name, value) for name, value in codes.unusual(caution))]


def _measurement(name: Code, value: float) -> sr.Measurement:
    return sr.Measurement(name=name, value=_number(value), unit=codes.UNITLESS)


def _interval(name: Code, interval: Interval) -> list[sr.Measurement]:
    """A measured share with its 95 % interval as distances from it (TID 310); nothing where it was not measured."""
    if interval.value is None:
        return []
    within = None
    if interval.low is not None and interval.high is not None:
        within = sr.MeasurementProperties(
            upper_measurement_uncertainty=_number(interval.high - interval.value),
            lower_measurement_uncertainty=_number(interval.value - interval.low),
        )
    return [sr.Measurement(name=name, value=_number(interval.value), unit=codes.UNITLESS, properties=within)]


def _number(value: float) -> float:
    """Within the 16 characters of a Decimal String (PS3.5 section 6.2), to a millionth."""
    return round(float(value), 6)
