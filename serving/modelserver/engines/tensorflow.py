"""A program run by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from serving.modelserver.engines.programs import Program
from serving.modelserver.engines.saved import array

Run = Callable[[Sequence[np.ndarray]], Sequence[np.ndarray]]


def compiled(program: Program) -> Run:
    """The program as a function of arrays, one per feed, that gives one per fetch. Any number of threads may call it.

    In a session, which has its graph to itself: functions would share their loops' bodies with the SavedModel's, and
    lose them with it.
    """
    with tf.Graph().as_default() as graph:
        tf.graph_util.import_graph_def(program.graph(), name="")
    session = tf.compat.v1.Session(graph=graph, config=_threads())
    fetches = [fetch if ":" in fetch else f"{fetch}:0" for fetch in program.fetches]
    call = session.make_callable(fetches, feed_list=[f"{feed}:0" for feed in program.feeds])
    return lambda given: [array(value) for value in call(*given)]


def _threads() -> tf.compat.v1.ConfigProto:
    threading = tf.config.threading
    return tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threading.get_intra_op_parallelism_threads(),
        inter_op_parallelism_threads=threading.get_inter_op_parallelism_threads(),
    )
