"""How long a caller waits for its answer, whichever way it asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import grpc


class Call(Protocol):
    """One call under way."""

    def time_left_s(self) -> float | None:
        """Seconds until nobody waits any more; None for no end."""

    def when_over(self, action: Callable[[], None]) -> None:
        """Has `action` called, in some thread, once nobody waits any more; at once if that is so now."""


class Unhurried:
    """A call of the server's own, such as a warm-up request: it waits as long as it takes."""

    def time_left_s(self) -> float | None:
        """No end."""
        return None

    def when_over(self, action: Callable[[], None]) -> None:
        """Never."""


class Timed(Unhurried):
    """A call that ends after so many seconds."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def time_left_s(self) -> float | None:
        """Seconds, at least 0."""
        return max(self._end - time.monotonic(), 0)


class Grpc:
    """A gRPC call; a deadline that passes and a client that goes away both end it."""

    def __init__(self, context: grpc.ServicerContext) -> None:
        self._context = context

    def time_left_s(self) -> float | None:
        """gRPC ends the call by itself."""
        return None

    def when_over(self, action: Callable[[], None]) -> None:
        """At a deadline, a cancellation or a lost connection; and also once the call was answered."""
        if not self._context.add_callback(action):
            action()
