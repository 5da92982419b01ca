"""Calls wait in queues for company, and threads compute them in batches."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import tensorflow as tf

from serving.modelserver.batch_parameters import Batching
from serving.modelserver.options import BATCH_DOWN, PAD_UP
from serving.modelserver.scheduler import Scheduler, Task
from tests.serving.model_server_client import WAIT_S, wait_until

NEVER_S = 3600.0


class Recorder:
    """Computes batches by keeping them; holds each up while `go` is clear."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.busy = threading.Event()
        self.go.set()

    def __call__(self, tasks: list[Task]) -> None:
        self.busy.set()
        assert self.go.wait(WAIT_S)
        self.batches.append([task.rows for task in tasks])
        for task in tasks:
            task.finish({})


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(1, "batch")
    yield made
    made.stop()


def task(rows: int = 1) -> Task:
    return Task({"x": np.zeros((rows, 1))}, rows)


def batching(rows: int, batches: int = 10, timeout_s: float = NEVER_S) -> Batching:
    return Batching(max_execution_batch_size=rows, max_enqueued_batches=batches, timeout_s=timeout_s)


def test_a_batch_is_computed_when_it_is_full(scheduler: Scheduler) -> None:
    done, tasks = Recorder(), [task(), task(2), task()]
    for one in tasks:
        scheduler.submit("a", batching(4), done, one)
    assert all(one.wait(WAIT_S) for one in tasks)
    assert done.batches == [[1, 2, 1]]


def test_a_batch_is_computed_when_the_next_call_does_not_fit(scheduler: Scheduler) -> None:
    done, tasks = Recorder(), [task(), task(2), task(2)]
    for one in tasks:
        scheduler.submit("a", batching(4), done, one)
    assert tasks[0].wait(WAIT_S)
    assert done.batches == [[1, 2]]


def test_a_batch_is_computed_when_its_oldest_call_has_waited_long_enough(scheduler: Scheduler) -> None:
    done, alone = Recorder(), task()
    scheduler.submit("a", batching(4, timeout_s=0.05), done, alone)
    assert alone.wait(WAIT_S)


def sizes(policy: str, *allowed: int, timeout_s: float = 0.0) -> Batching:
    rows = allowed[-1]
    return Batching(
        max_execution_batch_size=rows, allowed_batch_sizes=allowed, padding_policy=policy, timeout_s=timeout_s
    )


@pytest.mark.parametrize(
    ("policy", "rows", "expected"),
    [
        (BATCH_DOWN, [1] * 7, [[1, 1, 1, 1], [1, 1], [1]]),
        (PAD_UP, [1] * 7, [[1] * 7]),
        (BATCH_DOWN, [1, 2, 1, 2], [[1, 2, 1], [2]]),
        (BATCH_DOWN, [3, 3], [[3, 3]]),  # a call is not cut in two
    ],
)
def test_calls_that_make_no_allowed_number_wait_on_or_are_padded(
    scheduler: Scheduler, policy: str, rows: list[int], expected: list[list[int]]
) -> None:
    blocks, done, tasks = Recorder(), Recorder(), [task(number) for number in rows]
    blocks.go.clear()
    scheduler.submit("first", batching(1), blocks, task())
    assert blocks.busy.wait(WAIT_S)
    for one in tasks:
        scheduler.submit("a", sizes(policy, 1, 2, 4, 8), done, one)
    blocks.go.set()
    assert all(one.wait(WAIT_S) for one in tasks)
    assert done.batches == expected


def test_a_call_left_over_waits_for_company_as_long_as_any_other(scheduler: Scheduler) -> None:
    done, early, late = Recorder(), [task(), task()], task()
    late.queued_s += NEVER_S
    for one in (*early, late):
        scheduler.submit("a", sizes(BATCH_DOWN, 2, 4, timeout_s=0.05), done, one)
    assert all(one.wait(WAIT_S) for one in early)
    assert not late.wait(0.2)
    scheduler.drain()
    assert late.wait(WAIT_S)


