"""Instances by STOW-RS: dicomweb-client and requests send, a real node receives, a real gateway answers."""

from __future__ import annotations

import io
import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.encaps import encapsulate

from serving.audit import trail
from serving.records import Status
from serving.security.roles import Role
from serving.security.tokens import make
from tests.serving.conftest import dicom, scene
from tests.serving.hospital.peers import certificates
from tests.waiting import until

pytestmark = pytest.mark.slow

OPEN = {"port": 0, "insecure": True}
RELATED = 'multipart/related; type="application/dicom"; boundary=xyz'
SECRET = b"0123456789abcdef" * 2


def posted(url: str, *parts: bytes, kind: str = RELATED, of: bytes = b"application/dicom", **more) -> requests.Response:
    """A Store request, written by hand."""
    body = b"".join(b"--xyz\r\nContent-Type: " + of + b"\r\n\r\n" + part + b"\r\n" for part in parts) + b"--xyz--\r\n"
    headers = {"Content-Type": kind, "Accept": "application/dicom+json"} | more.pop("headers", {})
    return requests.post(url + "/studies" + more.pop("study", ""), data=body, headers=headers, timeout=60, **more)


def reasons(response: requests.Response) -> dict[str, int]:
    """Failure reasons by SOP Instance UID; "" for an instance that could not be named."""
    failed = response.json().get("00081198", {}).get("Value", [])
    nameless = response.json().get("0008119A", {}).get("Value", [])
    names = [item["00081155"]["Value"][0] for item in failed] + [""] * len(nameless)
    return dict(zip(names, [item["00081197"]["Value"][0] for item in failed + nameless], strict=True))


def uids(response: requests.Response) -> list[str]:
    return [item["00081155"]["Value"][0] for item in response.json().get("00081199", {}).get("Value", [])]


def test_what_dicomweb_client_stores_is_analysed(start_node, make_file):
    started = start_node(web=OPEN)
    datasets = [dcmread(make_file(number)) for number in (1, 2)]
    answer = DICOMwebClient(started.web).store_instances(datasets)
    assert [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence] == ["1.2.1.3.4", "1.2.2.3.4"]
    until(lambda: started.store.queue.counts()["done"] == 2)
    (item,) = started.store.worklist.study("1.2.1").items
    assert item.status == Status.DONE
    taken = [record for record in trail.read(started.audit) if record["action"] == "receive"]
    assert [(each["user"], each["outcome"]) for each in taken] == [("DICOMweb", "success")] * 2


