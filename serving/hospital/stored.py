"""What a Store transaction of DICOMweb answers: statuses and reasons, read and written (PS3.18 10.5.3, annex I)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydicom import Dataset

from serving.hospital.header import Header
from serving.hospital.intake import OUT_OF_RESOURCES, STORED, Taken

JSON = "application/dicom+json"


def status_of(taken: Sequence[Taken]) -> int:
    """The HTTP status (PS3.18 table 10.5.3-1): 200 all stored, 202 some, 503 none for want of room, 409 none."""
    statuses = {each.status for each in taken}
    if statuses == {STORED}:
        return 200
    if STORED in statuses:
        return 202
    return 503 if statuses == {OUT_OF_RESOURCES} else 409


def response(taken: Sequence[Taken]) -> dict[str, Any]:
    """The Store Instances Response module (PS3.18 table I.2-1) in DICOM JSON.

    The node answers no retrieval, so Retrieve URL is empty. What cannot be named by its UIDs stands in Other Failures
    Sequence.
    """
    answer = Dataset()
    answer.RetrieveURL = None
    stored = [_reference(each.header) for each in taken if each.status == STORED]
    named = [each for each in taken if each.status != STORED and each.header.instance_uid]
    nameless = [each for each in taken if each.status != STORED and not each.header.instance_uid]
    for item in stored:
        item.RetrieveURL = None
    if stored:
        answer.ReferencedSOPSequence = stored
    if named:
        answer.FailedSOPSequence = [_failure(each, _reference(each.header)) for each in named]
    if nameless:
        answer.OtherFailuresSequence = [_failure(each, Dataset()) for each in nameless]
    written: dict[str, Any] = answer.to_json_dict()
    return written


def _reference(about: Header) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = about.sop_class_uid, about.instance_uid
    return item


def _failure(taken: Taken, item: Dataset) -> Dataset:
    item.FailureReason = taken.status
    return item
