"""The whole of it: a house under load, one trouble after the other, and what became of every study and answer."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.chaos import troubles
from benchmarks.chaos.checks import faults
from benchmarks.chaos.follower import Follower
from benchmarks.chaos.house import House
from benchmarks.chaos.load import SENT, Load, Told, ask
from benchmarks.chaos.parts import WAIT_S
from benchmarks.chaos.pictures import PICTURES, uid
from benchmarks.postgresql import Cluster
from serving.client import Client
from zoo.bundles import Bundle
from zoo.results import Analysis

SLOW_CLIENTS = "slow clients"
REFERENCE = 0
MOST_RECOVERY_S = 5.0


@dataclass(frozen=True)
class Recovered:
    """How one trouble ended.

    Attributes:
        trouble: which.
        recovery_s: from the part's return until a question asked then was answered, an image sent then was taken, and
            one of those that waited was analysed: the work goes on, the oldest first.
        backlog_s: from the part's return until every image that had been taken before it was analysed.
        turned_away: images and questions that had to be brought again meanwhile.
    """

    trouble: str
    recovery_s: float
    backlog_s: float
    turned_away: int


@dataclass(frozen=True)
class Soaked:
    """What came of it.

    Attributes:
        images: sent, and said to be taken.
        questions: asked, and answered.
        faults: studies lost or analysed twice, wrong answers, broken trails; none where all is well.
        recovered: one for each trouble.
        disk: how the disk was filled.
    """

    images: int
    questions: int
    faults: list[str]
    disk: str
    recovered: list[Recovered] = field(default_factory=list)

    @property
    def slowest_s(self) -> float:
        """The longest recovery."""
        return max((each.recovery_s for each in self.recovered), default=0.0)

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled or wrong, and every recovery was quick."""
        return not self.faults and self.slowest_s <= MOST_RECOVERY_S


def soak(
    folder: Path,
    bundle: Bundle,
    cluster: Cluster | None,
    *,
    seconds: float,
    per_s: float = 2.0,
    seed: int = 0,
    said: Callable[[Recovered], object] = lambda _: None,
) -> Soaked:
    """Every trouble in turn, for so long, at least each once.

    Args:
        folder: empty, for everything that the house writes.
        bundle: a small model.
        cluster: PostgreSQL for the store; None for SQLite.
        seconds: no trouble begins later; 0 for each once.
        per_s: images sent a second, and as many questions asked.
        seed: of how long each part stays away.
        said: told of each recovery.
    """
    house, told = House(folder, bundle, cluster), Told()
    try:
        house.begin()
        follower = Follower(house.store())
        reference = _reference(house, told)
        load = Load(told, house.node_port, house.gateway_port, house.model, per_s)
        load.begin()
        recovered = _all_troubles(house, load, follower, seconds, random.Random(seed), said)
        load.end(WAIT_S)
        follower.wait_for(told.sent, WAIT_S)
        follower.stop()
        found = faults(house, told, reference)
        return Soaked(len(told.sent), len(told.answers), found, house.disk.kind, recovered)
    finally:
        house.end()


def _all_troubles(
    house: House,
    load: Load,
    follower: Follower,
    seconds: float,
    rng: random.Random,
    said: Callable[[Recovered], object],
) -> list[Recovered]:
    end, recovered = time.monotonic() + seconds, []
    for number in itertools.count():
        for trouble in (*troubles.kinds(house), None):
            if number and time.monotonic() > end:
                return recovered
            before = load.told.turned_away
            if trouble is None:
                with troubles.slow_clients(house, load.told, number):
                    measured = _measured(load, follower)
            else:
                trouble.strike(house, load, rng.uniform(0.2, 5.0) if seconds else 0.5)
                measured = _measured(load, follower)
            name = trouble.name if trouble else SLOW_CLIENTS
            recovered.append(Recovered(name, *measured, load.told.turned_away - before))
            said(recovered[-1])
        if time.monotonic() > end:
            return recovered


def _measured(load: Load, follower: Follower) -> tuple[float, float]:
    """Seconds until work goes on, and until what waited is done."""
    returned, before = time.monotonic(), list(load.told.sent)
    with ThreadPoolExecutor(3) as pool:
        signs = [pool.submit(load.image), pool.submit(load.question), pool.submit(follower.wait_for_one, SENT, WAIT_S)]
        for sign in signs:
            sign.result()
    recovery = time.monotonic() - returned
    follower.wait_for(before, WAIT_S)
    return recovery, time.monotonic() - returned


def _reference(house: House, told: Told) -> list[Analysis]:
    """What the model says of each picture while nothing is wrong."""
    with Client(f"127.0.0.1:{house.gateway_port}", timeout_s=WAIT_S) as client:
        client.wait_until_ready(house.model, WAIT_S)
        for number in range(PICTURES):
            told.answers[uid(REFERENCE, number)] = ask(client, house.model, uid(REFERENCE, number))
    return [told.answers[uid(REFERENCE, number)] for number in range(PICTURES)]
