"""Closed and open loops.

In a closed loop each client asks again once it has its answer: it shows the most a server can do, and slows down with
it. In an open loop calls come when they come, at random (a Poisson process) or evenly spaced, whatever the server
does: it shows what users of a busy server wait, counted from when each call was due, so that a server that stalls
cannot hide it (coordinated omission).
"""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import numpy as np

from serving.load.measured import Measured, Sample
from zoo.errors import KerascopeError

MOST_AT_ONCE = 512  # threads; calls due while all wait are made late, and their wait is counted

Ask = Callable[[Any], Mapping[str, float]]
"""Makes one call with one picture and gives its stages in milliseconds; raises a KerascopeError where it fails."""


def closed(ask: Ask, pictures: Sequence[Any], *, clients: int, seconds: float, seed: int = 0) -> Measured:
    """Has `clients` ask without a pause for so long.

    Args:
        ask: makes a call.
        pictures: what is asked about; each client goes through them in an order of its own.
        clients: how many at once, 1 or more.
        seconds: no call begins after that; those under way are waited for.
        seed: of the orders.
    """
    samples: list[Sample] = []

    def client(number: int) -> None:
        for picture in _shuffled(pictures, seed, number):
            due_s = time.perf_counter() - began
            if due_s >= seconds:
                return
            samples.append(_sample(ask, picture, began, due_s))

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    with _no_pauses():
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    told = {"kind": "closed", "clients": clients, "seconds": seconds, "seed": seed}
    return Measured(told, samples, time.perf_counter() - began)


def open_(
    ask: Ask, pictures: Sequence[Any], *, rate: float, seconds: float, seed: int = 0, even: bool = False
) -> Measured:
    """Makes `rate` calls a second on average, whether or not earlier ones have been answered.

    Args:
        ask: makes a call.
        pictures: what is asked about.
        rate: calls a second, above 0.
        seconds: no call is due after that.
        seed: of the moments and of the order of the pictures.
        even: at even distances, as wrk2 does, which shows what the server adds; else at random, where even a perfect
            server of one call at a time has calls that wait for several others.
    """
    moments = list(np.arange(0, seconds, 1 / rate)) if even else arrivals(rate, seconds, seed)
    order = _shuffled(pictures, seed, 0)
    samples: list[Sample] = []
    with _no_pauses(), ThreadPoolExecutor(min(MOST_AT_ONCE, max(len(moments), 1))) as threads:
        began = time.perf_counter()
        for due_s in moments:
            time.sleep(max(0.0, due_s - (time.perf_counter() - began)))
            threads.submit(lambda picture, due: samples.append(_sample(ask, picture, began, due)), next(order), due_s)
    told = {"kind": "open", "rate_per_s": rate, "even": even, "seconds": seconds, "seed": seed}
    return Measured(told, samples, time.perf_counter() - began)


@contextmanager
def _no_pauses() -> Iterator[None]:
    """What is in memory by now is not looked through for garbage meanwhile, for none of the clients would move.

    Measured, with TensorFlow imported, such a pause took 0.3 s: it was the slowest hundredth of 15 s of calls.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def arrivals(rate: float, seconds: float, seed: int) -> list[float]:
    """Moments of a Poisson process, in seconds: the gaps between them are exponential with mean 1 / rate."""
    rng = np.random.default_rng(seed)
    gaps = itertools.accumulate(rng.exponential(1 / rate) for _ in itertools.count())
    return list(itertools.takewhile(lambda moment: moment < seconds, gaps))


def _shuffled(pictures: Sequence[Any], seed: int, number: int) -> Iterator[Any]:
    """The pictures again and again, each time in another order."""
    rng = np.random.default_rng([seed, number])
    while True:
        yield from (pictures[position] for position in rng.permutation(len(pictures)))


def _sample(ask: Ask, picture: Any, began: float, due_s: float) -> Sample:
    failure, stages = "", {}
    try:
        stages = dict(ask(picture))
    except KerascopeError as error:
        failure = type(error).__name__
    return Sample(due_s, 1e3 * (time.perf_counter() - began - due_s), failure, stages)
