"""Image bytes to findings. No word of gRPC: the servicer translates, this decides."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import metadata
from typing import NamedTuple

import numpy as np

from serving.catalogue import Catalogue
from serving.explainer import Explainer
from serving.messages import ModelSummary
from serving.settings import Settings
from serving.tfserving import ModelServer, RawAnalysis
from zoo import errors
from zoo.bundles import Bundle
from zoo.cards import ModelCard
from zoo.imaging import gate
from zoo.imaging.image import Image, Pixels, read
from zoo.imaging.overlay import heatmap
from zoo.imaging.preprocess import preprocess
from zoo.results import Analysis, Caution, Explanation, Finding, ImageFacts, Method, Provenance, Timings, Verdict


def _version() -> str:
    try:
        return metadata.version("kerascope")
    except metadata.PackageNotFoundError:
        return "unknown"


class _Prepared(NamedTuple):
    """A picture let through the gate, as the model takes it; `caution` where it is unusual."""

    image: Image
    pixels: Pixels
    caution: Caution | None
    decode_ms: float
    preprocess_ms: float


class _Asked(NamedTuple):
    """The model's answer, let through the gate; `caution` where its features are unusual."""

    raw: RawAnalysis
    caution: Caution | None


class Service:
    """What the gateway does, with its parts given: which models there are, who computes, who explains."""

    def __init__(self, catalogue: Catalogue, server: ModelServer, explainer: Explainer, settings: Settings) -> None:
        self._catalogue = catalogue
        self._server = server
        self._explainer = explainer
        self._settings = settings
        self._gateway_version = _version()
        self._hashing = ThreadPoolExecutor(max_workers=2, thread_name_prefix="sha256")
        # A picture being read takes several times its file's size; more at once than there are cores wins nothing.
        self._reading = threading.BoundedSemaphore(len(os.sched_getaffinity(0)))

    def models(self) -> list[ModelSummary]:
        """Every version of every verified model, and whether the model server answers for it now."""
        self._catalogue.refresh()
        return [
            self._summary(self._catalogue.bundle(name, version).card)
            for name in self._catalogue.names()
            for version in self._catalogue.versions(name)
        ]

    def _summary(self, card: ModelCard) -> ModelSummary:
        return ModelSummary(
            name=card.name,
            version=card.version,
            task=card.task,
            question=card.question,
            labels=card.label_names,
            ready=self._catalogue.is_ready(card.name, card.version),
        )

    def card(self, name: str, version: int = 0) -> tuple[ModelCard, bool]:
        """A model's card, and whether the model server answers for it now.

        Raises:
            UnknownModel, BadBundle: as `Catalogue.bundle`.
        """
        card = self._bundle(name, version).card
        return card, self._server.version_ready(card.name, card.version)

    def reference_set(self, name: str, version: int = 0) -> bytes:
        """How a model did on its test split: `zoo.reference_set.ReferenceSet`, as its file.

        Raises:
            UnknownModel, BadBundle: as `Catalogue.bundle`.
            UnknownRecord: the bundle has none.
        """
        return self._bundle(name, version).reference_set()

    def analyze(
        self,
        data: bytes,
        *,
        model: str,
        version: int = 0,
        embedding: bool = False,
        timeout_s: float | None = None,
        digest: Callable[[], str] | None = None,
    ) -> Analysis:
        """One image's findings.

        Args:
            data: a whole DICOM, PNG or JPEG file.
            model: its name.
            version: 0 for the newest that answers.
            embedding: asks for the pooled features too.
            timeout_s: the caller's own limit, where it is shorter than the gateway's.
            digest: gives the SHA-256 of `data` in hexadecimal, for a caller who needs it, too.

        Raises:
            UnknownModel, BadBundle: as `Catalogue.bundle`.
            BadImage, ImageRefused: the picture is unreadable or not for this model.
            ModelNotReady, BackendTimeout: the model server is away or too slow.
        """
        bundle, digest = self._bundle(model, version), digest or partial(_sha256, data)
        try:
            return self._analyze(data, bundle.card, embedding, timeout_s, digest)
        except errors.ModelNotReady:
            if version or (newer := self._bundle_now(model)).version == bundle.version:
                raise
            return self._analyze(data, newer.card, embedding, timeout_s, digest)  # versions were just being exchanged

    def _analyze(
        self, data: bytes, card: ModelCard, embedding: bool, timeout_s: float | None, digest: Callable[[], str]
    ) -> Analysis:
        started = time.perf_counter()
        prepared = self._prepare(data, card)
        hashed = self._hashing.submit(digest)  # while the model works and this process would only wait
        asked = time.perf_counter()
        limit = _limit(timeout_s, self._settings.request_timeout_s, started)
        raw, caution = self._ask(card, prepared.pixels, limit, embedding)
        ended = time.perf_counter()
        return Analysis(
            findings=findings(card, raw),
            provenance=self._provenance(card, hashed.result()),
            image=_facts(prepared.image),
            timings=Timings(
                decode_ms=prepared.decode_ms,
                preprocess_ms=prepared.preprocess_ms,
                model_ms=1e3 * (ended - asked),
                total_ms=1e3 * (time.perf_counter() - started),
            ),
            embedding=raw.embedding if embedding else None,
            caution=gate.graver(prepared.caution, caution),
            notice=card.notice,
        )

    def explain(
        self,
        data: bytes,
        *,
        model: str,
        method: Method,
        label: str = "",
        version: int = 0,
        timeout_s: float | None = None,
    ) -> Explanation:
        """One label's map by another method.

        Args:
            data: a whole DICOM, PNG or JPEG file.
            model: its name.
            method: which.
            label: a label's name; empty for the most probable one, which asks the model server.
            version: 0 for the newest that answers.
            timeout_s: the caller's own limit, where it is shorter than the gateway's.

        Raises:
            As `analyze`, and BadRequest for an unknown label.
        """
        started = time.perf_counter()
        bundle = self._bundle(model, version)
        card = bundle.card
        if label:
            card.label_index(label)
        prepared = self._prepare(data, card)
        limit = _limit(timeout_s, self._settings.explain_timeout_s, started)
        index = card.label_index(label) if label else self._most_probable(card, prepared.pixels, limit)
        limit = _limit(timeout_s, self._settings.explain_timeout_s, started)
        raw = self._explainer.explain(bundle, prepared.pixels, method=method, label=index, timeout_s=limit)
        heat, strength = heatmap(raw)
        return Explanation(
            method=method,
            label=card.label_names[index],
            heatmap=heat,
            strength=strength,
            elapsed_ms=1e3 * (time.perf_counter() - started),
            provenance=self._provenance(card, _sha256(data)),
            notice=card.notice,
        )

    def _bundle(self, name: str, version: int) -> Bundle:
        if version < 0:
            raise errors.BadRequest(f"Version {version} is asked for; versions begin at 1, and 0 is the newest.")
        return self._catalogue.bundle(name, version)

    def _bundle_now(self, name: str) -> Bundle:
        """The newest version that the model server answers for at this moment."""
        self._catalogue.refresh()
        return self._catalogue.bundle(name)

    def _prepare(self, data: bytes, card: ModelCard) -> _Prepared:
        with self._reading:
            return self._read(data, card)

    def _read(self, data: bytes, card: ModelCard) -> _Prepared:
        begun = time.perf_counter()
        limits = self._settings
        image = read(data, max_bytes=limits.max_image_bytes, max_pixels=limits.max_image_pixels)
        decoded = time.perf_counter()
        gate.check(image, card.input)
        pixels = preprocess(image, card.input)
        caution = gate.check_pixels(pixels, card.gate)
        done = time.perf_counter()
        return _Prepared(image, pixels, caution, 1e3 * (decoded - begun), 1e3 * (done - decoded))

    def _ask(self, card: ModelCard, pixels: Pixels, timeout_s: float, embedding: bool = False) -> _Asked:
        """The model's answer, unless its own features place the picture outside what it learnt from."""
        known = card.gate
        gated = known is not None and known.embedding is not None and known.embedding.limits is not None
        raw = self._server.analyze(card, pixels, timeout_s=timeout_s, embedding=embedding or gated)
        return _Asked(raw, None if raw.embedding is None else gate.check_embedding(raw.embedding, known))

    def _most_probable(self, card: ModelCard, pixels: Pixels, timeout_s: float) -> int:
        limit = min(timeout_s, self._settings.request_timeout_s)
        return int(np.argmax(self._ask(card, pixels, limit).raw.probability))

    def _provenance(self, card: ModelCard, image_sha256: str) -> Provenance:
        return Provenance(
            model=card.name,
            version=card.version,
            backbone=card.backbone,
            weights_sha256=card.weights_sha256,
            analysis_id=uuid.uuid4().hex,
            image_sha256=image_sha256,
            gateway_version=self._gateway_version,
        )


def findings(card: ModelCard, raw: RawAnalysis) -> tuple[Finding, ...]:
    """A model's raw outputs, read at the card's operating points; one finding per label, in the card's order."""
    found = []
    for index, label in enumerate(card.labels):
        probability = float(raw.probability[index])
        found.append(
            Finding(
                label=label.name,
                probability=probability,
                logit=float(raw.logit[index]),
                verdict=Verdict.of(probability, label.operating_point),
                operating_point=label.operating_point,
                evidence=np.ascontiguousarray(raw.evidence[..., index]),
            )
        )
    return tuple(found)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _facts(image: Image) -> ImageFacts:
    return ImageFacts(format=image.format, width=image.width, height=image.height, modality=image.modality)


def _limit(callers_s: float | None, ours_s: float, started: float) -> float:
    """What is left of the shorter limit.

    Raises:
        BackendTimeout: nothing is.
    """
    limit_s = ours_s if callers_s is None else min(callers_s, ours_s)
    left_s = limit_s - (time.perf_counter() - started)
    if left_s <= 0:
        raise errors.BackendTimeout(f"The time allowed, {limit_s:.1f} s, is over. Ask again, or allow longer.")
    return left_s
