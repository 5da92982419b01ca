"""Who made a result, and what it is called: the same analysis always makes the same objects, so a retry is no copy."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from datetime import datetime

import highdicom as hd
from pydicom import DataElement, Dataset
from pydicom.sr.codedict import codes

from serving.hospital.results.source import UTF_8, Source
from zoo.results import Analysis

MANUFACTURER = "Kerascope"
DEVICE = "Kerascope gateway"
SERIES_DESCRIPTION = "Kerascope AI - RESEARCH USE ONLY"

# highdicom logs odd values by quoting them; a value may be a patient's.
logging.getLogger("highdicom").setLevel(logging.CRITICAL)

_NAMESPACE = uuid.UUID("5c1f8a52-3c0b-5f7a-9d53-6f4a3e6b2f10")


@dataclass(frozen=True)
class Made:
    """One analysis and the moment it was made: together they settle every identifier and date of its objects.

    Attributes:
        analysis: what the model said.
        at: when, in local time; a retry gives the same.
    """

    analysis: Analysis
    at: datetime

    def uuid(self, role: str) -> uuid.UUID:
        """The same for the same analysis and role, and no other's (RFC 9562 section 5.5, version 5)."""
        return uuid.uuid5(_NAMESPACE, f"{self.analysis.provenance.analysis_id}/{role}")

    def uid(self, role: str) -> str:
        """The same as a DICOM UID, below 2.25 (PS3.5 section B.2)."""
        return f"2.25.{self.uuid(role).int}"

    @property
    def remarks(self) -> str:
        """What must stand wherever the result stands: the notice, and the caution where the answer carries one."""
        caution = self.analysis.caution
        return self.analysis.notice if caution is None else f"{self.analysis.notice} {caution.message}"

    @property
    def software(self) -> list[str]:
        """The gateway's version and the model's (PS3.3 C.7.5.1, Software Versions)."""
        made_by = self.analysis.provenance
        return [_short(made_by.gateway_version), _short(f"{made_by.model} {made_by.version}")]

    def series(self, role: str, number: int) -> dict[str, object]:
        """What highdicom asks of every object: its series, its instance, its equipment, its dates."""
        return {
            "series_instance_uid": self.uid(f"{role}/series"),
            "series_number": number,
            "series_description": SERIES_DESCRIPTION,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": DEVICE,
            "software_versions": self.software,
            "device_serial_number": _short(self.analysis.provenance.gateway_version),
            "content_date": self.at.date(),
            "content_time": self.at.time(),
            "series_date": self.at.date(),
            "series_time": self.at.time(),
            "contributing_equipment": [self.equipment()],
        }

    def equipment(self) -> hd.ContributingEquipment:
        """The model, as IHE AI Results asks for it: Contributing Equipment (PS3.3 C.12.1.1.5)."""
        made_by = self.analysis.provenance
        return hd.ContributingEquipment(
            manufacturer=MANUFACTURER,
            purpose_of_reference=codes.DCM.ProcessingEquipment,
            manufacturer_model_name=_short(made_by.model),
            software_versions=[f"version {made_by.version}", f"weights {made_by.weights_sha256[:16]}"],
            device_serial_number=made_by.weights_sha256[:64] or None,
            contribution_datetime=self.at,
            contribution_description=f"Classification by {made_by.backbone}. {self.remarks}"[:1024],
        )

    def settle(self, dataset: Dataset, source: Source) -> Dataset:
        """Names the patient, and dates the object by the analysis, not by the clock: a retry gives the same bytes."""
        for keyword, name in source.names.items():
            dataset.add(DataElement(keyword, "PN", name))  # a new one: highdicom shares its elements with the source
        dataset.SpecificCharacterSet = UTF_8
        dataset.InstanceCreationDate = dataset.ContentDate = self.at.strftime("%Y%m%d")
        dataset.InstanceCreationTime = dataset.ContentTime = self.at.strftime("%H%M%S.%f")
        for item in dataset.ContributingEquipmentSequence:
            item.ContributionDateTime = self.at.strftime("%Y%m%d%H%M%S.%f")
        for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
            for item in dataset.get(keyword) or ():
                item.DimensionOrganizationUID = self.uid("dimensions")
        return dataset


def _short(text: str) -> str:
    return text[:64]
