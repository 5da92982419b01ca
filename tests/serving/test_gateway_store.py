"""A gateway with a store and an audit trail, asked over real connections."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from serving.audit import trail
from serving.client import Client, Decision, Status
from serving.server import Gateway
from serving.store.store import Store
from tests.serving.postgresql import Cluster
from zoo import errors
from zoo.results import Verdict

pytestmark = pytest.mark.slow

TINY = "tiny-chest"
StartGateway = Callable[..., Gateway]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


@pytest.fixture
def start(registry, model_server, start_gateway: StartGateway, tmp_path: Path) -> Callable[..., Gateway]:
    """start(**settings): a gateway with an audit trail in `tmp_path`."""
    return lambda **settings: start_gateway(registry, model_server.port, audit=tmp_path / "audit.jsonl", **settings)


@pytest.fixture
def asked(start, url: str) -> Iterator[Client]:
    """A client of a gateway that keeps what it says."""
    with Client(start(store=url).address, user="dr-reader") as client:
        yield client


def records(tmp_path: Path) -> list[trail.Record]:
    return list(trail.read(tmp_path / "audit.jsonl"))


def test_an_answer_is_in_the_store_when_it_arrives(asked: Client, url: str, make_dicom):
    analysis = asked.analyze(make_dicom(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4"), model=TINY)
    kept = Store(url).analyses.get(analysis.provenance.analysis_id)
    assert kept.analysis.provenance == analysis.provenance
    assert [finding.probability for finding in kept.analysis.findings] == [f.probability for f in analysis.findings]
    assert (kept.study_uid, kept.instance_uid) == ("1.2.3", "1.2.3.4")
    assert analysis.embedding is None


def test_a_caution_comes_back_however_its_answer_is_asked_for(start, url: str, unusual, make_dicom):
    image = make_dicom(StudyInstanceUID="1.2.3", SOPInstanceUID="1.2.3.4")
    with Client(start(store=url).address) as client:
        first = client.analyze(image, model=TINY, request_id="mine")
        again = client.analyze(image, model=TINY, request_id="mine")
        assert first.provenance == again.provenance
        study, stored = client.study("1.2.3")
        assert [item.caution_ratio for item in study.items] == [unusual.ratio]
        assert client.studies() == [study]
        found = [first, again, *(each.analysis for each in (*stored, *client.analyses(), next(client.watch(after=0))))]
        found.append(client.analysis(first.provenance.analysis_id).analysis)
    assert [analysis.caution for analysis in found] == [unusual] * 6


def test_no_answer_leaves_while_the_store_is_away(start, postgresql: Cluster, png: bytes):
    url = postgresql.database()
    with Client(start(store=url).address) as client:
        client.analyze(png, model=TINY)
        postgresql.stop()
        try:
            with pytest.raises(errors.StoreNotReady, match="does not answer"):
                client.analyze(png, model=TINY)
        finally:
            postgresql.start()
        client.analyze(png, model=TINY)
    assert len(Store(url).analyses.since(0)) == 2


def test_a_refusal_is_kept_with_its_reason(asked: Client, url: str, make_dicom):
    with pytest.raises(errors.ImageRefused):
        asked.analyze(make_dicom(Modality="CT", StudyInstanceUID="1.2.3"), model=TINY)
    (item,) = asked.study("1.2.3")[0].items
    assert (item.status, item.reason, item.model) == (Status.REFUSED, "WRONG_MODALITY", TINY)
    stored = asked.analysis(item.analysis_id)
    assert stored.analysis is None
    assert stored.detail


def test_a_refused_picture_is_hashed_once(asked: Client, make_dicom, monkeypatch: pytest.MonkeyPatch):
    image, hashed, sha256 = make_dicom(Modality="CT"), [], hashlib.sha256

    def seen(data: bytes = b"", **options: bool) -> object:
        hashed.append(data)
        return sha256(data, **options)

    monkeypatch.setattr(hashlib, "sha256", seen)
    with pytest.raises(errors.ImageRefused):
        asked.analyze(image, model=TINY)
    assert hashed.count(image) == 1


def test_the_same_question_asked_twice_has_one_answer(asked: Client, url: str, png: bytes, make_png, make_dicom):
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: asked.analyze(png, model=TINY, request_id="mine"), range(8)))
    assert len({answer.provenance.analysis_id for answer in answers}) == 1
    assert len(Store(url).analyses.since(0)) == 1
    with pytest.raises(errors.BadRequest, match="request_id"):
        asked.analyze(make_png(7), model=TINY, request_id="mine")
    for _ in range(2):
        with pytest.raises(errors.ImageRefused, match="CT"):
            asked.analyze(make_dicom(Modality="CT", SOPInstanceUID="1.2"), model=TINY, request_id="refused")
    assert len(Store(url).analyses.since(0)) == 2


def test_a_review_is_kept_and_comes_back_with_the_answer(asked: Client, png: bytes):
    name = asked.analyze(png, model=TINY).provenance.analysis_id
    said = asked.review(
        name,
        Decision.CORRECT,
        user="dr-reader",
        finding="nodule",
        correction=Verdict.ABSENT,
        comment="rib",
        signed=True,
    )
    assert said.created is not None
    assert asked.analysis(name).reviews == (said,)
    with pytest.raises(errors.BadRequest, match="no such finding"):
        asked.review(name, Decision.ACCEPT, user="dr-reader", finding="fracture")
    with pytest.raises(errors.UnknownRecord):
        asked.review("0" * 32, Decision.ACCEPT, user="dr-reader")


def test_a_watcher_hears_of_new_answers_and_goes_on_where_it_was(start, url: str, make_png):
    gateway = start(store=url)
    with Client(gateway.address) as client:
        first = client.analyze(make_png(1), model=TINY).provenance.analysis_id
        news = client.watch(after=0)
        assert next(news).analysis_id == first
        second = client.analyze(make_png(2), model=TINY).provenance.analysis_id
        seen = next(news)
        assert seen.analysis_id == second
        news.close()
        third = client.analyze(make_png(3), model=TINY).provenance.analysis_id
        assert next(client.watch(after=seen.sequence)).analysis_id == third
        waiting = client.watch(after=seen.sequence + 1)
        gateway.stop(0.5)
        with pytest.raises((StopIteration, errors.ModelNotReady)):
            next(waiting)


def test_watchers_do_not_take_the_place_of_those_who_ask(start, url: str, png: bytes):
    with Client(start(store=url, watchers=1, request_threads=1).address) as client:
        client.analyze(png, model=TINY)
        watching = client.watch(after=0)
        next(watching)
        client.analyze(png, model=TINY)
        with pytest.raises(errors.StoreNotReady, match="as the gateway allows"):
            next(client.watch(after=0))
        watching.close()


def test_similar_pictures_are_other_ones(asked: Client, make_png):
    same, other, again = (asked.analyze(make_png(seed), model=TINY).provenance.analysis_id for seed in (1, 2, 1))
    (first, second) = asked.similar(again)
    assert (first[1].analysis_id, second[1].analysis_id) == (same, other)
    assert first[0] == pytest.approx(1.0, abs=1e-5)
    assert second[0] < first[0]
    assert len(asked.similar(again, limit=1)) == 1


def test_all_answers_come_in_pages_the_newest_first(asked: Client, png: bytes, make_png, make_dicom):
    asked.analyze(make_dicom(), model=TINY)
    with pytest.raises(errors.BadImage):
        asked.analyze(b"no picture", model=TINY)
    asked.analyze(png, model=TINY)
    newest, refused = asked.analyses(limit=2)
    assert (newest.study_uid, newest.status, refused.status) == ("", Status.DONE, Status.REFUSED)
    (oldest,) = asked.analyses(before=refused.sequence)
    assert newest.sequence > refused.sequence > oldest.sequence
    assert asked.analyses(model="another") == []
    (known,) = asked.analyses(limit=1, embedding=True)
    assert newest.analysis.embedding is None
    assert known.analysis.embedding.shape == (asked.card(TINY).embedding_size,)


def test_without_a_store_what_needs_one_says_so(client: Client):
    for question in (client.studies, lambda: client.analysis("x"), lambda: next(client.watch())):
        with pytest.raises(errors.BadConfig, match="KERASCOPE_STORE"):
            question()


def test_every_access_is_in_the_trail_with_who_and_what_became_of_it(asked: Client, tmp_path, png, make_dicom):
    analysis = asked.analyze(png, model=TINY)
    with pytest.raises(errors.ImageRefused):
        asked.analyze(make_dicom(Modality="CT"), model=TINY)
    with pytest.raises(errors.UnknownModel):
        asked.analyze(png, model="DOE^JANE")
    asked.review(analysis.provenance.analysis_id, Decision.ACCEPT, user="dr-reader")
    asked.studies()
    found = records(tmp_path)
    assert [(record["action"], record["outcome"]) for record in found] == [
        ("analyze", "success"),
        ("analyze", "refused:WRONG_MODALITY"),
        ("analyze", "failed:UnknownModel"),
        ("review", "success"),
        ("list", "success"),
    ]
    first = found[0]
    assert (first["user"], first["model"], first["version"]) == ("dr-reader", TINY, 1)
    assert first["subject"] == f"sha256:{analysis.provenance.image_sha256}"
    assert first["analysis_id"] == found[3]["analysis_id"] == analysis.provenance.analysis_id
    assert trail.verify(tmp_path / "audit.jsonl").number == 5


def test_no_name_identifier_or_date_of_a_patient_is_kept_or_logged(
    asked: Client, tmp_path: Path, make_dicom, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    asked.analyze(make_dicom(StudyInstanceUID="1.2.3", StudyDescription="DOE JANE, knee"), model=TINY)
    with pytest.raises(errors.ImageRefused):
        asked.analyze(make_dicom(Modality="CT"), model=TINY)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            kept = path.read_bytes()
            assert not [word for word in (b"DOE", b"JANE", b"SECRET-1", b"19700102") if word in kept], path
    assert "DOE" not in caplog.text


def test_what_is_older_than_the_retention_period_goes(start, url: str, png: bytes):
    with Client(start(store=url).address) as client:
        client.analyze(png, model=TINY)
    start(store=url, retention_days=1e-9)
    end = time.monotonic() + 10
    while Store(url).analyses.since(0):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_embedding_is_given_to_who_asks_for_it(asked: Client, png: bytes):
    analysis = asked.analyze(png, model=TINY, embedding=True)
    assert analysis.embedding is not None
    assert np.isfinite(analysis.embedding).all()
