"""What a worker does in test_explainer.py. A module of its own, since a spawned process must find it by name."""

from __future__ import annotations

import os
import time

import numpy as np

from serving.explainer import Job
from zoo import errors

TELLS_ITS_PROCESS, HANGS, DIES, REFUSES, HAS_A_BUG = range(5)


def work(job: Job) -> np.ndarray:
    """Does what the job's label says."""
    label = job[4]
    if label == HANGS:
        time.sleep(60)
    if label == DIES:
        os._exit(1)
    if label == REFUSES:
        raise errors.BadRequest("The picture is of a cat.")
    if label == HAS_A_BUG:
        raise ZeroDivisionError("a bug")
    return np.full((2, 2), os.getpid(), np.float32)
