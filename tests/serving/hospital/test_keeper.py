"""What is kept once nobody waits: copies without names in place of files, and results that name the patient still."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest
from pydicom import dcmread

from serving.hospital import header
from serving.hospital.keeper import Keeper
from serving.store.store import Store
from tests.serving.conftest import dicom, scene
from tests.serving.hospital.peers import Orthanc, store
from tests.serving.store.answers import analysis
from tests.waiting import until

PLANTED = (b"DOE", b"JANE", b"SECRET-1", b"19700102", b"1.2.7")


@pytest.fixture
def opened(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path}/store.db")


def receive(store: Store, models: tuple[str, ...] = ("chest",), **attributes: object) -> str:
    """A radiograph in the queue; the digest of its file."""
    data = dicom(scene(), **{"StudyInstanceUID": "1.2.7", "SOPInstanceUID": "1.2.7.1"} | attributes)
    digest = store.spool.put(data)
    store.queue.receive(header.read(data), digest, sender="CR1", models=models)
    return digest


def answer(store: Store, *destinations: str) -> None:
    job = store.queue.take()
    kept = store.analyses.save(analysis(), header.read(store.spool.get(job.sha256)), request_id=job.request_id)
    store.queue.done(job, kept.analysis_id, [("results", title) for title in destinations])


def keeper(store: Store, keep: str = "deidentified") -> Keeper:
    return Keeper(store, keep, settled_s=0)  # type: ignore[arg-type]


def files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


def test_a_copy_without_names_takes_the_place_of_a_file_once_all_is_answered_and_sent(tmp_path, opened: Store):
    digest = receive(opened)
    assert not keeper(opened).step()
    answer(opened, "PACS")
    assert not keeper(opened).step()  # its results are not sent yet
    opened.deliveries.sent(opened.deliveries.take())
    assert keeper(opened).step()
    assert (list(opened.spool.digests()), list(opened.kept.digests())) == ([], [digest])
    assert dcmread(io.BytesIO(opened.kept.get(digest))).PatientIdentityRemoved == "YES"
    assert not [word for data in files(opened.spool.folder) for word in PLANTED if word in data]
    assert not keeper(opened).step()


def test_what_failed_keeps_its_file_so_that_it_can_be_tried_again(opened: Store):
    digest = receive(opened)
    opened.queue.failed(opened.queue.take(), "UnknownModel", "no such model")
    assert not keeper(opened).step()
    assert opened.queue.retry() == 1
    assert opened.spool.get(opened.queue.take().sha256)
    assert list(opened.spool.digests()) == [digest]


def test_a_file_that_came_just_now_waits(opened: Store):
    digest = receive(opened, models=())
    assert not Keeper(opened, "deidentified", settled_s=60).step()
    grown_old(opened, digest)
    assert Keeper(opened, "deidentified", settled_s=60).step()


def grown_old(store: Store, digest: str) -> None:
    long_ago = time.time() - 3600
    os.utime(store.spool.folder / digest[:2] / digest, (long_ago, long_ago))


@pytest.mark.parametrize(
    ("keep", "attributes"),
    [("nothing", {}), ("deidentified", {"BurnedInAnnotation": "YES"})],
    ids=["nothing", "burned"],
)
def test_a_file_of_which_no_copy_is_wanted_or_safe_is_removed(opened: Store, keep: str, attributes: dict[str, str]):
    receive(opened, models=(), **attributes)
    assert keeper(opened, keep).step()
    assert (list(opened.spool.digests()), list(opened.kept.digests())) == ([], [])


def test_an_image_sent_again_for_another_model_is_asked_about_as_it_came(opened: Store):
    first = receive(opened)
    answer(opened)
    keeper(opened).step()
    second = receive(opened, ("chest", "bone"), InstitutionName="Other bytes")
    job = opened.queue.take()
    assert (job.model, job.sha256) == ("bone", second)
    assert b"DOE^JANE" in opened.spool.get(job.sha256)
    assert first != second


def test_copies_go_when_their_time_is_over(opened: Store):
    receive(opened, models=())
    keeper(opened).step()
    (digest,) = opened.kept.digests()
    opened.prune(older_than_days=0)
    long_ago = time.time() - 7200
    os.utime(opened.kept.folder / digest[:2] / digest, (long_ago, long_ago))
    opened.prune(older_than_days=0)
    assert list(opened.kept.digests()) == []


@pytest.mark.slow
def test_a_nodes_store_names_nobody_after_the_analysis_and_the_pacs_has_the_patients_results(
    start_node, make_file, orthanc: Orthanc
):
    pacs = {"ae_title": "ORTHANC", "host": "localhost", "port": orthanc.port, "results": ["structured-report"]}
    started = start_node(destination=[pacs])
    assert store(started.port, make_file())
    (digest,) = started.store.spool.digests()
    until(lambda: started.store.deliveries.counts()["sent"] == 1)
    grown_old(started.store, digest)
    until(lambda: list(started.store.kept.digests()) == [digest] and not list(started.store.spool.digests()))
    kept = started.store.kept.get(digest)
    assert not [word for word in (b"DOE", b"JANE", b"SECRET-1", b"19700102") if word in kept]
    assert {each["PatientName"] for each in orthanc.instances()} == {"DOE^JANE"}
