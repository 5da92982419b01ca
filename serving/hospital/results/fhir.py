"""The findings for an electronic record: a FHIR R4B Bundle of DiagnosticReport, Observations and Device."""

from __future__ import annotations

from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.device import Device
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation
from pydicom.sr.coding import Code

from serving.hospital.results import codes
from serving.hospital.results.identity import DEVICE, MANUFACTURER, Made
from serving.hospital.results.source import Source
from zoo.cards import Interval, ModelCard
from zoo.results import Caution, Finding

# The URI of each coding scheme (https://terminology.hl7.org, PS3.16 table 8-1).
SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "RADLEX": "http://radlex.org",
    "UCUM": "http://unitsofmeasure.org",
    codes.PRIVATE: "urn:kerascope:codes",
}
REPORT = {"system": "http://loinc.org", "code": "18748-4", "display": "Diagnostic imaging study"}
CATEGORY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "imaging"}
Json = dict[str, Any]


def bundle(made: Made, card: ModelCard, source: Source | None = None) -> Bundle:
    """The analysis as a collection (http://hl7.org/fhir/R4B): everything `preliminary`, nothing verified.

    Args:
        made: the analysis.
        card: the model's.
        source: names the patient by identifier, the study and the image by UID; None for a PNG or JPEG.
    """
    device = _device(made)
    observations = [_observation(made, card, finding, source) for finding in made.analysis.findings]
    report = _report(made, observations, source)
    return Bundle(
        type="collection",
        identifier={"system": "urn:ietf:rfc:3986", "value": made.uuid("bundle").urn},
        timestamp=_instant(made),
        entry=[{"fullUrl": f"urn:uuid:{each.id}", "resource": each} for each in (report, *observations, device)],
    )


def _device(made: Made) -> Device:
    made_by = made.analysis.provenance
    return Device(
        id=str(made.uuid("device")),
        status="active",
        manufacturer=MANUFACTURER,
        deviceName=[{"name": f"{DEVICE}: {made_by.model}", "type": "model-name"}],
        version=[
            {"type": {"text": "model"}, "value": str(made_by.version)},
            {"type": {"text": "weights SHA-256"}, "value": made_by.weights_sha256 or "unknown"},
            {"type": {"text": "gateway"}, "value": made_by.gateway_version},
        ],
        note=[{"text": made.analysis.notice}],
    )


def _observation(made: Made, card: ModelCard, finding: Finding, source: Source | None) -> Observation:
    """One label: present, absent or undetermined, with the numbers it was read from."""
    components = [_component(codes.PROBABILITY, finding.probability)]
    if (point := finding.operating_point) is not None:
        components.append(_component(codes.THRESHOLD, point.threshold))
        components += _measured(codes.SENSITIVITY, point.sensitivity)
        components += _measured(codes.SPECIFICITY, point.specificity)
    components += _unusual(made.analysis.caution)
    return Observation(
        id=str(made.uuid(f"observation/{finding.label}")),
        status="preliminary",
        category=[{"coding": [CATEGORY]}],
        code=_concept(codes.finding(card, finding.label)) | {"text": finding.label},
        valueCodeableConcept=_concept(codes.VERDICTS[finding.verdict]) | {"text": finding.verdict.value},
        component=components,
        effectiveDateTime=_instant(made),
        device={"reference": made.uuid("device").urn},
        note=[{"text": made.remarks}],
        **_about(source),
    )


def _report(made: Made, observations: list[Observation], source: Source | None) -> DiagnosticReport:
    leading = made.analysis.leading
    return DiagnosticReport(
        id=str(made.uuid("report")),
        status="preliminary",
        code={"coding": [REPORT], "text": "Image analysis by a computer"},
        effectiveDateTime=_instant(made),
        issued=_instant(made),
        result=[{"reference": f"urn:uuid:{observation.id}"} for observation in observations],
        conclusion=f"{made.remarks} Leading: {leading.label}, {leading.verdict.value}, probability "
        f"{leading.probability:.3f}. Made by a program; not verified by a person.",
        **_about(source),
        **_study(source),
    )


def _about(source: Source | None) -> Json:
    """The patient by the identifier alone; a name is the record's own to add."""
    if source is None or not source.dataset.PatientID:
        return {}
    identifier: Json = {"value": source.dataset.PatientID}
    if issuer := source.dataset.get("IssuerOfPatientID"):
        identifier["assigner"] = {"display": issuer}
    return {"subject": {"type": "Patient", "identifier": identifier}}


def _study(source: Source | None) -> Json:
    """The study by its UID (http://hl7.org/fhir/R4B/imagingstudy.html, identifier), the order by accession number."""
    if source is None:
        return {}
    study = {"system": "urn:dicom:uid", "value": f"urn:oid:{source.dataset.StudyInstanceUID}"}
    found: Json = {"imagingStudy": [{"type": "ImagingStudy", "identifier": study}]}
    if accession := source.dataset.AccessionNumber:
        found["basedOn"] = [{"type": "ServiceRequest", "identifier": {"value": accession}}]
    return found


def _component(name: Code, value: float) -> Json:
    return {"code": _concept(name), "valueQuantity": {"value": round(value, 6), "system": SYSTEMS["UCUM"], "code": "1"}}


def _unusual(caution: Caution | None) -> list[Json]:
    """That the image is unusual for the model, and how unusual."""
    if caution is None:
        return []
    said = {"code": _concept(codes.LIKENESS), "valueCodeableConcept": _concept(codes.UNUSUAL)}
    return [said, *(_component(name, value) for name, value in codes.unusual(caution))]


def _measured(name: Code, interval: Interval) -> list[Json]:
    """A measured share, with its 95 % interval as the component's range in words."""
    if interval.value is None:
        return []
    component = _component(name, interval.value)
    if interval.low is not None and interval.high is not None:
        component["code"]["text"] = f"{name.meaning}; 95 % interval {interval.low:.3f} to {interval.high:.3f}"
    return [component]


def _concept(code: Code) -> Json:
    system = SYSTEMS.get(code.scheme_designator, f"urn:kerascope:{code.scheme_designator}")
    return {"coding": [{"system": system, "code": code.value, "display": code.meaning}]}


def _instant(made: Made) -> str:
    """With the offset from UTC, which an instant must have; a time without one is local."""
    return made.at.astimezone().isoformat(timespec="milliseconds")
