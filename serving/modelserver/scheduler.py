"""Queues of calls, and the threads that compute them in batches: TensorFlow Serving's SharedBatchScheduler.

Source: tensorflow/core/kernels/batching_util/shared_batch_scheduler.h. A queue takes calls into its last batch until
that is full; a batch is due when it is full, when another follows it, or when its oldest call has waited long enough.
Where fewer rows than it has make an allowed number (`Batching.at_once`), the last of its calls wait on.
Queues take turns. A queue that has run empty is forgotten: versions and shapes that come and go leave nothing behind.
"""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf

from serving.modelserver.batch_parameters import Batching

Arrays = Mapping[str, np.ndarray]


class Task:
    """One call's rows in a queue.

    Attributes:
        inputs: one array per input, all with `rows` rows.
        rows: how many.
        queued_s: when it was put into the queue, on the monotonic clock.
        outputs: the answer, once there is one.
        error: or why there is none.
    """

    __slots__ = ("_done", "batch", "error", "inputs", "outputs", "queued_s", "rows")

    def __init__(self, inputs: Arrays, rows: int) -> None:
        self.inputs, self.rows = inputs, rows
        self.queued_s = time.monotonic()
        self.outputs: Arrays | None = None
        self.error: Exception | None = None
        self.batch: _Batch | None = None  # while it waits
        self._done = threading.Lock()
        self._done.acquire()

    def finish(self, outputs: Arrays | None, error: Exception | None = None) -> None:
        """Sets the answer and wakes the one who waits for it; called once."""
        self.outputs, self.error = outputs, error
        self._done.release()

    def wait(self, seconds: float | None) -> bool:
        """Waits for the answer, at most so long; whether it is there."""
        return self._done.acquire(timeout=-1 if seconds is None else seconds)


@dataclass(eq=False)
class _Batch:
    tasks: list[Task] = field(default_factory=list)
    rows: int = 0
    opened_s: float = 0.0

    @classmethod
    def of(cls, tasks: list[Task]) -> _Batch:
        """A batch of tasks that have waited."""
        made = cls(tasks, sum(task.rows for task in tasks), tasks[0].queued_s)
        for task in tasks:
            task.batch = made
        return made

    def cut(self, rows: int) -> _Batch | None:
        """Keeps so many rows and gives a batch of the rest; None, and keeps all, where that would cut through a task.

        (TensorFlow's Batch::TryTrimToNewSize.)
        """
        ends = list(itertools.accumulate(task.rows for task in self.tasks))
        if rows == self.rows or rows not in ends:
            return None
        number = ends.index(rows) + 1
        rest = _Batch.of(self.tasks[number:])
        self.tasks, self.rows = self.tasks[:number], rows
        return rest


Process = Callable[[list[Task]], None]


class _Queue:
    """The batches that wait for one way of computing them."""

    def __init__(self, key: Hashable, batching: Batching, process: Process) -> None:
        self.key, self.batching, self.process = key, batching, process
        self.batches: deque[_Batch] = deque()

    def take(self, task: Task) -> bool:
        """Whether a batch was opened, filled or followed, so that a thread must look."""
        last = self.batches[-1] if self.batches else None
        opens = last is None or last.rows + task.rows > self.batching.max_execution_batch_size
        if opens:
            if len(self.batches) >= self.batching.max_enqueued_batches:
                raise tf.errors.UnavailableError(
                    None, None, "The batch scheduling queue to which this task was submitted is full"
                )
            last = _Batch(opened_s=task.queued_s)
            self.batches.append(last)
        assert last is not None
        last.tasks.append(task)
        last.rows += task.rows
        task.batch = last
        return opens or last.rows >= self.batching.max_execution_batch_size

    def due_s(self) -> float:
        """When its first batch may be computed; a time gone by for at once."""
        first = self.batches[0]
        if len(self.batches) > 1 or first.rows >= self.batching.max_execution_batch_size:
            return 0.0
        return first.opened_s + self.batching.timeout_s


class Scheduler:
    """Computes batches in threads of its own; `stop` ends them.

    Args:
        threads: batches computed at once.
        name: of the threads.
    """

    def __init__(self, threads: int, name: str) -> None:
        self._changed = threading.Condition()  # guards what follows
        self._queues: dict[Hashable, _Queue] = {}  # none is empty; the first is served first
        self._draining = self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, key: Hashable, batching: Batching, process: Process, task: Task) -> None:
        """Puts a task into the queue of this key, which `process` computes.

        Raises:
            tf.errors.UnavailableError: the queue is full.
        """
        with self._changed:
            if self._stopping:
                raise tf.errors.UnavailableError(None, None, "The server is stopping")
            queue = self._queues.get(key)
            if queue is None:
                queue = self._queues[key] = _Queue(key, batching, process)
            if queue.take(task):
                self._changed.notify()

    def abandon(self, task: Task, error: Exception) -> None:
        """Frees the place of a task that still waits, and ends it with `error`; leaves any other task alone."""
        with self._changed:
            batch = task.batch
            if batch is None:
                return
            task.batch = None
            batch.tasks.remove(task)
            batch.rows -= task.rows
            if not batch.tasks:
                self._drop(batch)
        task.finish(None, error)

    def waiting(self) -> int:
        """How many tasks are in queues."""
        with self._changed:
            return sum(len(batch.tasks) for queue in self._queues.values() for batch in queue.batches)

    def drain(self) -> None:
        """From now on no batch waits for company."""
        with self._changed:
            self._draining = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Takes no new task, computes those that wait, and ends the threads."""
        with self._changed:
            self._draining = self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _drop(self, batch: _Batch) -> None:
        for queue in self._queues.values():
            if batch in queue.batches:
                queue.batches.remove(batch)
                if not queue.batches:
                    del self._queues[queue.key]
                return

    def _work(self) -> None:
        while True:
            found = self._next()
            if found is None:
                return
            process, tasks = found
            process(tasks)
            del found, process, tasks  # a version that has gone must not live on in a thread that waits

    def _next(self) -> tuple[Process, list[Task]] | None:
        """Waits for a batch that is due; None when there will be none any more."""
        with self._changed:
            while True:
                now, due = time.monotonic(), math.inf
                for queue in self._queues.values():
                    if self._draining or queue.due_s() <= now:
                        return queue.process, self._pop(queue)
                    due = min(due, queue.due_s())
                if self._stopping:
                    return None
                self._changed.wait(None if due == math.inf else due - now)

    def _pop(self, queue: _Queue) -> list[Task]:
        batch = queue.batches.popleft()
        rest = batch.cut(queue.batching.at_once(batch.rows))
        if rest:
            queue.batches.appendleft(rest)
        del self._queues[queue.key]
        if queue.batches:
            self._queues[queue.key] = queue  # to the end of the line
            self._changed.notify()
        for task in batch.tasks:
            task.batch = None
        return batch.tasks
