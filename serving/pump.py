"""Images in, answers out, and only so many in between. No word of gRPC.

One thread reads images, others answer them, and whoever asks for the answers gets them in the order they are done. An
image has its place from when it is read until its answer has been taken and another one is asked for: where answers
are not taken, nothing more is read, and so the wait travels back to who sends.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Generic, TypeVar

from serving.incoming import Incoming
from zoo import errors

Answer = TypeVar("Answer")

POLL_S = 0.2


class Pump(Generic[Answer]):
    """One stream's images on their way; `answers` is to be called once.

    Args:
        images: to be answered; what it raises, `answers` raises.
        answer: answers one; it raises nothing.
        threads: which call `answer`; other streams may share them.
        most_images: held at once.
        most_bytes: held at once, but for the last image read.
        pace: counts an image that was read, and gives 0; or gives the seconds until it may be counted.
        alive: whether anybody waits for the answers.
        stopping: whether to read no more.
        idle_s: how long nothing may come while nothing is being answered.
    """

    def __init__(
        self,
        images: Callable[[Callable[[], None]], Iterator[Incoming]],
        answer: Callable[[Incoming], Answer],
        threads: Executor,
        *,
        most_images: int,
        most_bytes: int,
        idle_s: float,
        pace: Callable[[], float] = lambda: 0.0,
        alive: Callable[[], bool] = lambda: True,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._images, self._answer, self._threads = images(self._hear), answer, threads
        self._most_images, self._most_bytes, self._idle_s = most_images, most_bytes, idle_s
        self._pace, self._alive, self._stopping = pace, alive, stopping
        self._changed = threading.Condition()
        self._held = self._held_bytes = 0
        self._answers: deque[Answer] = deque()
        self._ended = self._closed = False
        self._failure: Exception | None = None
        self._heard = time.monotonic()

    def answers(self) -> Iterator[Answer]:
        """Each image's answer, as it is found.

        Raises:
            ModelNotReady: the gateway is stopping; what was read before has been answered.
            BackendTimeout: nothing came for too long.
            What `images` raises, once what was read before has been answered.
        """
        threading.Thread(target=self._read, name="stream-reader", daemon=True).start()
        try:
            while self._wait():
                yield self._answers.popleft()
                with self._changed:
                    self._hear()
                    self._held -= 1
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._closed = True
                self._changed.notify_all()

    def _wait(self) -> bool:
        """Whether there is an answer; False at the end."""
        with self._changed:
            while not self._answers:
                if not self._alive():
                    return False
                if not self._held:
                    if self._failure is not None:
                        raise self._failure
                    if self._ended:
                        return False
                    self._check()
                self._changed.wait(POLL_S)
        return True

    def _check(self) -> None:
        if self._stopping():
            raise errors.ModelNotReady("The gateway is stopping. Open the stream again under the same stream_id.")
        if time.monotonic() - self._heard > self._idle_s:
            raise errors.BackendTimeout(
                f"Nothing has come for {self._idle_s:g} s, and the stream's place is needed. Open it again to go on."
            )

    def _hear(self) -> None:
        self._heard = time.monotonic()

    def _read(self) -> None:
        try:
            while self._room() and (image := next(self._images, None)) is not None and self._paced():
                self._take(image)
        except Exception as error:
            self._failure = error
        finally:
            with self._changed:
                self._ended = not self._stopping()  # else there may be more, which nobody reads
                self._changed.notify_all()

    def _room(self) -> bool:
        """Waits until the next image may be read; False where none may be any more."""
        return self._until(lambda: POLL_S if self._full() else 0.0)

    def _paced(self) -> bool:
        """Waits until the image that was read may be answered; False where none may be any more."""
        return self._until(self._pace)

    def _full(self) -> bool:
        return self._held >= self._most_images or self._held_bytes >= self._most_bytes

    def _until(self, wait_s: Callable[[], float]) -> bool:
        with self._changed:
            while not self._closed and not self._stopping():
                if not (wait := wait_s()):
                    self._hear()
                    return True
                self._changed.wait(wait)
        return False

    def _take(self, image: Incoming) -> None:
        with self._changed:
            self._held += 1
            self._held_bytes += len(image.data)
        self._threads.submit(self._work, image)

    def _work(self, image: Incoming) -> None:
        answer = None if self._closed else self._answer(image)
        with self._changed:
            self._held_bytes -= len(image.data)
            if answer is not None:
                self._answers.append(answer)
            self._changed.notify_all()
