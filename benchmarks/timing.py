"""Timing two things fairly: in turns, so that whatever else the machine does hits both alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """One line of the table.

    Attributes:
        name: what was timed.
        peer: against what.
        ms: median milliseconds of `name`.
        peer_ms: median milliseconds of `peer`.
        ratio: median over the rounds of one's time by the other's.
        bar: the ratio it must not exceed; None where it is only reported.
    """

    name: str
    peer: str
    ms: float
    peer_ms: float
    ratio: float
    bar: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the bar holds; None where there is none."""
        return None if self.bar is None else self.ratio <= self.bar


def once(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def compare(
    name: str,
    call: Callable[[], object],
    peer: str,
    peer_call: Callable[[], object],
    *,
    rounds: int = 60,
    calls: int = 1,
    warm_up: int | None = None,
    bar: float | None = None,
) -> Measured:
    """Runs both in turns, swapping who goes first, after a warm-up of `warm_up` rounds (a tenth, three at least).

    A turn is the median of `calls` in a row: more than one where the other's threads go on waiting for work.

    Returns:
        Medians, and the median of the rounds' ratios: an outlier in one round moves neither.
    """
    for _ in range(max(3, rounds // 10) if warm_up is None else warm_up):
        call()
        peer_call()
    ours, theirs = [], []
    for number in range(rounds):
        if number % 2:
            theirs.append(_turn(peer_call, calls))
            ours.append(_turn(call, calls))
        else:
            ours.append(_turn(call, calls))
            theirs.append(_turn(peer_call, calls))
    ratio = statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))
    return Measured(name, peer, statistics.median(ours), statistics.median(theirs), ratio, bar)


def _turn(call: Callable[[], object], calls: int) -> float:
    return statistics.median(once(call) for _ in range(calls))
