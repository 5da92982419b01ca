"""The store on SQLite and on PostgreSQL: what was kept is found again, once."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text

from serving.hospital.header import Header
from serving.records import Decision, Review, Status
from serving.store.analyses import cosine
from serving.store.database import Database, alembic_config
from serving.store.store import Store
from serving.store.tables import Base
from serving.stored_messages import study_from_message, study_to_message
from tests.serving.postgresql import Cluster
from tests.serving.store.answers import CAUTION, analysis, header
from zoo import errors
from zoo.errors import Reason
from zoo.results import Verdict

OpenStore = Callable[..., Store]


def test_an_answer_is_found_again_as_it_was(store: Store):
    said = analysis()
    kept = store.analyses.save(said, header())
    found = store.analyses.get(said.provenance.analysis_id)
    assert (found.sequence, found.model, found.version, found.status) == (kept.sequence, "chest", 1, Status.DONE)
    assert (found.study_uid, found.instance_uid) == ("1.2.1", "1.2.1.1")
    assert found.analysis is not None
    assert found.analysis.provenance == said.provenance
    np.testing.assert_array_equal(found.analysis.findings[1].evidence, said.findings[1].evidence)


def test_an_answer_is_found_with_its_caution_however_it_is_asked_for(store: Store):
    kept = store.analyses.save(
        analysis(caution=CAUTION), header(), request_id="mine/1", stream_id="mine"
    )  # what a watcher, a page, a study, a stream and a repeated question are given
    found = [
        kept,
        store.analyses.get(kept.analysis_id),
        store.analyses.of_request("mine/1"),
        store.analyses.save(analysis(1), header(), request_id="mine/1"),
        *store.analyses.since(0),
        *store.analyses.page(),
        *store.analyses.of_study("1.2.1"),
        *(answer for _, answer in store.analyses.of_stream("mine")),
    ]
    assert len(found) == 8
    assert all(answer.analysis.caution == CAUTION for answer in found)
    assert store.analyses.save(analysis(2), header(2)).analysis.caution is None


def test_a_refusal_is_kept_with_its_reason_and_without_a_number(store: Store):
    refusal = errors.ImageRefused("A CT; expected CR.", Reason.WRONG_MODALITY)
    kept = store.analyses.refuse(refusal, header(), model="chest", version=0, image_sha256="0" * 64)
    found = store.analyses.get(kept.analysis_id)
    assert (found.status, found.error, found.reason) == (Status.REFUSED, "ImageRefused", "WRONG_MODALITY")
    assert found.analysis is None


def test_a_question_asked_twice_at_once_has_one_answer(store: Store):
    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda seed: store.analyses.save(analysis(seed), header(), request_id="same"), range(8))
        )
    assert len({answer.analysis_id for answer in answers}) == 1
    assert len(store.analyses.since(0)) == 1
    assert store.analyses.of_request("same").analysis_id == answers[0].analysis_id
    assert store.analyses.of_request("other") is None


def test_the_answers_of_a_stream_are_found_under_its_name_from_a_number_on(store: Store):
    first, *others = (
        store.analyses.save(analysis(seed), header(), request_id=f"mine/{seed}", stream_id="mine") for seed in range(3)
    )
    store.analyses.save(analysis(3), header(), request_id="other/3", stream_id="other")
    store.analyses.save(analysis(4), header(), request_id="4")
    of_it = store.analyses.of_stream("mine")
    assert [(name, kept.analysis_id) for name, kept in of_it] == [
        (f"mine/{number}", kept.analysis_id) for number, kept in enumerate((first, *others))
    ]
    assert [name for name, _ in store.analyses.of_stream("mine", after=first.sequence, limit=1)] == ["mine/1"]


def test_a_watcher_that_asks_for_what_came_after_misses_nothing_while_many_write(open_store: OpenStore):
    writers, watcher, seen = [open_store() for _ in range(4)], open_store(), []
    with ThreadPoolExecutor(4) as threads:
        written = [threads.submit(writers[i % 4].analyses.save, analysis(i), header(i)) for i in range(40)]
        while not all(future.done() for future in written):
            seen += watcher.analyses.since(seen[-1].sequence if seen else 0, limit=3)
    while new := watcher.analyses.since(seen[-1].sequence if seen else 0, limit=3):
        seen += new
    assert {answer.analysis_id for answer in seen} == {future.result().analysis_id for future in written}
    assert len(seen) == 40
    assert seen[-1].sequence == watcher.analyses.newest()


def test_reviews_are_added_and_the_earlier_ones_stay(store: Store):
    said = analysis()
    name = store.analyses.save(said, header()).analysis_id
    store.reviews.add(Review(analysis_id=name, decision=Decision.ACCEPT, user="reader", finding="nodule"))
    store.reviews.add(
        Review(
            analysis_id=name,
            decision=Decision.CORRECT,
            user="senior",
            finding="nodule",
            correction=Verdict.ABSENT,
            comment="a nipple",
            signed=True,
        )
    )
    first, second = store.analyses.get(name).reviews
    assert (first.decision, first.user, first.signed) == (Decision.ACCEPT, "reader", False)
    assert (second.correction, second.comment, second.signed) == (Verdict.ABSENT, "a nipple", True)
    assert second.created >= first.created


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"analysis_id": "nobody's"}, "no analysis"),
        ({"finding": "fracture"}, "nodule, effusion"),
        ({"user": " "}, "names nobody"),
        ({"correction": Verdict.ABSENT}, "`correct`"),
        ({"decision": Decision.CORRECT}, "`correct`"),
        ({"decision": Decision.CORRECT, "correction": Verdict.NOT_SURE}, "present or absent"),
        ({"comment": "x" * 10_001}, "10001"),
    ],
)
def test_a_review_that_says_nothing_clear_is_refused(store: Store, changes: dict[str, object], words: str):
    name = store.analyses.save(analysis(), header()).analysis_id
    review = {"analysis_id": name, "decision": Decision.ACCEPT, "user": "reader", "finding": "nodule"} | changes
    with pytest.raises((errors.BadRequest, errors.UnknownRecord), match=words):
        store.reviews.add(Review(**review))  # type: ignore[arg-type]
    assert store.analyses.get(name).reviews == ()


def test_similar_pictures_are_found_by_the_angle_between_their_features(store: Store):
    answers = [store.analyses.save(analysis(seed), header(seed)) for seed in range(5)]
    other = store.analyses.save(analysis(3, version=2), header(9))
    found = store.analyses.similar(analysis(3).embedding, model="chest", version=1, limit=2)
    assert found[0] == (pytest.approx(1.0), answers[3].analysis_id)
    assert len(found) == 2
    assert other.analysis_id not in {name for _, name in found}


def test_cosine_by_hand():
    # <(3, 4), (4, 3)> = 24; |(3, 4)| = |(4, 3)| = 5; 24 / 25 = 0.96. A right angle gives 0, and so does nothing at all.
    others = [np.array(pair, np.float32) for pair in ((4, 3), (-4, 3), (0, 0), (-3, -4))]
    np.testing.assert_allclose(cosine(np.array([3, 4], np.float32), others), [0.96, 0, 0, -1], atol=1e-6)


def test_the_worklist_tells_what_came_and_what_was_asked_directly(store: Store):
    store.queue.receive(header(1), "0" * 64, sender="CR1", models=["chest", "bone"])
    asked = store.analyses.save(analysis(), header(7))
    store.analyses.save(analysis(), header(1, study=2))
    newer, older = store.worklist.studies()
    assert (newer.study_uid, older.study_uid) == ("1.2.2", "1.2.1")
    assert [(item.model, item.status) for item in older.items[:2]] == [
        ("chest", Status.RECEIVED),
        ("bone", Status.RECEIVED),
    ]
    assert older.items[2].analysis_id == asked.analysis_id
    assert store.worklist.study("1.2.1") == older
    assert store.worklist.studies(before=newer.number) == [older]
    with pytest.raises(errors.UnknownRecord):
        store.worklist.study("1.2.3")


def test_a_received_file_leads_to_one_line_of_the_worklist_when_it_is_answered(store: Store):
    store.queue.receive(header(), "0" * 64, sender="CR1", models=["chest"])
    job = store.queue.take()
    kept = store.analyses.save(analysis(), header(), request_id=job.request_id)
    assert len(store.worklist.study("1.2.1").items) == 1  # before the worker has said so, too
    store.queue.done(job, kept.analysis_id)
    (item,) = store.worklist.study("1.2.1").items
    assert (item.status, item.analysis_id) == (Status.DONE, kept.analysis_id)


def test_the_worklist_tells_which_images_are_unusual(store: Store):
    store.queue.receive(header(1), "0" * 64, sender="CR1", models=["chest"])
    job = store.queue.take()
    kept = store.analyses.save(analysis(caution=CAUTION), header(1), request_id=job.request_id)
    store.queue.done(job, kept.analysis_id)  # received by the node; the next two were asked directly
    store.analyses.save(analysis(1, caution=CAUTION), header(2))
    store.analyses.save(analysis(2), header(3))
    study = store.worklist.study("1.2.1")
    assert [item.caution_ratio for item in study.items] == [1.31, 1.31, None]
    assert study_from_message(study_to_message(study)) == study


def test_the_migrations_lead_to_the_tables(url: str):
    database = Database(url)
    database.upgrade()
    with database.engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_what_an_older_version_kept_is_there_after_the_upgrade(url: str, tmp_path: Path):
    database = Database(url)
    with database.engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        connection.execute(text("INSERT INTO studies (study_uid, received_ms) VALUES ('1.2.1', 1)"))
        connection.execute(
            text(
                "INSERT INTO analyses (analysis_id, created_ms, model, version, status, error, reason, detail, "
                "image_sha256, study_uid, instance_uid, message) "
                "VALUES ('old', 1, 'chest', 1, 'refused', 'ImageRefused', 'BLANK', 'blank', '00', '1.2.1', '', :none)"
            ),
            {"none": b""},
        )
    store = Store(url, spool=tmp_path / "spool")
    assert store.analyses.get("old").reason == "BLANK"
    assert store.analyses.of_stream("") == []
    assert [item.caution_ratio for item in store.worklist.study("1.2.1").items] == [None]


def test_two_processes_may_upgrade_at_once(open_store: OpenStore):
    with ThreadPoolExecutor(4) as threads:
        stores = list(threads.map(lambda _: open_store(), range(4)))
    stores[0].analyses.save(analysis(), header())
    assert all(len(store.analyses.since(0)) == 1 for store in stores)


def test_a_new_file_that_another_process_prepares_is_waited_for(tmp_path: Path):
    file = tmp_path / "store.db"
    other = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE being_made (x)")
    ended = threading.Timer(0.5, lambda: (other.execute("ROLLBACK"), other.close()))
    ended.start()
    Database(f"sqlite:///{file}").upgrade()
    ended.join()


def test_a_store_of_a_newer_version_is_left_alone(url: str):
    database = Database(url)
    database.upgrade()
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(errors.BadConfig, match=r"9999.*newer"):
        database.upgrade()


def test_a_database_that_went_away_is_said_so_and_comes_back(postgresql: Cluster, tmp_path: Path):
    store = Store(postgresql.database(), spool=tmp_path / "spool")
    store.analyses.save(analysis(), Header())
    postgresql.stop()
    with pytest.raises(errors.StoreNotReady, match="does not answer"):
        store.analyses.save(analysis(), Header())
    postgresql.start()
    store.analyses.save(analysis(), Header())
    assert len(store.analyses.since(0)) == 2


@pytest.mark.parametrize("url", ["mysql://host/name", "sqlite://", "nonsense", "oracle://x/y"])
def test_another_kind_of_database_is_refused_before_anything_is_written(url: str):
    with pytest.raises(errors.BadConfig, match=r"sqlite:///folder/store\.db"):
        Database(url)


def test_no_password_is_shown():
    assert "s3cret" not in Database("postgresql://me:s3cret@localhost/store").name


def test_the_database_and_the_spool_are_their_owners_alone(tmp_path: Path):
    store = Store(f"sqlite:///{tmp_path}/deep/store.db")
    digest = store.spool.put(b"an image")
    kept = tmp_path / "deep" / "store.db.spool" / digest[:2] / digest
    assert kept.read_bytes() == b"an image"
    for path in (tmp_path / "deep" / "store.db", kept, kept.parent, kept.parent.parent):
        assert path.stat().st_mode & 0o077 == 0, path
