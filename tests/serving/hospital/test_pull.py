"""Images fetched from Orthanc by QIDO-RS and WADO-RS, results stored there by STOW-RS; errors as our own."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from typer.testing import CliRunner

from benchmarks.processes import free_port
from kerascope import app
from serving.audit import trail
from serving.hospital.config import NodeConfig
from serving.hospital.dicomweb import Service
from serving.hospital.endpoints import WebService
from serving.hospital.pull import Pulled, Puller, Wanted
from serving.security.roles import Role
from serving.security.tokens import make
from tests.conftest import TINY
from tests.serving.hospital.peers import Orthanc, certificates, store
from tests.waiting import until
from zoo import errors

pytestmark = pytest.mark.slow

EVERYTHING = Wanted(dates="19000101-")


@pytest.fixture
def puller(tmp_path: Path, orthanc: Orthanc) -> Iterator[Puller]:
    """From Orthanc into a store of its own, which no node works off."""
    puller = Puller(configured(tmp_path, orthanc.url), "PACS")
    yield puller
    puller.close()


def configured(folder: Path, url: str, **more: object) -> NodeConfig:
    values = {"allow_any": True, "store": f"sqlite:///{folder}/pulled.db", "rule": [{"model": TINY}]}
    return NodeConfig.model_validate(values | {"archive": [{"name": "PACS", "url": url}]} | more)


def again(folder: Path, url: str, wanted: Wanted = EVERYTHING, *, most: int = 0, **more: object) -> Pulled:
    puller = Puller(configured(folder, url, **more), "PACS", most=most)
    try:
        return puller.pull(wanted)
    finally:
        puller.close()


def test_a_study_is_fetched_from_the_pacs_analysed_and_its_results_stored_there(
    tmp_path: Path, start_node, make_file, orthanc: Orthanc
):
    orthanc.store(make_file(StudyDate="20260131"), make_file(2))
    pacs = {"ae_title": "PACS", "url": orthanc.url, "results": ["structured-report", "overlay"]}
    started = start_node(destination=[pacs])
    beside = {"store": f"sqlite:///{tmp_path}/store.db", "spool": tmp_path / "spool", "audit": started.audit}
    assert again(tmp_path, orthanc.url, Wanted(studies=("1.2.1",)), **beside) == Pulled(fetched=1)
    until(lambda: started.store.deliveries.counts()["sent"] == 1)
    found = [each for each in orthanc.instances() if each["StudyInstanceUID"] == "1.2.1"]
    assert {each["Modality"] for each in found} == {"CR", "SR", "OT"}
    (report,) = [each for each in found if each["Modality"] == "SR"]
    assert (report["PatientName"], report["VerificationFlag"]) == ("DOE^JANE", "UNVERIFIED")
    records = [(each["action"], each["user"], each["peer"], each["outcome"]) for each in trail.read(started.audit)]
    assert records[0] == ("receive", "PACS", "localhost", "success")
    assert records[-1] == ("send", "PACS", "localhost", "success")
    # Our own results, which lie in the study now, are not fetched, nor is the image again.
    assert again(tmp_path, orthanc.url, Wanted(studies=("1.2.1",)), **beside) == Pulled(before=1)


@pytest.mark.parametrize(
    ("wanted", "studies"),
    [
        (Wanted(studies=("1.2.1", "1.2.3")), {"1.2.1", "1.2.3"}),
        (Wanted(modality="CR"), {"1.2.1", "1.2.2"}),
        (Wanted(body_part="chest"), {"1.2.1", "1.2.3"}),
        (Wanted(dates="20260201-"), {"1.2.2", "1.2.3"}),
        (Wanted(dates="20260131"), {"1.2.1"}),
        (Wanted(modality="CR", body_part="CHEST", dates="-20260131"), {"1.2.1"}),
    ],
)
def test_images_are_chosen_by_study_modality_body_part_and_date(puller, orthanc, make_file, wanted, studies):
    orthanc.store(
        make_file(1, StudyDate="20260131", BodyPartExamined="CHEST"),
        make_file(2, StudyDate="20260201", BodyPartExamined="ANKLE"),
        make_file(3, StudyDate="20260203", BodyPartExamined="CHEST", Modality="DX"),
    )
    assert puller.pull(wanted) == Pulled(fetched=len(studies))
    assert {study.study_uid for study in puller._store.worklist.studies()} == studies


def test_what_an_image_says_of_itself_counts_whatever_the_search_said(puller: Puller, orthanc: Orthanc, make_file):
    same = {"StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.2.9.1"}  # of which Orthanc tells the first one's part
    orthanc.store(make_file(1, **same, BodyPartExamined="CHEST"), make_file(2, **same, BodyPartExamined="ANKLE"))
    assert puller.pull(Wanted(body_part="CHEST")) == Pulled(fetched=1, others=1)
    (study,) = puller._store.worklist.studies()
    assert [item.instance_uid for item in study.items] == ["1.2.1.3.4"]


def test_what_is_in_the_queue_is_not_fetched_again_and_a_broken_off_pull_goes_on(tmp_path, orthanc, make_file):
    orthanc.store(*[make_file(number, StudyDate="20260131") for number in range(1, 6)])
    assert again(tmp_path, orthanc.url, most=2) == Pulled(fetched=2)
    assert again(tmp_path, orthanc.url) == Pulled(fetched=3, before=2)
    assert again(tmp_path, orthanc.url) == Pulled(before=5)


def test_what_is_fetched_is_the_file_that_the_pacs_keeps(puller, orthanc, make_file, tmp_path):
    plain = dcmread(make_file())
    plain.compress("1.2.840.10008.1.2.5")  # RLE Lossless
    plain.save_as(tmp_path / "rle.dcm")
    orthanc.store(tmp_path / "rle.dcm")
    puller.pull(Wanted(studies=("1.2.1",)))
    (path,) = puller._store.spool.folder.glob("??/*")
    kept = dcmread(path)
    assert (kept.file_meta.TransferSyntaxUID, kept.PixelData) == ("1.2.840.10008.1.2.5", plain.PixelData)


def test_many_images_come_page_by_page(puller, orthanc, make_file, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("serving.hospital.dicomweb.PAGE", 2)
    same = {"StudyInstanceUID": "1.2.9", "SeriesInstanceUID": "1.2.9.1"}
    orthanc.store(*[make_file(number, **same) for number in range(1, 6)])
    assert puller.pull(Wanted(studies=("1.2.9",))) == Pulled(fetched=5)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(), "one at least"),
        (Wanted(studies=("DOE^JANE",)), "no UID"),
        (Wanted(dates="January"), "is a day"),
        (Wanted(studies=("1.2.77",)), "has no study 1.2.77"),
    ],
)
def test_what_cannot_be_asked_is_said(puller, wanted: Wanted, words: str):
    with pytest.raises(errors.BadRequest, match=words):
        puller.pull(wanted)


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers each question with the status that its path begins with."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.split("/")[1]))
        self.end_headers()
        self.wfile.write(b"DOE^JANE is not here")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthenticated),
        (403, errors.Forbidden),
        (404, errors.BadRequest),
        (503, errors.ModelNotReady),
        (500, errors.ModelNotReady),
        (200, errors.BadRequest),  # no DICOMweb at all
    ],
)
def test_what_the_service_answers_becomes_an_error_of_ours(answering: str, status: int, kind: type[Exception]):
    with pytest.raises(kind) as raised:
        Service("PACS", WebService(url=f"{answering}/{status}"), None).studies(StudyDate="20260131")
    assert type(raised.value) is kind
    assert "DOE" not in str(raised.value)


def test_a_service_that_is_away_is_said_so():
    with pytest.raises(errors.ModelNotReady, match="PACS does not answer"):
        Service("PACS", WebService(url=f"http://localhost:{free_port()}"), None).studies()


def test_a_service_that_does_not_take_all_says_why_by_its_reason(start_node, make_file):
    image, report = dcmread(make_file(1)), dcmread(make_file(2))
    report.SOPClassUID = report.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.88.34"
    started = start_node(web={"port": 0, "insecure": True})  # which takes images alone
    service = Service("PACS", WebService(url=started.web), None)
    with pytest.raises(errors.BadRequest, match="PACS does not take the result: reason 0x0122"):
        service.store([image, report])
    with pytest.raises(errors.BadRequest, match="HTTP status 409"):
        service.store([report])
    service.store([image])


def test_a_service_is_shown_the_token_and_shows_a_certificate_of_its_authority(tmp_path: Path, start_node, make_file):
    keys, secret, token = certificates(tmp_path / "keys"), tmp_path / "secret", tmp_path / "token"
    secret.write_bytes(b"0123456789abcdef" * 2)
    token.write_text(make(secret.read_bytes(), subject="other-node", role=Role.SYSTEM, hours=1) + "\n")
    url = start_node(
        tls={"certificate": keys / "node.pem", "key": keys / "node.key"}, web={"port": 0, "token_secret": secret}
    ).web

    def put(**shown: Path) -> None:
        Service("PACS", WebService(url=url, **shown), None).store([dcmread(make_file())])

    with pytest.raises(errors.ModelNotReady, match="no secure connection"):
        put(token_file=token)
    with pytest.raises(errors.Unauthenticated):
        put(authority=keys / "authority.pem")
    put(authority=keys / "authority.pem", token_file=token)


def test_results_wait_for_a_dicomweb_service_that_is_away(tmp_path: Path, start_node, make_file):
    web = free_port()
    started = start_node(destination=[{"ae_title": "PACS", "url": f"http://localhost:{web}/dicom-web"}])
    assert store(started.port, make_file())
    until(lambda: started.store.queue.counts()["done"] == 1)
    orthanc = Orthanc(tmp_path / "orthanc", web=web)
    try:
        until(lambda: started.store.deliveries.counts()["sent"] == 1)
        assert "SR" in {each["Modality"] for each in orthanc.instances()}
    finally:
        orthanc.stop()


def test_the_command_says_how_many_came(tmp_path: Path, orthanc: Orthanc, make_file):
    orthanc.store(make_file(StudyDate="20260131"))
    (tmp_path / "node.toml").write_text(
        f'allow_any = true\nstore = "sqlite:///{tmp_path}/pulled.db"\n[[rule]]\nmodel = "chest"\n'
        f'[[archive]]\nname = "PACS"\nurl = "{orthanc.url}"\n'
    )
    command = ["dicom-pull", str(tmp_path / "node.toml"), "--from", "PACS", "--modality", "CR"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert "1 images fetched into the queue, 0 here before, 0 not taken." in done.output
