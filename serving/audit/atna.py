"""Records of the trail as audit messages of DICOM PS3.15 A.5 (IHE ATNA), each in a line of syslog (RFC 5424).

Every element and attribute is one of the schema in PS3.15 A.5.1; which event is which is told by A.5.3.
"""

from __future__ import annotations

import base64
import re
import socket
from typing import NamedTuple
from xml.etree import ElementTree as Xml

from serving.audit.trail import Record

# Facility 10 (security), severity 5 (notice): RFC 5424 section 6.2.1. The message's name: PS3.15 A.6.1.1.
PRIORITY, MESSAGE_ID, BOM = 10 * 8 + 5, "DICOM+RFC3881", "\ufeff"
OURS = "99KERASCOPE"


class Event(NamedTuple):
    """An event of PS3.16 CID 400, and what it does: create, read, update, delete or execute."""

    code: str
    meaning: str
    action: str


ACCESSED, TRANSFERRED = "DICOM Instances Accessed", "DICOM Instances Transferred"
EVENTS = {
    "analyze": Event("110103", ACCESSED, "R"),
    "explain": Event("110103", ACCESSED, "R"),
    "read": Event("110103", ACCESSED, "R"),
    "review": Event("110103", ACCESSED, "U"),
    "list": Event("110112", "Query", "E"),
    "watch": Event("110112", "Query", "E"),
    "deny": Event("110113", "Security Alert", "E"),
    "find-similar": Event("110112", "Query", "E"),
    "receive": Event("110104", TRANSFERRED, "C"),
    "send": Event("110104", TRANSFERRED, "R"),
}
UNKNOWN_EVENT = Event("110100", "Application Activity", "E")
SOURCE, DESTINATION = ("110153", "Source Role ID"), ("110152", "Destination Role ID")
SUBJECTS = {"study": ("110180", "DCM", "Study Instance UID"), "sha256": ("sha256", OURS, "SHA-256 of the image's file")}


def syslog(record: Record, host: str | None = None) -> str:
    """One record as one line of syslog.

    Args:
        record: of the trail.
        host: this machine's name; None for the one it has.
    """
    name = host or socket.gethostname() or "-"
    body = Xml.tostring(message(record, name), encoding="unicode")
    app = f"kerascope-{record['process']}"
    return f"<{PRIORITY}>1 {record['time']} {name} {app} - {MESSAGE_ID} - {BOM}{body}"


def message(record: Record, host: str) -> Xml.Element:
    """One record as an AuditMessage."""
    root = Xml.Element("AuditMessage")
    _event(root, record)
    for participant in _participants(record, host):
        root.append(participant)
    Xml.SubElement(root, "AuditSourceIdentification", AuditSourceID=f"kerascope-{record['process']}@{host}")
    if record.get("subject"):
        _subject(root, record)
    return root


def _event(root: Xml.Element, record: Record) -> None:
    action, outcome = str(record["action"]), str(record["outcome"])
    event = EVENTS.get(action, UNKNOWN_EVENT)
    indicator = {"success": "0", "refused": "4"}.get(outcome.partition(":")[0], "8")
    element = Xml.SubElement(
        root,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=str(record["time"]),
        EventOutcomeIndicator=indicator,
    )
    element.append(_code("EventID", event.code, "DCM", event.meaning))
    element.append(_code("EventTypeCode", action, OURS, action))
    Xml.SubElement(element, "EventOutcomeDescription").text = outcome


def _participants(record: Record, host: str) -> tuple[Xml.Element, Xml.Element]:
    """Who asked, and this process. Where images moved, which of them was the source."""
    sending = record["action"] == "send"
    them = Xml.Element("ActiveParticipant", UserID=str(record["user"]) or "unknown", UserIsRequestor=_is(not sending))
    us = Xml.Element("ActiveParticipant", UserID=f"kerascope-{record['process']}", UserIsRequestor=_is(sending))
    address = _address(str(record["peer"]))
    if address:
        them.attrib |= {"NetworkAccessPointID": address, "NetworkAccessPointTypeCode": "2"}
    us.attrib |= {"NetworkAccessPointID": host, "NetworkAccessPointTypeCode": "1"}
    if record["action"] in ("send", "receive"):
        roles = (DESTINATION, SOURCE) if sending else (SOURCE, DESTINATION)
        for participant, (code, meaning) in zip((them, us), roles, strict=True):
            participant.append(_code("RoleIDCode", code, "DCM", meaning))
    return them, us


def _subject(root: Xml.Element, record: Record) -> None:
    kind, _, name = str(record["subject"]).partition(":")
    element = Xml.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=name,
        ParticipantObjectTypeCode="2",  # a system object ...
        ParticipantObjectTypeCodeRole="3",  # ... and a report on it
    )
    element.append(_code("ParticipantObjectIDTypeCode", *SUBJECTS.get(kind, (kind, OURS, kind))))
    Xml.SubElement(element, "ParticipantObjectName").text = str(record.get("analysis_id") or name)
    for detail in ("model", "version", "analysis_id", "number", "hash"):
        if record.get(detail):
            value = base64.b64encode(str(record[detail]).encode()).decode()
            Xml.SubElement(element, "ParticipantObjectDetail", type=detail, value=value)


def _code(tag: str, code: str, system: str, meaning: str) -> Xml.Element:
    return Xml.Element(tag, {"csd-code": code, "codeSystemName": system, "originalText": meaning})


def _address(peer: str) -> str:
    """The IP address in gRPC's words for a peer (ipv4:10.0.0.1:5000, ipv6:%5B::1%5D:5000) or in a bare one."""
    found = re.fullmatch(r"ipv4:([\d.]+):\d+|ipv6:(?:%5B|\[)(.+)(?:%5D|\]):\d+|([\d.]+)", peer)
    return next((part for part in found.groups() if part), "") if found else ""


def _is(truth: bool) -> str:
    return "true" if truth else "false"
