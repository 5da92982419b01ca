"""The DICOM node's process: images in, answers asked for, results out; each part goes on while another is away."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

from serving.audit.trail import Audit
from serving.client import Client
from serving.hospital.config import NodeConfig
from serving.hospital.intake import Intake
from serving.hospital.keeper import Keeper
from serving.hospital.receiver import Receiver
from serving.hospital.sender import Sender
from serving.hospital.web import WebReceiver
from serving.hospital.worker import Worker
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

LEASE_S, ALIVE_S = 5.0, 1.0
IDLE_S, AWAY_S, KEEP_IDLE_S = 0.2, 1.0, 5.0
PRUNE_INTERVAL_S = 3600.0


class Node:
    """A DICOM node, receiving from the moment it is made.

    Attributes:
        port: the one it listens on.
        web_port: the one it listens on for DICOMweb; 0 where it does not.

    Raises:
        BadConfig: the port is taken, the store has no folder for files, or TLS files cannot be used.
        StoreNotReady: the store is away.
    """

    def __init__(self, config: NodeConfig) -> None:
        self._config = config
        self._stopping = threading.Event()
        self._store = Store(config.store, spool=config.spool, lease_s=LEASE_S)
        if self._store.spool is None:
            raise errors.BadConfig("Received files need a folder: name it as `spool` in the node's file.")
        audit = None if config.audit is None else Audit(config.audit, "dicom-node")
        self._client = Client(config.gateway, timeout_s=config.request_timeout_s, user=config.ae_title)
        intake = Intake(config, self._store, audit)
        self._receiver = Receiver(config, intake)
        self.port = self._receiver.port
        self._web = self._web_receiver(intake)
        self.web_port = self._web.port if self._web else 0
        titles = tuple(each.ae_title for each in config.destination)
        steps = [Worker(self._store, self._client, titles).step for _ in range(config.workers)]
        steps += [Sender(config, self._store, self._client, audit).step] if titles else []
        self._threads = [threading.Thread(target=self._work, args=(step,), daemon=True) for step in steps]
        if config.keep != "original":
            keeper = Keeper(self._store, config.keep, config.uid_secret)
            self._threads.append(threading.Thread(target=self._work, args=(keeper.step, KEEP_IDLE_S), daemon=True))
        self._threads.append(threading.Thread(target=self._look_after, daemon=True))

    def start(self) -> None:
        """Begins to work off the queue; returns at once."""
        for thread in self._threads:
            thread.start()
        log.info("DICOM node %s on port %d", self._config.ae_title, self.port)

    def stop(self) -> None:
        """Takes no more images, ends the step each worker is at, and closes."""
        self._stopping.set()
        self._receiver.stop()
        if self._web is not None:
            self._web.stop()
        for thread in self._threads:
            thread.join(timeout=self._config.request_timeout_s)
        self._client.close()
        self._store.close()

    def _web_receiver(self, intake: Intake) -> WebReceiver | None:
        if self._config.web is None:
            return None
        try:
            return WebReceiver(self._config, intake)
        except errors.BadConfig:
            self._receiver.stop()
            raise

    def _work(self, step: Callable[[], bool], idle_s: float = IDLE_S) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = 0.0 if step() else idle_s
            except Exception as error:  # whatever it is, this thread goes on
                log.error("%s", _words(error))
                pause = AWAY_S

    def _look_after(self) -> None:
        """Shows that this process lives, and removes what is too old."""
        next_prune = 0.0
        while not self._stopping.wait(ALIVE_S):
            try:
                self._store.queue.alive()
                self._store.deliveries.alive()
                if self._config.retention_days and time.monotonic() >= next_prune:
                    next_prune = time.monotonic() + PRUNE_INTERVAL_S
                    self._store.prune(older_than_days=self._config.retention_days)
            except Exception as error:
                log.error("%s", _words(error))


def _words(error: Exception) -> str:
    """Our own errors in full; of anybody else's only the kind, for its words may quote a patient."""
    return str(error) if isinstance(error, errors.KerascopeError) else f"A bug: {type(error).__name__}."


def run(config: NodeConfig) -> int:
    """Serves until SIGINT or SIGTERM; the process's exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    node = Node(config)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    node.start()
    ended.wait()
    log.info("stopping")
    node.stop()
    return 0
