"""The queue, the deliveries, the spool and what is removed when its time is over."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from serving.records import Decision, Review, Status
from serving.store import leases
from serving.store.database import Database
from serving.store.deliveries import Deliveries
from serving.store.queue import Queue
from serving.store.retention import sweep
from serving.store.spool import Spool
from serving.store.store import Store
from serving.store.tables import Job
from tests.serving.store.answers import analysis, header
from zoo import errors

OpenStore = Callable[..., Store]
DAY_S = 86_400


def receive(store: Store, number: int = 1, models: tuple[str, ...] = ("chest",)) -> str:
    digest = store.spool.put(f"image {number}".encode())
    store.queue.receive(header(number), digest, sender="CR1", models=models)
    return digest


def grow_old(url: str, days: float) -> None:
    """Moves all times back."""
    columns = {"studies": "received_ms", "instances": "received_ms", "analyses": "created_ms", "reviews": "created_ms"}
    with Database(url).write() as session:
        for table, column in columns.items():
            session.execute(text(f"UPDATE {table} SET {column} = {column} - {round(days * DAY_S * 1e3)}"))


def test_what_is_received_is_taken_once_in_the_order_it_came(store: Store):
    digests = [receive(store, number) for number in range(3)]
    jobs = [store.queue.take() for _ in range(4)]
    assert [job.sha256 for job in jobs[:3]] == digests
    assert [job.instance_uid for job in jobs[:3]] == ["1.2.1.0", "1.2.1.1", "1.2.1.2"]
    assert jobs[3] is None


def test_many_workers_take_each_job_once(open_store: OpenStore):
    workers = [open_store() for _ in range(4)]
    for number in range(20):
        receive(workers[0], number)
    with ThreadPoolExecutor(8) as threads:
        jobs = list(threads.map(lambda i: workers[i % 4].queue.take(), range(24)))
    taken = [job.number for job in jobs if job is not None]
    assert len(taken) == len(set(taken))
    assert len(taken) >= 16  # PostgreSQL passes over a row that another transaction is just taking


def test_an_image_sent_twice_is_asked_about_once(store: Store):
    receive(store)
    assert store.queue.receive(header(), "1" * 64, sender="CR2", models=["chest"]) == 0
    assert store.queue.receive(header(), "1" * 64, sender="CR2", models=["chest", "bone"]) == 1  # a new rule
    assert [store.queue.take().model, store.queue.take().model, store.queue.take()] == ["chest", "bone", None]


def test_an_image_sent_on_many_connections_at_once_is_kept_once(open_store: OpenStore):
    stores = [open_store() for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        new = list(threads.map(lambda s: s.queue.receive(header(), "0" * 64, sender="CR1", models=["chest"]), stores))
    assert sum(new) == 1


def test_a_dead_workers_job_is_taken_again_and_its_late_answer_changes_nothing(open_store: OpenStore):
    slow, quick = open_store(lease_s=0.1), open_store(lease_s=30)
    receive(slow)
    lost = slow.queue.take()
    time.sleep(0.2)
    again = quick.queue.take()
    assert (again.number, again.request_id, again.attempts) == (lost.number, lost.request_id, 2)
    assert slow.queue.done(lost, "late") is False
    slow.queue.failed(lost, "X", "late")
    assert quick.queue.done(again, "mine") is True
    assert quick.queue.counts()["done"] == 1


def test_a_worker_that_shows_signs_of_life_keeps_its_job(open_store: OpenStore):
    slow, other = open_store(lease_s=0.3), open_store(lease_s=0.3)
    receive(slow)
    job = slow.queue.take()
    for _ in range(5):
        time.sleep(0.1)
        slow.queue.alive()
        assert other.queue.take() is None
    assert slow.queue.done(job, "mine")


def test_what_a_living_worker_let_go_unfinished_is_taken_again(open_store: OpenStore):
    worker, other = open_store(lease_s=0.3), open_store(lease_s=0.3)
    receive(worker)
    worker.queue.let_go(worker.queue.take())  # the database was away when it was done, say
    job = taken_in_the_end(other.queue, worker.queue)
    assert other.queue.done(job, "an-analysis", [("sr", "PACS")])
    worker.deliveries.let_go(worker.deliveries.take())
    assert taken_in_the_end(other.deliveries, worker.deliveries).attempts == 2


def taken_in_the_end(mine: Queue | Deliveries, alive: Queue | Deliveries) -> Any:
    """What one process takes, while the other shows signs of life."""
    end = time.monotonic() + 60
    while (taken := mine.take()) is None:
        assert time.monotonic() < end, "it is held by a process that does not work on it"
        alive.alive()
    return taken


def test_a_job_put_back_waits_longer_each_time(store: Store, url: str):
    receive(store)
    job = store.queue.take()
    store.queue.later(job, "ModelNotReady", "no gateway")
    assert store.queue.take() is None
    pauses = []
    for attempts in (1, 2, 3, 7, 50):  # 1, 2, 4, then 64 and more, which is cut to 60
        row = Job(status="analysing", attempts=attempts)
        leases.put_back(row, "received")
        pauses.append(round((row.not_before_ms - row.updated_ms) / 1e3))
    assert pauses == [1, 2, 4, 60, 60]


def test_while_nobody_answers_for_a_model_its_jobs_wait_together_and_other_models_go_on(store: Store, url: str):
    for number in (1, 2, 3):
        receive(store, number, models=("chest",))
    receive(store, 4, models=("knee",))
    store.queue.away(store.queue.take(), "ModelNotReady", "no gateway")
    with Database(url).write() as session:
        pauses = session.execute(text("SELECT model, not_before_ms FROM jobs ORDER BY id")).all()
        session.execute(text("UPDATE jobs SET not_before_ms = 0"))
    until = pauses[0].not_before_ms
    assert until > 0
    assert pauses == [("chest", until), ("chest", until), ("chest", until), ("knee", 0)]
    assert [(job.model, job.attempts) for job in (store.queue.take() for _ in range(4))] == [
        *[("chest", 1)] * 3,  # an answer that nobody could give counts as no try
        ("knee", 1),
    ]


def test_what_failed_is_taken_again_only_when_somebody_says_so(store: Store):
    receive(store)
    store.queue.failed(store.queue.take(), "InternalError", "a bug")
    assert store.queue.take() is None
    assert store.worklist.study("1.2.1").items[0].reason == "InternalError"
    assert store.queue.retry() == 1
    assert store.queue.take().attempts == 1


def test_an_image_that_no_rule_wants_is_on_the_worklist_as_refused(store: Store):
    receive(store, models=())
    (item,) = store.worklist.study("1.2.1").items
    assert (item.status, item.reason) == (Status.REFUSED, "NO_RULE")
    assert store.queue.take() is None


def test_results_are_sent_once_and_tried_again_until_they_are(store: Store):
    digest = receive(store)
    job = store.queue.take()
    store.queue.done(job, "an-analysis", [("sr", "PACS"), ("pdf", "PACS")])
    first, second = store.deliveries.take(), store.deliveries.take()
    assert (first.kind, first.destination, first.analysis_id, first.sha256) == ("sr", "PACS", "an-analysis", digest)
    store.deliveries.sent(first)
    store.deliveries.failed(second, "UnknownRecord", "gone")
    assert store.deliveries.take() is None
    assert store.deliveries.retry() == 1
    store.deliveries.later(store.deliveries.take(), "Refused", "0xA700")
    assert store.deliveries.counts() == {"waiting": 1, "sending": 0, "sent": 1, "failed": 0}


def test_the_spool_holds_a_file_under_its_digest_and_no_other_name(tmp_path: Path):
    spool = Spool(tmp_path / "spool")
    digest = spool.put(b"pixels")
    assert digest == hashlib.sha256(b"pixels").hexdigest() == spool.put(b"pixels")
    assert spool.get(digest) == b"pixels"
    for name in ("../../etc/passwd", "0" * 63, digest.upper(), ""):
        with pytest.raises(errors.UnknownRecord):
            spool.get(name)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_said_so_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    spool, opened = Spool(tmp_path / "spool"), os.open

    def full(path: Path, *arguments: int) -> int:
        return opened("/dev/full", os.O_WRONLY) if arguments[0] & os.O_EXCL else opened(path, *arguments)

    monkeypatch.setattr(os, "open", full)
    with pytest.raises(errors.StoreNotReady, match="No space left"):
        spool.put(b"pixels")
    assert list(spool.digests()) == []


def test_what_is_old_is_removed_with_its_file_and_its_reviews(store: Store, url: str):
    old = receive(store, 1)
    said = store.analyses.save(analysis(), header(1), request_id=store.queue.take().request_id)
    store.reviews.add(Review(analysis_id=said.analysis_id, decision=Decision.ACCEPT, user="reader"))
    store.queue.retry()
    with Database(url).write() as session:
        session.execute(text("UPDATE jobs SET status = 'done'"))
    grow_old(url, 31)
    os.utime(store.spool.folder / old[:2] / old, (time.time() - DAY_S,) * 2)
    new = receive(store, 2)
    store.analyses.save(analysis(), header(2))
    pruned = store.prune(older_than_days=30)
    assert (pruned.images, pruned.analyses, pruned.studies) == (1, 1, 0)
    assert list(store.spool.digests()) == [new]
    with pytest.raises(errors.UnknownRecord):
        store.analyses.get(said.analysis_id)
    with Database(url).read() as session:
        assert session.scalar(text("SELECT count(*) FROM reviews")) == 0


def test_what_still_waits_is_never_removed_however_old(store: Store, url: str):
    waits, unsent = receive(store, 1), receive(store, 2)
    store.queue.done(store.queue.take(), "x", [("sr", "PACS")])
    grow_old(url, 400)
    for digest in (waits, unsent):
        os.utime(store.spool.folder / digest[:2] / digest, (time.time() - DAY_S,) * 2)
    assert store.prune(older_than_days=30).images == 0
    assert set(store.spool.digests()) == {waits, unsent}


def test_a_file_whose_sender_heard_no_success_is_swept_away_but_not_while_it_may_still_be_named(store: Store, url: str):
    kept, orphan = receive(store), store.spool.put(b"half received")
    assert sweep(Database(url), store.spool) == 0
    assert sweep(Database(url), store.spool, older_than_s=0) == 1
    assert list(store.spool.digests()) == [kept] != [orphan]
