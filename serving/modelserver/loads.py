"""Loading one version in a thread of its own, again and again until it succeeds, is given up or is no longer wanted."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

from serving.modelserver.loaded import Loaded

Loader = Callable[[str, int, Path], Loaded]


@dataclass(frozen=True)
class Retries:
    """How often a version that will not load is tried again, and how long after."""

    number: int = 0
    interval_s: float = 60.0


class Load:
    """One version on its way; `start` begins.

    Args:
        load: what is tried.
        place: entered around each try, so that only so many run at once.
        succeeded: called with what was loaded.
        failed: called with each error, and whether it was the last try.
    """

    def __init__(
        self,
        load: Callable[[], Loaded],
        place: AbstractContextManager[object],
        retries: Retries,
        succeeded: Callable[[Loaded], None],
        failed: Callable[[Exception, bool], None],
    ) -> None:
        self._load, self._place, self._retries = load, place, retries
        self._succeeded, self._failed = succeeded, failed
        self._woken = threading.Event()
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def start(self) -> None:
        """Begins with the first try."""
        self._thread.start()

    def hurry(self) -> None:
        """The next try, if one is waited for, comes at once."""
        self._woken.set()

    def give_up(self) -> None:
        """No further try begins; one under way is completed, and its outcome told."""
        self._given_up = True
        self._woken.set()

    def join(self, timeout_s: float) -> None:
        """Waits for its end, so long at most."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        error: Exception = tf.errors.CancelledError(None, None, "The version was no longer wanted before it was loaded")
        for tries_left in range(self._retries.number, -1, -1):
            with self._place:
                if self._given_up:
                    break
                self._woken.clear()
                try:
                    loaded = self._load()
                except Exception as found:
                    error = found
                else:
                    self._succeeded(loaded)
                    return
            if tries_left == 0 or self._given_up:
                break
            self._failed(error, False)
            self._woken.wait(max(self._retries.interval_s, 0))
        self._failed(error, True)
