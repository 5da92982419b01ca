"""How often one client may ask: a token bucket each."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from zoo import errors

MOST_CLIENTS = 10_000  # those not heard of for longest are forgotten: their buckets are the fullest


class Limiter:
    """Lets `burst` calls through at once, and then `per_minute`; safe to use from many threads.

    Args:
        per_minute: calls that a client may make for ever.
        burst: the most it may make at once.
        clock: seconds, ever growing.
    """

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = per_minute / 60, float(burst), clock
        self._per_minute = per_minute
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> None:
        """One call of a client.

        Raises:
            TooManyRequests: its bucket is empty; the message says for how long.
        """
        if wait_s := self.wait_s(client):
            raise errors.TooManyRequests(
                f"One client may make {self._per_minute:g} calls a minute here. Ask again in {wait_s:.1f} s."
            )

    def wait_s(self, client: str) -> float:
        """Takes one call of a client and gives 0; or takes none and gives the seconds until there is one."""
        with self._lock:
            now = self._clock()
            left, since = self._buckets.pop(client, (self._burst, now))
            left = min(self._burst, left + (now - since) * self._rate)
            allowed = left >= 1
            self._buckets[client] = (left - allowed, now)
            if len(self._buckets) > MOST_CLIENTS:
                self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate


def address_of(peer: str) -> str:
    """A peer as gRPC names it (`ipv4:10.0.0.7:51122`), without its port: all its connections are one client."""
    return peer.rpartition(":")[0] if peer.startswith("ip") else peer
