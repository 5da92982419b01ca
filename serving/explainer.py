"""Explanation methods in processes of their own, so that a slow Score-CAM never holds up `Analyze`.

The gateway itself loads no Keras model: each worker loads `model.keras` when it is first asked about it.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import queue
import signal
import threading
import time
import traceback
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo import errors, terminal
from zoo.bundles import Bundle
from zoo.results import FloatArray, Method

log = logging.getLogger(__name__)

Job = tuple[str, int, npt.NDArray[np.uint8], str, int]  # model.keras, its mtime, pixels, method, label
Work = Callable[[Job], FloatArray]

CACHED_MODELS = 4


def explain_job(job: Job) -> FloatArray:
    """Runs in a worker: one map, float32 [rows, columns], by one method for one label."""
    path, modified_ns, pixels, method, label = job
    model = _model(path, modified_ns)
    from zoo.explain import methods

    return methods.explain(model, pixels, method=method, label=label)


@lru_cache(maxsize=CACHED_MODELS)
def _model(path: str, modified_ns: int) -> Any:
    terminal.load_tensorflow()
    from zoo.models import classifier

    return classifier.load(path)


def _serve(pipe: Connection, work: Work) -> None:
    """A worker's life: answers job after job until the gateway goes away. Ctrl-C is the gateway's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)  # the quick answers of the processes beside it come first
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_outcome(job, work))


def _outcome(job: Job, work: Work) -> tuple[str, object]:
    try:
        return "map", work(job)
    except errors.KerascopeError as error:
        return type(error).__name__, str(error)
    except Exception:
        return "bug", traceback.format_exc()


class _Worker:
    """One process, started at its first job, and again after it died or ran out of time."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._process: Any = None
        self._pipe: Connection | None = None

    def ask(self, job: Job, timeout_s: float) -> FloatArray:
        try:
            pipe = self._running()
            pipe.send(job)
            if not pipe.poll(timeout_s):
                self.stop()
                raise errors.BackendTimeout(
                    f"The explanation by {job[3]} took longer than {timeout_s:.0f} s and was stopped. Allow longer, "
                    "or choose a quicker method: grad-cam and layer-cam are the quickest."
                )
            kind, value = pipe.recv()
        except (EOFError, OSError):
            self.stop()
            raise errors.ModelNotReady(
                "The explanation's process ended unexpectedly, or did not start. Ask again."
            ) from None
        if kind == "map":
            return np.asarray(value, np.float32)
        if kind == "bug":
            raise RuntimeError(f"in the explanation's process: {value}")
        raise getattr(errors, kind)(value)

    def _running(self) -> Connection:
        if self._pipe is not None and self._process.is_alive():
            return self._pipe
        self.stop()
        context = multiprocessing.get_context("spawn")  # TensorFlow and gRPC do not survive a fork
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work), name="explainer", daemon=True)
        try:
            process.start()
        finally:
            theirs.close()
        self._pipe, self._process = ours, process
        log.info("explanation worker started")
        return ours

    def stop(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._pipe = None


class Explainer:
    """A few worker processes and a short queue before them.

    Args:
        workers: processes; none is started before its first job.
        waiting: jobs that may wait for a worker; one more is turned away.
        work: what a worker does with a job.
    """

    def __init__(self, *, workers: int = 1, waiting: int = 4, work: Work = explain_job) -> None:
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # leave the GPU's memory to the model server
        self._workers = [_Worker(work) for _ in range(workers)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._places = threading.BoundedSemaphore(workers + waiting)

    def explain(
        self, bundle: Bundle, pixels: npt.NDArray[np.uint8], *, method: Method, label: int, timeout_s: float
    ) -> FloatArray:
        """One method's raw map for one label of one picture.

        Args:
            bundle: whose `model.keras` is explained.
            pixels: uint8 [H, W, C], as the card's InputSpec says.
            method: which.
            label: index into the card's labels.
            timeout_s: longest time, waiting and loading the model included.

        Returns:
            float32 [rows, columns], in the method's own unit, not yet divided by its maximum.

        Raises:
            BackendTimeout: too slow; its process is replaced.
            ModelNotReady: too many wait already, or the process died.
        """
        path = bundle.keras_path
        job = (str(path), _modified_ns(path), pixels, method.value, label)
        if not self._places.acquire(blocking=False):
            raise errors.ModelNotReady("Too many explanations wait already. Ask again later.")
        try:
            return self._run(job, timeout_s)
        finally:
            self._places.release()

    def _run(self, job: Job, timeout_s: float) -> FloatArray:
        end = time.monotonic() + timeout_s
        try:
            worker = self._idle.get(timeout=timeout_s)
        except queue.Empty:
            raise errors.BackendTimeout("Earlier explanations took all the time. Ask again later.") from None
        try:
            return worker.ask(job, max(0.0, end - time.monotonic()))
        finally:
            self._idle.put(worker)

    def stop(self) -> None:
        """Ends the processes; explanations in flight fail."""
        for worker in self._workers:
            worker.stop()


def _modified_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError as error:
        raise errors.BadBundle(f"{path} cannot be read ({error.strerror}). Export the model again.") from None
