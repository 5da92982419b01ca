"""Many clients at once, in several processes: in one they would wait for each other's turns, and measure that."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from serving.client import Client
from zoo import errors

PROCESSES = 8
PAUSE_S, TIMEOUT_S, START_S = 0.5, 120.0, 300.0
ANSWERED = "answered"
Times = dict[str, list[float]]
"""Seconds that each call took, by `answered` or the name of the error."""

_begin: Callable[[], object]


def crowd(address: str, model: str, data: bytes, clients: int, seconds: float) -> Times:
    """What becomes of the calls of clients who each send a file, and again as soon as they have an answer.

    One that gets an error waits half a second. They begin together, once every process has started.
    """
    processes = min(PROCESSES, clients)
    shares = [clients // processes + (number < clients % processes) for number in range(processes)]
    spawn = multiprocessing.get_context("spawn")
    begin = spawn.Barrier(processes, timeout=START_S)
    times: Times = defaultdict(list)
    with ProcessPoolExecutor(processes, spawn, _remember, (begin,)) as pool:
        for part in [pool.submit(_several, address, model, data, share, seconds) for share in shares]:
            for outcome, took in part.result().items():
                times[outcome] += took
    return times


def _remember(begin: multiprocessing.synchronize.Barrier) -> None:
    global _begin
    _begin = begin.wait


def _several(address: str, model: str, data: bytes, clients: int, seconds: float) -> Times:
    times: Times = defaultdict(list)
    _begin()
    end = time.monotonic() + seconds

    def client() -> None:
        with Client(address, timeout_s=TIMEOUT_S, connect_timeout_s=60) as asking:
            while time.monotonic() < end:
                _ask(asking, model, data, times)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _ask(client: Client, model: str, data: bytes, times: Times) -> None:
    began, outcome = time.perf_counter(), ANSWERED
    try:
        client.analyze(data, model=model)
    except errors.KerascopeError as error:
        outcome = type(error).__name__
    times[outcome].append(time.perf_counter() - began)
    if outcome != ANSWERED:
        time.sleep(PAUSE_S)
