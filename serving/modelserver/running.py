"""How a signature is run: at once, or in a batch with other calls."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import tensorflow as tf

from serving.modelserver.batch_parameters import Batching
from serving.modelserver.call import Call, Unhurried
from serving.modelserver.engines.saved import ALIGNMENT
from serving.modelserver.metrics import Metrics
from serving.modelserver.scheduler import Arrays, Scheduler, Task
from serving.modelserver.servables import Signature

_SESSION = ":tensorflow:serving:batching_session:"
_NOBODY = Unhurried()


class Run(Protocol):
    """Runs a signature on arrays, checked beforehand, and gives the outputs that are named."""

    def __call__(self, signature: Signature, inputs: Arrays, names: Sequence[str], call: Call) -> Arrays:
        """One array per name.

        Raises:
            tf.errors.OpError: what the graph raises; Unavailable or DeadlineExceeded where a queue has no place.
        """


def run_at_once(signature: Signature, inputs: Arrays, names: Sequence[str], call: Call) -> Arrays:
    """Runs it in the caller's thread, whatever that takes."""
    outputs = signature.function(**inputs)
    return {name: outputs[name] for name in names}


class BatchedRun:
    """Runs the signatures of one version in batches.

    Args:
        model: its name, for the metrics.
        batching: its parameters.
        scheduler: shared by all versions of all models.
    """

    def __init__(self, model: str, batching: Batching, scheduler: Scheduler, metrics: Metrics) -> None:
        self._model, self._batching, self._scheduler, self._metrics = model, batching, scheduler, metrics

    def __call__(self, signature: Signature, inputs: Arrays, names: Sequence[str], call: Call) -> Arrays:
        """Waits in a queue for company, then for the answer."""
        rows = _rows(inputs)
        if rows == 0:
            return run_at_once(signature, inputs, names, call)
        if rows > self._batching.max_batch_size:
            raise tf.errors.InvalidArgumentError(
                None,
                None,
                f"Task size {rows} is larger than maximum input batch size {self._batching.max_batch_size}",
            )
        tasks = [self._queued(signature, part, names, call) for part in self._parts(inputs, rows)]
        answers = [self._answer(task, call) for task in tasks]
        if len(answers) == 1:
            return answers[0]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in names}

    def _parts(self, inputs: Arrays, rows: int) -> list[Arrays]:
        most = self._batching.max_execution_batch_size
        if rows <= most:
            return [inputs]
        starts = range(0, rows, most)
        return [{alias: array[start : start + most] for alias, array in inputs.items()} for start in starts]

    def _queued(self, signature: Signature, inputs: Arrays, names: Sequence[str], call: Call) -> Task:
        task = Task(inputs, _rows(inputs))
        shapes = tuple((alias, array.shape[1:], array.dtype.str) for alias, array in sorted(inputs.items()))

        def process(tasks: list[Task]) -> None:
            self._process(signature, names, tasks)

        self._scheduler.submit((self, signature.name, tuple(names), shapes), self._batching, process, task)
        call.when_over(
            lambda: self._scheduler.abandon(task, tf.errors.CancelledError(None, None, "The call has ended"))
        )
        return task

    def _answer(self, task: Task, call: Call) -> Arrays:
        if not task.wait(call.time_left_s()):
            late = tf.errors.DeadlineExceededError(None, None, "Run() timeout exceeded while waiting in batching queue")
            self._scheduler.abandon(task, late)
            raise late
        if task.error is not None:
            raise task.error
        assert task.outputs is not None
        return task.outputs

    def _process(self, signature: Signature, names: Sequence[str], tasks: list[Task]) -> None:
        try:
            rows = sum(task.rows for task in tasks)
            padded = self._batching.padded(rows)
            self._note(tasks, rows, padded)
            outputs = run_at_once(signature, _merged(tasks, padded - rows), names, call=_NOBODY)
            answers = _split(outputs, tasks, padded)
        except Exception as error:
            for task in tasks:
                task.finish(None, error)
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.finish(answer)

    def _note(self, tasks: list[Task], rows: int, padded: int) -> None:
        now, note = time.monotonic(), self._metrics.add
        for task in tasks:
            note(f"{_SESSION}queuing_latency", self._batching.thread_pool_name, value=(now - task.queued_s) * 1e6)
            note(f"{_SESSION}input_batch_size", self._model, value=task.rows)
        note(f"{_SESSION}processed_batch_size", self._model, value=padded)
        note(f"{_SESSION}padding_size", self._model, str(padded), value=padded - rows)
        note(f"{_SESSION}wrapped_run_count")


def _rows(inputs: Arrays) -> int:
    """The number of rows, the same in all inputs.

    Raises:
        tf.errors.InvalidArgumentError: there is none, or they differ.
    """
    if not inputs:
        raise _invalid("Batching Run() must have at least one input tensor")
    if any(array.ndim == 0 for array in inputs.values()):
        raise _invalid("Batching Run() input tensors must have at least one dimension")
    found = {array.shape[0] for array in inputs.values()}
    if len(found) > 1:
        raise _invalid("Batching Run() input tensors must have equal 0th-dimension size")
    return int(found.pop())


def _merged(tasks: list[Task], padding: int) -> Arrays:
    """The rows of all tasks, then the first row of the last one again and again."""
    if len(tasks) == 1 and not padding:
        return tasks[0].inputs
    last = tasks[-1].inputs
    return {alias: _joined([*(task.inputs[alias] for task in tasks), *[last[alias][:1]] * padding]) for alias in last}


def _joined(arrays: list[np.ndarray]) -> np.ndarray:
    first = arrays[0]
    if first.dtype.kind not in "iuf":
        return np.concatenate(arrays)
    shape = (sum(len(array) for array in arrays), *first.shape[1:])
    room = np.empty(math.prod(shape) * first.itemsize + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    out = room[start : start + math.prod(shape) * first.itemsize].view(first.dtype).reshape(shape)
    return np.concatenate(arrays, out=out)


def _split(outputs: Arrays, tasks: list[Task], rows: int) -> list[Arrays]:
    for array in outputs.values():
        if array.ndim == 0:
            raise tf.errors.FailedPreconditionError(None, None, "Batched output tensor has 0 dimensions")
        if array.shape[0] != rows:
            raise tf.errors.FailedPreconditionError(
                None,
                None,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                "input tensors",
            )
    answers: list[Arrays] = []
    start = 0
    for task in tasks:
        answers.append({name: array[start : start + task.rows] for name, array in outputs.items()})
        start += task.rows
    return answers


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)
