"""How calls are put into batches, as a file of BatchingParameters says.

What each means is said in TensorFlow Serving's servables/tensorflow/session_bundle_config.proto; the defaults are those
of SharedBatchScheduler (tensorflow/core/kernels/batching_util/shared_batch_scheduler.h).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serving.modelserver.config import read_text
from serving.modelserver.options import PAD_UP, Options
from serving.proto.modelserver.files_pb2 import BatchingParameters
from zoo.errors import BadConfig

PER_MODEL_FILE = "batching_params.pbtxt"
THREAD_POOL_NAME = "model_server_batch_threads"
_EXAMPLE = "Expected: max_batch_size { value: 8 } batch_timeout_micros { value: 2000 }"


@dataclass(frozen=True)
class Batching:
    """One set of parameters.

    Attributes:
        max_batch_size: most rows of one call; and of a batch, unless calls are split.
        timeout_s: the oldest call of a batch waits this long for company.
        max_enqueued_batches: batches that may wait, not counting those being computed.
        num_batch_threads: batches computed at once, over all models.
        thread_pool_name: a label of the metrics.
        allowed_batch_sizes: the numbers of rows that are computed; empty for any.
        padding_policy: see `Options.batch_padding_policy`.
        max_execution_batch_size: most rows of a batch; a longer call is computed in parts.
    """

    max_batch_size: int = 1000
    timeout_s: float = 0.0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    thread_pool_name: str = THREAD_POOL_NAME
    allowed_batch_sizes: Sequence[int] = ()
    padding_policy: str = PAD_UP
    max_execution_batch_size: int = 1000

    def padded(self, rows: int) -> int:
        """The smallest allowed number of rows that is enough."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)

    def at_once(self, rows: int) -> int:
        """How many of the rows that wait are computed now."""
        if self.padding_policy == PAD_UP:
            return rows
        return max((size for size in self.allowed_batch_sizes if size <= rows), default=rows)


def read_common(options: Options) -> Batching | None:
    """The parameters for all models; None without --enable_batching.

    Raises:
        BadConfig: a file without --enable_batching, or one that says something impossible.
    """
    if not options.enable_batching:
        for name in ("batching_parameters_file", "enable_per_model_batching_parameters"):
            if getattr(options, name):
                raise BadConfig(f"{name} is set without enable_batching. Give --enable_batching as well, or neither.")
        return None
    file = options.batching_parameters_file
    read = _read("batching_parameters_file", Path(file)) if file else Batching()
    return replace(read, padding_policy=options.batch_padding_policy)


def read_per_model(folder: Path, common: Batching) -> Batching | None:
    """The parameters in a version's own file, with the threads of the common ones; None without such a file.

    Raises:
        BadConfig: the file says something impossible.
    """
    path = folder / PER_MODEL_FILE
    if not path.is_file():
        return None
    own = _read(PER_MODEL_FILE, path)
    common_ones = ("num_batch_threads", "thread_pool_name", "padding_policy")
    return replace(own, **{name: getattr(common, name) for name in common_ones})


def _read(flag: str, path: Path) -> Batching:
    message = read_text(flag, path, BatchingParameters(), _EXAMPLE)
    if message.pad_variable_length_inputs:
        raise BadConfig(
            f"{path}: the embedded server does not honour pad_variable_length_inputs; it batches equal shapes."
        )
    usual = Batching()
    most = message.max_batch_size.value if message.HasField("max_batch_size") else usual.max_batch_size
    named = {
        "max_batch_size": most,
        "timeout_s": message.batch_timeout_micros.value / 1e6,
        "allowed_batch_sizes": tuple(message.allowed_batch_sizes),
        "max_execution_batch_size": _most_at_once(message, most),
    }
    named |= {
        name: getattr(message, name).value
        for name in ("max_enqueued_batches", "num_batch_threads", "thread_pool_name")
        if message.HasField(name)
    }
    return _checked(path, Batching(**named))


def _most_at_once(message: BatchingParameters, most: int) -> int:
    if message.enable_large_batch_splitting.value and message.HasField("max_execution_batch_size"):
        return message.max_execution_batch_size.value
    return most


def _checked(path: Path, batching: Batching) -> Batching:
    for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads", "max_execution_batch_size"):
        if getattr(batching, name) < 1:
            raise BadConfig(f"{path}: {name} is {getattr(batching, name)}; it must be 1 or more.")
    if batching.timeout_s < 0:
        raise BadConfig(f"{path}: batch_timeout_micros is {batching.timeout_s * 1e6:.0f}; it must be 0 or more.")
    sizes = list(batching.allowed_batch_sizes)
    if sizes != sorted(set(sizes)) or (sizes and sizes[0] < 1):
        raise BadConfig(f"{path}: allowed_batch_sizes are {sizes}; they must be 1 or more, and rise.")
    if sizes and sizes[-1] != batching.max_execution_batch_size:
        raise BadConfig(
            f"{path}: Last entry in allowed_batch_sizes must match max_batch_size; last entry was {sizes[-1]}; "
            f"expected {batching.max_execution_batch_size}"
        )
    return batching
