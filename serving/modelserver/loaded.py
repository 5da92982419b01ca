"""A version that is ready to answer, and how one becomes so."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from serving.modelserver.batch_parameters import read_common, read_per_model
from serving.modelserver.metrics import Metrics
from serving.modelserver.options import Options
from serving.modelserver.running import BatchedRun, Run, run_at_once
from serving.modelserver.scheduler import Scheduler
from serving.modelserver.servables import Servable, load
from serving.modelserver.warmup import warm_up
from zoo.bundles import Bundle
from zoo.errors import BadBundle, BadConfig
from zoo.signing import Trust

READ_APART = 4 << 20  # bytes of weights; a smaller model is read in less time than a process takes to start
REST_BESIDE_CALLS = 3.0  # a quarter of the time is warm-up, the rest is for calls


@dataclass(frozen=True)
class Loaded:
    """One version of a model and the way its signatures are run. Whoever holds it keeps the version alive."""

    servable: Servable
    run: Run


class LoadVersion:
    """Reads a version, sets up its batching and replays its warm-up requests.

    Raises:
        BadConfig: of the constructor: the batching parameters are missing or impossible, or the trusted keys are none.
    """

    def __init__(self, options: Options, metrics: Metrics) -> None:
        self._options, self._metrics = options, metrics
        self._has_loaded = False  # from then on there may be calls under way
        self._trust = Trust(Path(options.trusted_key)) if options.trusted_key else None
        self._batching = read_common(options)
        self._scheduler = None
        if self._batching:
            self._scheduler = Scheduler(self._batching.num_batch_threads, self._batching.thread_pool_name)

    def __call__(self, name: str, version: int, folder: Path) -> Loaded:
        """One version, ready to answer.

        Raises:
            Exception: whatever TensorFlow makes of a damaged version, or of a warm-up request that fails.
        """
        note, start_s = self._metrics.add, time.monotonic()
        beside_calls = self._has_loaded
        try:
            self._check(folder)
            is_large = _weights(folder) >= READ_APART
            apart = beside_calls and is_large
            engine, precision = self._options.engine, self._options.mixed_precision
            servable = load(name, version, folder, engine=engine, precision=precision, apart=apart)
        except Exception:
            note(":tensorflow:cc:saved_model:load_attempt_count", str(folder), "fail")
            raise
        self._has_loaded = True
        if is_large and not beside_calls:
            gc.collect()  # what reading it has left; once there are calls, they would have to wait for that
        note(":tensorflow:cc:saved_model:load_attempt_count", str(folder), "success")
        note(":tensorflow:cc:saved_model:load_latency", str(folder), value=(time.monotonic() - start_s) * 1e6)
        loaded = Loaded(servable, self._run(name, folder))
        if self._options.enable_model_warmup:
            self._warm_up(loaded, folder, rest=REST_BESIDE_CALLS if beside_calls else 0.0)
        return loaded

    def fills_queues(self) -> int:
        """As many calls of one row as fill one queue and every thread; 0 without batching."""
        if not self._batching:
            return 0
        batches = self._batching.max_enqueued_batches + self._batching.num_batch_threads
        return batches * self._batching.max_execution_batch_size + 1

    def drain(self) -> None:
        """Calls that wait for company are computed without it."""
        if self._scheduler:
            self._scheduler.drain()

    def close(self) -> None:
        """Computes the batches that wait, and takes no more."""
        if self._scheduler:
            self._scheduler.stop()

    def _check(self, folder: Path) -> None:
        """Nothing of a version is read before it is known whose it is."""
        if self._trust is None:
            return
        try:
            self._trust.check(Bundle(folder))
        except BadBundle as error:
            raise tf.errors.FailedPreconditionError(None, None, str(error)) from None

    def _run(self, name: str, folder: Path) -> Run:
        batching = self._batching
        if batching and self._options.enable_per_model_batching_parameters:
            try:
                batching = read_per_model(folder, batching)
            except BadConfig as error:
                raise tf.errors.InvalidArgumentError(None, None, str(error)) from None
        if batching is None or self._scheduler is None:
            return run_at_once
        return BatchedRun(name, batching, self._scheduler, self._metrics)

    def _warm_up(self, loaded: Loaded, folder: Path, *, rest: float) -> None:
        start_s = time.monotonic()
        number = warm_up(loaded.servable, run_at_once, folder, rest=rest)  # in no queue that calls under way wait in
        if number:
            took_us = (time.monotonic() - start_s) * 1e6
            self._metrics.add(":tensorflow:serving:model_warmup_latency", str(folder), "OK", value=took_us)


def _weights(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("variables/*"))
