"""An object of the source's patient and study with nothing in it yet: what highdicom has no class for begins here."""

from __future__ import annotations

from highdicom.base import SOPClass
from highdicom.sr import CodedConcept
from pydicom import Dataset
from pydicom.sr.codedict import codes as dicom
from pydicom.uid import ExplicitVRLittleEndian

from serving.hospital.results.identity import Made
from serving.hospital.results.source import Source


def blank(
    source: Source,
    made: Made,
    *,
    sop_class: str,
    instance: str,
    series: tuple[str, int],
    modality: str,
    number: int = 1,
) -> Dataset:
    """A new instance: patient and study of the source, series and equipment ours.

    Args:
        source: the image.
        made: the analysis of it.
        sop_class: the SOP class UID.
        instance: names the instance among those of this analysis.
        series: names the series likewise, and numbers it.
        modality: Modality (0008,0060).
        number: of the instance in its series, from 1.
    """
    about = made.series(*series)
    ours = about.pop("contributing_equipment")
    inherited = source.dataset
    dataset = SOPClass(
        study_instance_uid=inherited.StudyInstanceUID,
        sop_instance_uid=made.uid(instance),
        sop_class_uid=sop_class,
        instance_number=number,
        modality=modality,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        patient_id=inherited.PatientID,
        patient_name=inherited.PatientName,
        patient_birth_date=inherited.PatientBirthDate,
        patient_sex=inherited.PatientSex,
        accession_number=inherited.AccessionNumber,
        study_id=inherited.StudyID,
        study_date=inherited.StudyDate,
        study_time=inherited.StudyTime,
        referring_physician_name=inherited.ReferringPhysicianName,
        **about,
    )
    dataset.copy_patient_and_study_information(inherited)
    dataset.ContributingEquipmentSequence = ours
    return made.settle(dataset, source)


def reference(source: Source, *, purpose: bool = False) -> Dataset:
    """The image, by its class and UID; with `purpose`, as the source of another (PS3.3 C.7.6.1.1.4)."""
    item = Dataset()
    item.ReferencedSOPClassUID = source.dataset.SOPClassUID
    item.ReferencedSOPInstanceUID = source.dataset.SOPInstanceUID
    if purpose:
        code = dicom.DCM.SourceImageForImageProcessingOperation
        item.PurposeOfReferenceCodeSequence = [CodedConcept.from_code(code)]
    return item
