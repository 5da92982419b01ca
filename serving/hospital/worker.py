"""Takes images from the queue, asks the gateway, and has the store hold what it said."""

from __future__ import annotations

import logging
from functools import partial

from serving.client import Client
from serving.hospital import header
from serving.hospital.attempt import attempt
from serving.store.queue import Job
from serving.store.store import Store
from zoo import errors

log = logging.getLogger(__name__)

# Somebody is away, or a token needs renewing: asking again will help, however long it takes.
AWAY = (
    errors.ModelNotReady,
    errors.BackendTimeout,
    errors.StoreNotReady,
    errors.TooManyRequests,
    errors.Unauthenticated,
    errors.Forbidden,
)
# Anything else is tried so often: with pauses of at most a minute, for a quarter of an hour.
MOST_ATTEMPTS = 20
RESULTS = "results"


class Worker:
    """One worker; `step` takes one image.

    Args:
        store: with a spool.
        client: of the gateway. Where the gateway keeps its answers in the same store, each is there once.
        destinations: AE titles that get the results.
    """

    def __init__(self, store: Store, client: Client, destinations: tuple[str, ...]) -> None:
        assert store.spool is not None
        self._store, self._spool, self._client = store, store.spool, client
        self._destinations = destinations

    def step(self) -> bool:
        """Takes one image and sees to it.

        Returns:
            False where none waits.

        Raises:
            StoreNotReady: the store is away; the image is taken again when it is back.
        """
        job = self._store.queue.take()
        if job is None:
            return False
        try:
            attempt(f"job {job.number}", partial(self._answer, job), partial(self._put_off, job))
        finally:
            self._store.queue.let_go(job)
        return True

    def _answer(self, job: Job) -> None:
        data = self._spool.get(job.sha256)
        about = header.read(data)
        try:
            analysis = self._client.analyze(data, model=job.model, request_id=job.request_id)
        except (errors.BadImage, errors.ImageRefused) as refusal:
            self._store.analyses.refuse(
                refusal, about, model=job.model, version=0, image_sha256=job.sha256, request_id=job.request_id
            )
            self._store.queue.refused(job, refusal.reason.value, str(refusal))
            log.info("job %d: %s refuses the image, %s", job.number, job.model, refusal.reason.value)
            return
        kept = self._store.analyses.save(analysis, about, request_id=job.request_id)
        self._store.queue.done(job, kept.analysis_id, [(RESULTS, title) for title in self._destinations])
        log.info("job %d: %s has answered, analysis %s", job.number, job.model, kept.analysis_id)

    def _put_off(self, job: Job, error: errors.KerascopeError) -> None:
        name = type(error).__name__
        if isinstance(error, AWAY):
            self._store.queue.away(job, name, str(error))
            log.warning("job %d waits for %s: %s", job.number, job.model, name)
        elif job.attempts < MOST_ATTEMPTS:
            self._store.queue.later(job, name, str(error))
            log.warning("job %d waits after %d attempts: %s", job.number, job.attempts, name)
        else:
            self._store.queue.failed(job, name, str(error))
            log.error("job %d failed: %s", job.number, name)