def test_what_is_answered_is_on_disk_and_in_the_queue(start_node):
    started, data = start_node(web=OPEN, gateway="localhost:1"), dicom(scene(), StudyInstanceUID="1.2.3")
    response = posted(started.web, data)
    assert (response.status_code, response.headers["content-type"]) == (200, "application/dicom+json")
    (item,) = started.store.worklist.study("1.2.3").items
    assert uids(response) == [item.instance_uid]
    assert [started.store.spool.get(digest) for digest in started.store.spool.digests()] == [data]


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"StudyInstanceUID": "1.2.99"}, 0xA900),  # another study than the request's
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.34"}, 0x0122),  # a structured report
        ({"syntax": "1.2.840.10008.1.2.4.201"}, None),  # HTJ2K, which is read
        ({"syntax": "1.2.840.10008.1.2.4.102"}, 0xC122),  # MPEG-4
        ({"StudyInstanceUID": "../../etc/passwd"}, 0xC000),
    ],
)
def test_what_is_not_taken_is_named_with_its_reason(start_node, attributes: dict[str, str], reason: int | None):
    url = start_node(web=OPEN, gateway="localhost:1").web
    good = dicom(scene(), StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.1")
    other = with_attributes(**{"StudyInstanceUID": "1.2.3", "SOPInstanceUID": "1.2.3.2"} | attributes)
    both, alone = posted(url, good, other, study="/1.2.3"), posted(url, other, study="/1.2.3")
    if reason is None:
        assert (both.status_code, uids(both), reasons(both)) == (200, ["1.2.3.1", "1.2.3.2"], {})
        return
    assert (both.status_code, uids(both)) == (202, ["1.2.3.1"])
    assert (alone.status_code, uids(alone)) == (409, [])
    assert reasons(both) == reasons(alone) == {"1.2.3.2": reason}


def with_attributes(*, syntax: str = "", **attributes: str) -> bytes:
    """A radiograph; with `syntax`, one of that transfer syntax whose frame nobody could decode."""
    dataset = dcmread(io.BytesIO(dicom(scene(), **attributes)))
    if syntax:
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.PixelData = encapsulate([b"no picture"])
        dataset["PixelData"].is_undefined_length = True
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_what_is_no_dicom_is_an_other_failure(start_node):
    url = start_node(web=OPEN).web
    response = posted(url, b"no DICOM", dicom(scene(), StudyInstanceUID="1.2.3"))
    assert (response.status_code, reasons(response)) == (202, {"": 0xC000})
    assert posted(url, b"{}", of=b"application/json").status_code == 409


def test_requests_that_store_nothing_say_why(start_node):
    url, data = start_node(web=OPEN | {"max_megabytes": 0.05}).web, dicom(scene(), StudyInstanceUID="1.2.3")
    assert posted(url, data, kind="application/dicom").status_code == 415
    assert posted(url, data, kind='multipart/related; type="application/dicom+json"; boundary=xyz').status_code == 415
    assert posted(url, data, headers={"Accept": "application/dicom+xml"}).status_code == 406
    assert posted(url, data, kind=RELATED.replace("xyz", "abc")).status_code == 400
    assert posted(url).status_code == 400
    assert posted(url, data, data).status_code == 200
    assert posted(url, *[data] * 4).status_code == 413
    assert requests.get(url + "/studies", timeout=60).status_code == 405


def test_an_instance_that_is_too_long_is_named_and_not_kept(start_node, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.hospital.web.MAX_BYTES", 4096)
    started = start_node(web=OPEN)
    response = posted(started.web, dicom(scene(), StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.1"))
    assert (response.status_code, reasons(response)) == (409, {"1.2.3.1": 0x0110})
    assert list(started.store.spool.digests()) == []


def test_one_sender_too_many_is_told_to_come_again(start_node):
    url, data = start_node(web=OPEN, associations=1).web, dicom(scene(), StudyInstanceUID="1.2.3")
    with socket.create_connection(("localhost", urlsplit(url).port)):
        until(lambda: posted(url, data).status_code == 503)
    until(lambda: posted(url, data).status_code == 200)


def test_a_body_of_unsaid_length_is_cut_off_at_the_limit(start_node):
    started = start_node(web=OPEN | {"max_megabytes": 1.0})

    def endless():
        yield b"--xyz\r\nContent-Type: application/dicom\r\n\r\n"
        while True:
            yield bytes(1 << 16)

    try:
        said = requests.post(started.web + "/studies", data=endless(), headers={"Content-Type": RELATED}, timeout=60)
        assert said.status_code == 413
    except requests.ConnectionError:
        pass  # the node has hung up while we were still sending
    assert list(started.store.spool.digests()) == []


def test_a_body_that_breaks_off_is_answered_with_what_was_stored(start_node):
    started, data = start_node(web=OPEN), dicom(scene(), StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.1")
    body = b"--xyz\r\n\r\n" + data + b"\r\n--xyz\r\n\r\n" + data[:1000]
    response = requests.post(started.web + "/studies", data=body, headers={"Content-Type": RELATED}, timeout=60)
    assert (response.status_code, uids(response), reasons(response)) == (202, ["1.2.3.1"], {"": 0xC000})


def test_a_store_that_is_away_is_answered_503_and_the_sender_keeps_its_image(start_node, postgresql):
    started = start_node(web=OPEN, store=postgresql.database())
    data = dicom(scene(), StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.1")
    postgresql.stop()
    try:
        response = posted(started.web, data)
        assert (response.status_code, reasons(response)) == (503, {"1.2.3.1": 0xA700})
        assert "Retry-After" in response.headers
    finally:
        postgresql.start()
    assert posted(started.web, data).status_code == 200


def test_only_a_token_of_the_right_role_over_tls_is_let_in(tmp_path: Path, start_node):
    keys = certificates(tmp_path / "keys")
    (tmp_path / "secret").write_bytes(SECRET)
    started = start_node(
        tls={"certificate": keys / "node.pem", "key": keys / "node.key"},
        web={"port": 0, "token_secret": tmp_path / "secret"},
    )
    trusted, data = {"verify": str(keys / "authority.pem")}, dicom(scene(), StudyInstanceUID="1.2.3")

    def status(role: Role, secret: bytes = SECRET) -> int:
        token = make(secret, subject="pacs", role=role, hours=1)
        return posted(started.web, data, headers={"Authorization": f"Bearer {token}"}, **trusted).status_code

    nobody = posted(started.web, data, **trusted)
    assert (nobody.status_code, nobody.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert status(Role.SYSTEM, b"x" * 32) == 401
    assert status(Role.CLINICIAN) == 403
    assert list(started.store.spool.digests()) == []
    assert status(Role.SYSTEM) == 200
    records = [(each["action"], each["user"], each["outcome"]) for each in trail.read(started.audit)]
    assert records[:4] == [
        ("connect", "", "refused:Unauthenticated"),
        ("connect", "", "refused:Unauthenticated"),
        ("connect", "pacs", "refused:Forbidden"),
        ("receive", "pacs", "success"),
    ]


def test_a_sender_without_the_authoritys_certificate_does_not_come_as_far_as_a_token(tmp_path: Path, start_node):
    keys = certificates(tmp_path / "keys")
    (tmp_path / "secret").write_bytes(SECRET)
    tls = {"certificate": keys / "node.pem", "key": keys / "node.key", "authority": keys / "authority.pem"}
    url = start_node(tls=tls, web={"port": 0, "token_secret": tmp_path / "secret"}).web
    with pytest.raises(requests.ConnectionError):
        posted(url, verify=str(keys / "authority.pem"))
    shown = (str(keys / "peer.pem"), str(keys / "peer.key"))
    assert posted(url, verify=str(keys / "authority.pem"), cert=shown).status_code == 401
