"""A thread that does one thing again and again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from zoo.errors import KerascopeError

log = logging.getLogger(__name__)


class Periodic:
    """Calls `action` in a thread of its own, then again `seconds` after each call ended; once only if that is 0.

    An action that raises is called again next time. A mistake of the user's is logged in one line, and not again
    while it stays the same.
    """

    def __init__(self, name: str, action: Callable[[], None], seconds: float) -> None:
        self._action, self._seconds = action, seconds
        self._mistake = ""
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
            self._act()
            if not self._seconds or self._stopping.wait(self._seconds):
                return

    def _act(self) -> None:
        mistake = ""
        try:
            self._action()
        except KerascopeError as error:
            mistake = str(error)
            if mistake != self._mistake:
                log.error("%s", mistake)
        except Exception:
            log.exception("%s failed", self._thread.name)
        self._mistake = mistake
