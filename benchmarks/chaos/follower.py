"""Reads the store as it grows, so that each answer is known soon after it is there."""

from __future__ import annotations

import threading
import time
from collections import defaultdict

from benchmarks.chaos import pictures
from benchmarks.chaos.parts import until
from serving.records import StoredAnalysis
from serving.store.store import Store
from zoo import errors


class Follower:
    """Every answer of a store, by its image's identifier; goes on after the store was away.

    Attributes:
        answers: those of each image, in the order they were kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._last = 0
        self._stopping = threading.Event()
        self._broken: Exception | None = None
        self.answers: dict[str, list[StoredAnalysis]] = defaultdict(list)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def wait_for_one(self, series: int, timeout_s: float) -> None:
        """Returns once there is one more answer about an image of this series.

        Raises:
            TimeoutError: there is none in time.
        """
        before = self._number(series)
        until(lambda: self._number(series) > before, "one more image is analysed", timeout_s)

    def wait_for(self, instance_uids: list[str], timeout_s: float) -> None:
        """Returns once each of these images has an answer.

        Raises:
            TimeoutError: not all have one in time; it names those that lack it, and says what the queue has.
        """
        began = time.monotonic()
        while missing := [uid for uid in instance_uids if uid not in self.answers]:
            if self._broken is not None:
                raise self._broken
            if time.monotonic() - began > timeout_s:
                states = {uid: self._store.worklist.study(pictures.study_of(uid)).items for uid in missing[:3]}
                raise TimeoutError(f"{len(missing)} images taken are not analysed after {timeout_s:.0f} s: {states}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Reads no more."""
        self._stopping.set()
        self._thread.join(30)

    def _number(self, series: int) -> int:
        return sum(uid.startswith(pictures.uid(series, "")) for uid in list(self.answers))

    def _follow(self) -> None:
        try:
            while not self._stopping.wait(0.05):
                self._look()
        except Exception as error:  # told to whoever waits
            self._broken = error

    def _look(self) -> None:
        try:
            for answer in self._store.analyses.since(self._last):
                self.answers[answer.instance_uid].append(answer)
                self._last = answer.sequence
        except errors.StoreNotReady:
            self._stopping.wait(0.2)
