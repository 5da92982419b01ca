"""A thread that does one thing again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Periodic:
    """Calls `action` in a thread of its own, then again `seconds` after each call ended; once only if that is 0.

    An action that raises is logged and called again next time.
    """

    def __init__(self, name: str, action: Callable[[], None], seconds: float) -> None:
        self._action, self._seconds = action, seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begins with the first call, at once."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """No further call begins; waits up to `timeout_s` for the one under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._action()
            except Exception:
                log.exception("%s failed", self._thread.name)
            if not self._seconds or self._stopping.wait(self._seconds):
                return