def test_a_call_left_over_that_nobody_waits_for_frees_its_place(scheduler: Scheduler) -> None:
    done, early, late = Recorder(), [task(), task()], task()
    late.queued_s += NEVER_S
    for one in (*early, late):
        scheduler.submit("a", sizes(BATCH_DOWN, 2, 4, timeout_s=0.05), done, one)
    assert all(one.wait(WAIT_S) for one in early)
    scheduler.abandon(late, tf.errors.CancelledError(None, None, "gone"))
    assert late.wait(WAIT_S)
    assert scheduler.waiting() == 0


def test_a_full_queue_refuses_and_the_others_go_on(scheduler: Scheduler) -> None:
    done, small = Recorder(), batching(1, batches=2)
    done.go.clear()
    scheduler.submit("a", small, done, task())
    assert done.busy.wait(WAIT_S)  # that one is being computed and no longer in the queue
    for _ in range(2):
        scheduler.submit("a", small, done, task())
    with pytest.raises(tf.errors.UnavailableError, match="queue to which this task was submitted is full"):
        scheduler.submit("a", small, done, task())
    scheduler.submit("b", small, done, task())
    done.go.set()


def test_queues_take_turns(scheduler: Scheduler) -> None:
    done, order = Recorder(), []
    done.go.clear()
    scheduler.submit("first", batching(1), done, task())
    assert done.busy.wait(WAIT_S)
    last = task()
    for queue in ("a", "a", "a", "b", "b"):

        def process(tasks: list[Task], queue: str = queue) -> None:
            order.append(queue)
            done(tasks)

        scheduler.submit(queue, batching(1), process, task())
    scheduler.submit("c", batching(1), done, last)
    done.go.set()
    wait_until(lambda: len(order) == 5)
    assert order == ["a", "b", "a", "b", "a"]


def test_a_call_that_nobody_waits_for_frees_its_place(scheduler: Scheduler) -> None:
    done, small, left, stays = Recorder(), batching(2, batches=1), task(), task(2)
    scheduler.submit("a", small, done, left)
    with pytest.raises(tf.errors.UnavailableError):
        scheduler.submit("a", small, done, stays)
    scheduler.abandon(left, tf.errors.CancelledError(None, None, "gone"))
    assert left.wait(WAIT_S)
    assert isinstance(left.error, tf.errors.CancelledError)
    scheduler.submit("a", small, done, stays)
    assert stays.wait(WAIT_S)
    assert done.batches == [[2]]


def test_the_rows_of_a_call_that_nobody_waits_for_are_free_for_others(scheduler: Scheduler) -> None:
    done, left, stays, comes = Recorder(), task(), task(), task(2)
    scheduler.submit("a", batching(3), done, left)
    scheduler.submit("a", batching(3), done, stays)
    scheduler.abandon(left, tf.errors.CancelledError(None, None, "gone"))
    scheduler.submit("a", batching(3), done, comes)
    assert comes.wait(WAIT_S)
    assert done.batches == [[1, 2]]


def test_an_answered_call_cannot_be_abandoned(scheduler: Scheduler) -> None:
    done, one = Recorder(), task()
    scheduler.submit("a", batching(1), done, one)
    assert one.wait(WAIT_S)
    scheduler.abandon(one, tf.errors.CancelledError(None, None, "gone"))
    assert one.error is None


def test_an_empty_queue_leaves_nothing_behind(scheduler: Scheduler) -> None:
    class Key:
        pass

    key, done, one = Key(), Recorder(), task()
    seen = weakref.ref(key)
    scheduler.submit(key, batching(1), done, one)
    assert one.wait(WAIT_S)
    del key
    wait_until(lambda: gc.collect() >= 0 and seen() is None)


def test_a_draining_scheduler_lets_no_call_wait_for_company(scheduler: Scheduler) -> None:
    done, waits, comes = Recorder(), task(), task()
    scheduler.submit("a", batching(4), done, waits)
    scheduler.drain()
    assert waits.wait(WAIT_S)
    scheduler.submit("a", batching(4), done, comes)
    assert comes.wait(WAIT_S)


def test_a_stopping_scheduler_computes_what_waits_and_takes_no_more() -> None:
    made, done, waits = Scheduler(1, "batch"), Recorder(), task()
    made.submit("a", batching(4), done, waits)
    made.stop()
    assert waits.wait(0)
    with pytest.raises(tf.errors.UnavailableError):
        made.submit("a", batching(4), done, task())
