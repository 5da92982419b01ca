"""The DICOM node between real programs: dcmtk sends, Orthanc and dcmtk receive, a real gateway answers."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from benchmarks.processes import free_port
from serving.audit import trail
from serving.client import Client, Status
from tests.conftest import TINY
from tests.serving.hospital.peers import Orthanc, StoreScp, certificates, echo, store
from tests.serving.hospital.results.objects import said_of
from tests.serving.postgresql import Cluster
from tests.waiting import until

pytestmark = pytest.mark.slow


def done(started: SimpleNamespace, number: int = 1) -> bool:
    return started.store.queue.counts()["done"] == number


def test_an_image_sent_by_a_modality_comes_back_to_the_pacs_as_results(
    start_node, make_file, orthanc: Orthanc, tmp_path
):
    started = start_node(destination=[{"ae_title": "ORTHANC", "host": "localhost", "port": orthanc.port}])
    assert store(started.port, make_file())
    until(lambda: started.store.deliveries.counts()["sent"] == 1, 60)
    found = {each["SOPClassUID"]: each for each in orthanc.instances()}
    report = found["1.2.840.10008.5.1.4.1.1.88.34"]  # Comprehensive 3D SR
    assert {"1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.104.1"} <= found.keys()  # overlay and PDF
    assert (report["PatientName"], report["StudyInstanceUID"]) == ("DOE^JANE", "1.2.1")
    assert report["VerificationFlag"] == "UNVERIFIED"
    assert all("RESEARCH USE ONLY" in each["SeriesDescription"] for each in found.values())
    (answer,) = started.store.analyses.since(0)
    assert (answer.instance_uid, answer.status) == ("1.2.1.3.4", Status.DONE)
    for kept in map(dcmread, map(io.BytesIO, orthanc.files())):
        assert "Error" not in said_of(kept, "dciodvfy", tmp_path)
        if kept.Modality == "SR":
            assert "Verification Flag   : UNVERIFIED" in said_of(kept, "dsrdump", tmp_path)
    actions = [(record["action"], record["user"], record["outcome"]) for record in trail.read(started.audit)]
    assert actions == [
        ("receive", "CR1", "success"),
        ("analyze", "KERASCOPE", "success"),
        ("send", "ORTHANC", "success"),
    ]
    trail.verify(started.audit)


def test_it_answers_an_echo_of_those_it_knows(start_node):
    port = start_node(allow=["CR1", "CT 2"]).port
    assert echo(port)
    assert echo(port, sender="CT 2")
    assert not echo(port, sender="STRANGER")
    assert not echo(port, called="SOMEBODY")


def test_a_stranger_leaves_nothing_behind_but_a_record(start_node, make_file):
    started = start_node()
    assert not store(started.port, make_file(), sender="STRANGER")
    assert started.store.worklist.studies() == []
    assert list(started.store.spool.digests()) == []
    (record,) = trail.read(started.audit)
    assert (record["action"], record["user"], record["outcome"]) == ("connect", "STRANGER", "refused:ASSOCIATION")


def test_an_image_that_no_rule_wants_is_taken_and_asked_of_nobody(start_node, make_file):
    started = start_node()
    assert store(started.port, make_file(Modality="US"))
    (item,) = started.store.worklist.study("1.2.1").items
    assert (item.status, item.reason) == (Status.REFUSED, "NO_RULE")


def test_its_own_results_sent_back_to_it_are_asked_of_nobody(start_node, make_file):
    started = start_node()
    assert store(started.port, make_file(SeriesDescription="Kerascope AI - RESEARCH USE ONLY"))
    assert started.store.worklist.study("1.2.1").items[0].reason == "NO_RULE"


def test_an_image_that_the_model_refuses_is_refused_with_its_reason(start_node, make_file):
    started = start_node(rule=[{"model": TINY}])
    assert store(started.port, make_file(Modality="CT"))
    until(lambda: started.store.queue.counts()["refused"] == 1)
    (item,) = started.store.worklist.study("1.2.1").items
    assert item.reason == "WRONG_MODALITY"


def test_an_image_sent_again_is_analysed_once(start_node, make_file):
    started, file = start_node(), make_file()
    assert store(started.port, file)
    until(lambda: done(started))
    assert store(started.port, file)
    assert store(started.port, file)
    assert started.store.queue.counts()["received"] == 0
    assert len(started.store.analyses.since(0)) == 1


def test_compressed_images_are_taken_as_they_are(start_node, make_file, tmp_path):
    started, plain = start_node(), dcmread(make_file())
    plain.compress("1.2.840.10008.1.2.5")  # RLE Lossless
    plain.save_as(tmp_path / "rle.dcm")
    assert store(started.port, tmp_path / "rle.dcm", options=("-xr",))
    until(lambda: done(started))
    assert dcmread(next(started.store.spool.folder.glob("??/*"))).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.5"


def test_images_wait_for_a_gateway_that_is_away(start_node, start_gateway, registry, model_server, make_file):
    port = free_port()
    started = start_node(gateway=f"localhost:{port}")
    assert store(started.port, make_file())
    until(lambda: started.store.worklist.study("1.2.1").items[0].reason == "ModelNotReady")
    start_gateway(registry, model_server.port, port=port)  # one without a store: the node keeps the answer
    until(lambda: done(started))
    (answer,) = started.store.analyses.since(0)
    assert started.store.worklist.study("1.2.1").items[0].analysis_id == answer.analysis_id


def test_results_wait_for_a_pacs_that_is_away(tmp_path, start_node, make_file):
    port = free_port()
    pacs = {"ae_title": "STORESCP", "host": "localhost", "port": port, "results": ["structured-report"]}
    started = start_node(destination=[pacs])
    assert store(started.port, make_file())
    until(lambda: done(started))
    scp = StoreScp(tmp_path / "received", port)
    try:
        until(lambda: started.store.deliveries.counts()["sent"] == 1)
        (file,) = scp.files()
    finally:
        scp.stop()
    assert dcmread(file, force=True).Modality == "SR"


def test_a_sender_hears_no_success_while_the_store_is_away(start_node, postgresql: Cluster, make_file):
    started, file = start_node(store=postgresql.database()), make_file()
    postgresql.stop()
    try:
        assert not store(started.port, file)
    finally:
        postgresql.start()
    assert store(started.port, file)
    until(lambda: done(started))


@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ({"StudyInstanceUID": ""}, 0xC000),
        ({"StudyInstanceUID": "../../etc/passwd"}, 0xC000),
        ({"SOPInstanceUID": "1.2.3.999"}, 0xA900),
        ({}, 0x0000),
    ],
)
def test_what_is_no_proper_image_is_refused_by_its_status(start_node, attributes: dict[str, str], status: int):
    port = start_node(allow_any=True).port
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID, dataset.StudyInstanceUID = (
        ComputedRadiographyImageStorage,
        "1.2.3",
        "1.2",
    )
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    entity = AE(ae_title="ODD")
    entity.add_requested_context(ComputedRadiographyImageStorage, ExplicitVRLittleEndian)
    association = entity.associate("localhost", port, ae_title="KERASCOPE")
    announced = dataset.SOPInstanceUID if status != 0xA900 else "1.2.3"
    assert send(association, dataset, announced) == status
    association.release()


def send(association, dataset: Dataset, announced: str) -> int:
    """A C-STORE that announces one instance and brings, perhaps, another."""
    from io import BytesIO

    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.dsutils import encode

    context = association.accepted_contexts[0]
    request = C_STORE()
    request.MessageID, request.Priority = 1, 2
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = dataset.SOPClassUID, announced
    request.DataSet = BytesIO(encode(dataset, False, True))
    association._reactor_checkpoint.clear()
    association.dimse.send_msg(request, context.context_id)
    _, response = association.dimse.get_msg(block=True)
    association._reactor_checkpoint.set()
    return int(response.Status)


def test_tls_lets_in_who_shows_a_certificate_and_nobody_else(tmp_path, start_node, make_file):
    keys = certificates(tmp_path / "keys")
    tls = {"certificate": keys / "node.pem", "key": keys / "node.key", "authority": keys / "authority.pem"}
    port = free_port()
    shown = ("+tls", str(keys / "peer.key"), str(keys / "peer.pem"), "+cf", str(keys / "authority.pem"))
    scp = StoreScp(tmp_path / "received", port, *shown)
    try:
        pacs = {"ae_title": "STORESCP", "host": "localhost", "port": port, "tls": True, "results": ["pdf"]}
        started = start_node(tls=tls, destination=[pacs])
        assert not echo(started.port)  # in the clear
        assert not echo(started.port, "+tla", "-ic")  # TLS, and no certificate
        assert echo(started.port, *shown)
        assert store(started.port, make_file(), options=shown)
        until(lambda: started.store.deliveries.counts()["sent"] == 1)
        assert len(scp.files()) == 1
    finally:
        scp.stop()


def test_no_patient_is_in_log_database_or_trail(start_node, make_file, scp, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    pacs = {"ae_title": "STORESCP", "host": "localhost", "port": scp.port}
    started = start_node(destination=[pacs])
    assert store(started.port, make_file(StudyDescription="DOE JANE, knee"), make_file(2, Modality="US"))
    until(lambda: started.store.deliveries.counts()["sent"] == 1)
    kept = [path for path in tmp_path.iterdir() if path.name.startswith(("store.db", "audit")) and path.is_file()]
    assert len(kept) >= 2
    for path in kept:
        assert not [word for word in (b"DOE", b"JANE", b"SECRET-1", b"19700102") if word in path.read_bytes()], path
    assert not [word for word in ("DOE", "JANE", "SECRET-1", "19700102") if word in caplog.text]


def test_the_dashboards_worklist_shows_what_the_node_received(
    start_node, start_gateway, registry, model_server, make_file, tmp_path
):
    gateway = start_gateway(registry, model_server.port, store=f"sqlite:///{tmp_path}/store.db")
    started = start_node(gateway=gateway.address)
    assert store(started.port, make_file(1), make_file(2))
    until(lambda: done(started, 2))
    with Client(gateway.address) as client:
        newest, _ = client.studies()
        study, (answer,) = client.study(newest.study_uid)
    assert study.items[0].analysis_id == answer.analysis_id
    assert answer.analysis is not None
