"""The trail: every record holds the one before, and whoever changes one is found out."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from typer.testing import CliRunner

import kerascope
from serving.audit import atna, trail
from serving.audit.trail import Audit
from zoo import errors

# The text that is hashed, and what `printf '%s' "$FIRST" | sha256sum` says of it.
FIRST = (
    '{"action":"analyze","number":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000",'
    '"process":"gateway","time":"2026-01-01T00:00:00.000+00:00","user":"me"}'
)
FIRST_HASH = "0a8f5eaf0b303539817018e116670dbee2f629d3b4fe998c74b373103ed2eb99"

ANALYZE = {
    "action": "analyze",
    "user": "dr-reader",
    "peer": "ipv4:10.0.0.7:51234",
    "subject": "sha256:" + "ab" * 32,
    "model": "chest",
    "version": 3,
    "analysis_id": "cd" * 16,
    "outcome": "success",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log" / "audit.jsonl"


def written(path: Path, number: int) -> Path:
    audit = Audit(path, "gateway")
    for user in range(number):
        audit.write(**ANALYZE | {"user": f"user {user}"})
    return path


def say(*words: str) -> str:
    done = CliRunner().invoke(kerascope.app, ["audit", *words])
    if done.exception is not None:
        raise done.exception
    return done.output


def test_the_first_hash_by_hand():
    assert trail.canonical(json.loads(FIRST)) == FIRST
    assert trail.digest(json.loads(FIRST)) == FIRST_HASH
    assert trail.digest(json.loads(FIRST) | {"hash": "anything"}) == FIRST_HASH


def test_each_record_holds_the_hash_of_the_one_before(path: Path):
    first, second = trail.read(written(path, 2))
    assert first["previous"] == "0" * 64
    assert second["previous"] == first["hash"] == trail.digest(first)
    assert trail.verify(path) == (2, second["hash"])
    assert path.stat().st_mode & 0o077 == 0


def test_a_trail_is_carried_on_by_the_next_process_and_by_several_at_once(path: Path):
    code = (
        "import sys; from pathlib import Path; from serving.audit.trail import Audit\n"
        "audit = Audit(Path(sys.argv[1]), 'dicom-node')\n"
        "for number in range(20): audit.write(action='receive', user=str(number))"
    )
    written(path, 1)
    others = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(2)]
    audit = Audit(path, "gateway")
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda number: audit.write(action="analyze", user=str(number)), range(20)))
    assert [other.wait(60) for other in others] == [0, 0]
    assert trail.verify(path).number == 61


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("how", ["changed", "removed", "doubled", "swapped"])
def test_a_record_touched_is_found(path: Path, how: str, number: int):
    lines = written(path, 4).read_text().splitlines(keepends=True)
    i = number - 1
    lines[i : i + 2] = {
        "changed": [lines[i].replace('"version":3', '"version":4'), lines[i + 1]],
        "removed": [lines[i + 1]],
        "doubled": [lines[i], lines[i], lines[i + 1]],
        "swapped": [lines[i + 1], lines[i]],
    }[how]
    path.write_text("".join(lines))
    broken = number + 1 if how == "doubled" else number
    with pytest.raises(errors.BrokenAudit, match=f"broken at record {broken}:"):
        trail.verify(path)


def test_a_changed_record_with_a_new_hash_breaks_the_next_one(path: Path):
    lines = written(path, 3).read_text().splitlines()
    forged = json.loads(lines[1]) | {"user": "somebody else"}
    lines[1] = trail.canonical(forged | {"hash": trail.digest(forged)})
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(errors.BrokenAudit, match="record 3"):
        trail.verify(path)


def test_a_line_that_is_no_record_is_said_so(path: Path):
    written(path, 2)
    path.write_text(path.read_text() + "[1, 2]\n")
    with pytest.raises(errors.BrokenAudit, match="record 3: the line is no record"):
        trail.verify(path)


def test_a_record_cut_short_by_a_power_cut_is_dropped_by_the_next(path: Path):
    whole = written(path, 2).read_text()
    path.write_text(whole + whole.splitlines()[1][:50])
    Audit(path, "gateway").write(**ANALYZE)
    assert trail.verify(path).number == 3


def test_a_full_disk_is_said_so():
    audit = Audit(Path("/dev/full"), "gateway")
    with pytest.raises(errors.StoreNotReady, match="takes no record"):
        audit.write(**ANALYZE)


def test_the_command_verifies_and_notices_a_cut_end(path: Path):
    said = say("verify", "--audit", str(written(path, 3)))
    head = said.split()[-1]
    assert said.startswith("3 records, unbroken.")
    assert say("verify", "--audit", str(path), "--holds", head) == said
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:2]))
    assert say("verify", "--audit", str(path)).startswith("2 records")
    with pytest.raises(errors.BrokenAudit, match="cut off"):
        say("verify", "--audit", str(path), "--holds", head)


def test_a_record_becomes_an_audit_message_in_a_line_of_syslog(path: Path):
    Audit(path, "gateway").write(**ANALYZE)
    (line,) = say("export", "--audit", str(path), "--format", "atna").splitlines()
    head, _, body = line.partition("\ufeff")
    priority, time, host, app, process, name, data = head.split()
    assert (priority, app, process, name, data) == ("<85>1", "kerascope-gateway", "-", "DICOM+RFC3881", "-")
    root = Xml.fromstring(body)
    assert [part.tag for part in root] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
    ]
    event, them, us, source, subject = root
    assert event.attrib == {"EventActionCode": "R", "EventDateTime": time, "EventOutcomeIndicator": "0"}
    assert event[0].attrib == {
        "csd-code": "110103",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Accessed",
    }
    assert (them.get("UserID"), them.get("UserIsRequestor")) == ("dr-reader", "true")
    assert (them.get("NetworkAccessPointID"), them.get("NetworkAccessPointTypeCode")) == ("10.0.0.7", "2")
    assert (us.get("UserID"), us.get("NetworkAccessPointID")) == ("kerascope-gateway", host)
    assert source.get("AuditSourceID") == f"kerascope-gateway@{host}"
    assert subject.get("ParticipantObjectID") == "ab" * 32
    details = {
        part.get("type"): base64.b64decode(part.get("value")).decode() for part in subject.iter() if part.get("type")
    }
    assert (details["model"], details["version"], details["hash"]) == ("chest", "3", trail.verify(path).hash)


@pytest.mark.parametrize(
    ("outcome", "indicator"), [("success", "0"), ("refused:WRONG_VIEW", "4"), ("failed:StoreNotReady", "8")]
)
def test_an_outcome_has_its_number(outcome: str, indicator: str):
    record = ANALYZE | {"outcome": outcome, "process": "gateway", "time": "2026-01-01T00:00:00.000+00:00"}
    assert atna.message(record, "here")[0].get("EventOutcomeIndicator") == indicator


def test_images_that_moved_name_source_and_destination():
    record = ANALYZE | {"process": "dicom-node", "time": "2026-01-01T00:00:00.000+00:00", "subject": "study:1.2.3"}
    roles = {}
    for action in ("receive", "send"):
        root = atna.message(record | {"action": action}, "here")
        roles[action] = [part[0].get("originalText") for part in root.findall("ActiveParticipant")]
        assert root[-1][0].get("csd-code") == "110180"
    assert roles["receive"] == ["Source Role ID", "Destination Role ID"]
    assert roles["send"] == ["Destination Role ID", "Source Role ID"]


@pytest.mark.parametrize(
    ("peer", "address"),
    [("ipv4:10.0.0.7:5", "10.0.0.7"), ("ipv6:%5B::1%5D:5", "::1"), ("10.0.0.7", "10.0.0.7"), ("unix:/tmp/x", "")],
)
def test_an_address_is_found_in_the_name_of_a_peer(peer: str, address: str):
    assert atna._address(peer) == address
