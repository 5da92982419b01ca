"""What goes wrong: each trouble begins under load, lasts until the load has noticed and a while longer, and ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.chaos import pictures
from benchmarks.chaos.house import House
from benchmarks.chaos.line import SlowLine
from benchmarks.chaos.load import SLOW, Load, Told, ask, send
from benchmarks.chaos.parts import WAIT_S, Part, until
from serving.client import Client
from zoo import errors

SLOW_BYTES_PER_S = 16_384
STALL_AFTER_BYTES = 4096
SLOW_CLIENTS, STALLED_CLIENTS, SLOW_WATCHERS = 2, 3, 2


@dataclass(frozen=True)
class Trouble:
    """One way in which things go wrong.

    Attributes:
        name: in words.
        strike: does it to the house; returns when what was away has returned, or what holds others up is there.
    """

    name: str
    strike: Callable[[House, Load, float], object]


def kinds(house: House) -> list[Trouble]:
    """Those that this house can have, slow clients apart."""
    found = [Trouble(f"kill -9 of the {part.name}", _kill(part)) for part in house.parts]
    if house.cluster is not None:
        found.append(Trouble("restart of the database", _restart))
    return [*found, Trouble("full disk", _full)]


def _kill(part: Part) -> Callable[[House, Load, float], None]:
    def strike(house: House, load: Load, away_s: float) -> None:
        part.kill()
        _noticed(load.told, away_s)
        part.begin()
        part.back()

    return strike


def _restart(house: House, load: Load, away_s: float) -> None:
    assert house.cluster is not None
    house.cluster.stop()
    _noticed(load.told, away_s)
    house.cluster.start()


def _full(house: House, load: Load, away_s: float) -> None:
    house.disk.fill(part.pid for part in (house.gateway, house.node))
    _noticed(load.told, away_s)
    house.disk.free()


def _noticed(told: Told, away_s: float) -> None:
    before = told.turned_away
    until(lambda: told.turned_away > before, "the load notices that something is wrong")
    time.sleep(away_s)


@contextmanager
def slow_clients(house: House, told: Told, number: int) -> Iterator[None]:
    """While the block runs, clients on slow lines send and ask, others have stalled half-way, and watchers do not read.

    At the end those on slow lines have been served, and the others are cut off.

    Args:
        number: sets the identifiers of one such time apart from those of another.
    """
    slow = [SlowLine(port, bytes_per_s=SLOW_BYTES_PER_S) for port in _ports(house, SLOW_CLIENTS)]
    stalled = [
        SlowLine(port, bytes_per_s=1 << 20, stall_after=STALL_AFTER_BYTES) for port in _ports(house, STALLED_CLIENTS)
    ]
    names = iter(pictures.uid(SLOW, 1000 * number + each) for each in range(len(slow) + len(stalled)))
    served = [_started(_bring, house, line, next(names), told) for line in slow]
    for line in stalled:
        _started(_bring, house, line, next(names), Told())
    client = Client(f"127.0.0.1:{house.gateway_port}")
    watchers = [iter(client.watch(after=0)) for _ in range(SLOW_WATCHERS)]
    for watcher in watchers:
        next(watcher)  # and then no more
    try:
        yield
        for thread in served:
            thread.join(WAIT_S)
    finally:
        client.close()
        for line in (*slow, *stalled):
            line.cut()


def _ports(house: House, clients: int) -> list[int]:
    return [house.node_port, house.gateway_port] * clients


def _started(act: Callable[..., None], *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments, daemon=True)
    thread.start()
    return thread


def _bring(house: House, line: SlowLine, instance_uid: str, told: Told) -> None:
    """By C-STORE where the line leads to the node, else by Analyze."""
    if line.to == house.node_port:
        if send(line.port, instance_uid, timeout_s=WAIT_S):
            told.sent.append(instance_uid)
        else:
            told.faults.append("an image on a slow line was not taken")
        return
    try:
        with Client(f"127.0.0.1:{line.port}", timeout_s=WAIT_S, connect_timeout_s=WAIT_S) as client:
            told.answers[instance_uid] = ask(client, house.model, instance_uid)
    except errors.KerascopeError as error:
        told.faults.append(f"a question on a slow line was answered {type(error).__name__}")
