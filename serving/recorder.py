"""Asks the service, and has the store hold what it said before anybody hears it. No word of gRPC."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from serving.hospital import header
from serving.records import Status, StoredAnalysis
from serving.service import Service
from serving.store.store import Store
from zoo import errors
from zoo.results import Analysis


class Recorder:
    """A service with a store behind it."""

    def __init__(self, service: Service, store: Store) -> None:
        self._service = service
        self._store = store

    def analyze(
        self,
        data: bytes,
        *,
        model: str,
        version: int = 0,
        embedding: bool = False,
        timeout_s: float | None = None,
        request_id: str = "",
    ) -> Analysis:
        """As `Service.analyze`; the answer, or the refusal, is in the store when this returns, or raises.

        Args:
            request_id: the same question asked again under it is answered from the store.

        Raises:
            StoreNotReady: the store is away; nobody hears the answer.
            BadRequest: `request_id` was that of another image or model.
            As `Service.analyze` otherwise.
        """
        if request_id:
            kept = self._store.analyses.of_request(request_id)
            if kept is not None:
                return _again(kept, data, model)
        about = header.read(data)
        try:
            analysis = self._service.analyze(data, model=model, version=version, embedding=True, timeout_s=timeout_s)
        except (errors.BadImage, errors.ImageRefused) as refusal:
            digest = hashlib.sha256(data).hexdigest()
            self._store.analyses.refuse(
                refusal, about, model=model, version=version, image_sha256=digest, request_id=request_id
            )
            raise
        kept = self._store.analyses.save(analysis, about, request_id=request_id)
        if kept.analysis_id != analysis.provenance.analysis_id:  # the same question was being answered beside us
            return _again(kept, data, model)
        return analysis if embedding else replace(analysis, embedding=None)


def _again(kept: StoredAnalysis, data: bytes, model: str) -> Analysis:
    """What was said the first time, without the pooled features."""
    if (kept.image_sha256, kept.model) != (hashlib.sha256(data).hexdigest(), model):
        raise errors.BadRequest(
            "This request_id has been used for another image or model. Take a new one for each question."
        )
    if kept.status is Status.REFUSED:
        kind = errors.ImageRefused if kept.error == errors.ImageRefused.__name__ else errors.BadImage
        raise kind(kept.detail, errors.Reason[kept.reason])
    assert kept.analysis is not None
    return kept.analysis
