"""The gateway's process: its parts put together, its health, its beginning and its end."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from serving.admission import Admission, Group
from serving.audit.trail import Audit
from serving.catalogue import Catalogue
from serving.doorman import Doorman
from serving.explainer import Explainer
from serving.memory import keep_large_blocks
from serving.metrics import CallsWatched, Metrics, PredictsWatched
from serving.metrics import serve as serve_metrics
from serving.proto.kerascope.v1 import inference_pb2, inference_pb2_grpc
from serving.security import policy
from serving.service import Service
from serving.servicer import InferenceServicer
from serving.settings import Settings
from serving.store import opened
from serving.stream_servicer import Streaming
from serving.tfserving import ModelServer
from zoo import errors, signing

log = logging.getLogger(__name__)

SERVICE = inference_pb2.DESCRIPTOR.services_by_name["Inference"].full_name
# Room for a file a little over the limit: it is our own refusal that the caller reads, not gRPC's.
HEADROOM_BYTES = 4 << 20
PRUNE_INTERVAL_S = 3600.0


class Gateway:
    """A gateway, bound to its port but not yet serving.

    Attributes:
        port: the one it listens on, also where 0 was asked for.
        address: host:port for a client on this machine.
        metrics: what Prometheus is told, where the settings name a port for it.
        metrics_port: the one it is told on; None for none.
    """

    def __init__(self, settings: Settings) -> None:
        policy.check(settings)
        self._settings = settings
        self._audit = None if settings.audit is None else Audit(settings.audit, "gateway")
        self.metrics = Metrics()
        self._model_server = ModelServer(settings.model_server, PredictsWatched(self.metrics))
        self._explainer = Explainer(workers=settings.explainer_workers, waiting=settings.explainer_waiting)
        self._catalogue = Catalogue(settings.registry, self._model_server, signing.trust(settings.trusted_key))
        self._health = health.HealthServicer(
            experimental_non_blocking=True, experimental_thread_pool=ThreadPoolExecutor(max_workers=2)
        )
        self._store = opened(settings.store, spool=settings.spool) if settings.store else None
        self._images = Group("image", working=settings.request_threads, waiting=settings.requests_waiting)
        self._doorman = Doorman(self.metrics.turned_away)
        self._admission = self._admitting()
        self._servicer = self._answering()
        self._server = self._build()
        self.port = _bind(self._server, settings)
        self.address = f"localhost:{self.port}"
        self.metrics_port, self._stop_metrics = self._offer_metrics()
        self._listed: set[str] = set()
        self._next_prune = 0.0
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    def start(self) -> None:
        """Begins to answer; returns at once."""
        self._look()
        for name in ("", SERVICE):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._server.start()
        self._watcher.start()
        log.info("gateway on port %d, registry %s", self.port, self._settings.registry)

    def stop(self, grace_s: float = 5.0) -> None:
        """Takes no new calls, gives those in flight `grace_s` seconds, then ends."""
        self._stopping.set()
        self._servicer.stop()
        self._health.enter_graceful_shutdown()
        self._server.stop(grace_s).wait()
        self._admission.stop()
        self._doorman.stop()
        self._explainer.stop()
        self._model_server.close()
        self._stop_metrics()
        if self._store is not None:
            self._store.close()

    def _offer_metrics(self) -> tuple[int | None, Callable[[], None]]:
        if self._settings.metrics_port is None:
            return None, lambda: None
        return serve_metrics(self.metrics, self._settings.host, self._settings.metrics_port)

    def _answering(self) -> InferenceServicer:
        settings = self._settings
        service = Service(self._catalogue, self._model_server, self._explainer, settings)
        streaming = Streaming(
            threads=self._images.threads,
            in_flight=settings.stream_in_flight,
            most_bytes=settings.max_image_bytes,
            idle_s=settings.stream_idle_s,
            count=self.metrics.called,
        )
        return InferenceServicer(
            service, store=self._store, audit=self._audit, watchers=settings.watchers, streaming=streaming
        )

    def _admitting(self) -> Admission:
        settings = self._settings
        waiting = settings.requests_waiting
        streams = Group("stream", working=settings.streams, waiting=0)
        # Of explanations and watchers one more than may be: it hears from them why it is turned away.
        explaining = settings.explainer_workers + settings.explainer_waiting + 1
        groups = {
            "Analyze": self._images,
            "AnalyzeStream": streams,
            "AnalyzeStudy": streams,
            "Explain": Group("explain", working=explaining, waiting=waiting),
            "Watch": Group("watch", working=settings.watchers + 1, waiting=waiting),
        }
        others = Group("request", working=settings.request_threads, waiting=waiting)
        return Admission(
            SERVICE, groups, others, self._doorman, self.metrics.turned_away, patience_s=settings.request_timeout_s
        )

    def _build(self) -> grpc.Server:
        settings = self._settings
        server = grpc.server(
            ThreadPoolExecutor(max_workers=4, thread_name_prefix="reflection"),  # all of ours have threads of their own
            interceptors=(
                self._admission,
                CallsWatched(self.metrics, SERVICE, lambda name: name in self._catalogue.names()),
                policy.guard(settings, self._audit, self._doorman),
            ),
            options=(
                ("grpc.max_receive_message_length", settings.max_image_bytes + HEADROOM_BYTES),
                ("grpc.max_send_message_length", -1),
                # Of a call that waits the sender keeps all but 1 MiB; gRPC's own guess would let in whole images.
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", 1 << 20),
                ("grpc.so_reuseport", 0),  # a taken port is an error, not shared in silence
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ),
        )
        inference_pb2_grpc.add_InferenceServicer_to_server(self._servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        return server

    def _watch(self) -> None:
        while not self._stopping.wait(self._settings.watch_interval_s):
            try:
                self._admission.hang_up()
                self._look()
                self._prune_when_due()
            except Exception:  # the next look may succeed; a watcher that died would freeze the health
                log.exception("looking at the registry, the model server or the store failed")

    def _prune_when_due(self) -> None:
        if self._store is None or not self._settings.retention_days or time.monotonic() < self._next_prune:
            return
        self._next_prune = time.monotonic() + PRUNE_INTERVAL_S
        pruned = self._store.prune(older_than_days=self._settings.retention_days)
        log.info("removed from the store: %d images, %d analyses", pruned.images, pruned.analyses)

    def _look(self) -> None:
        """Health per model: `<name>/<version>` for each version, `<name>` where any version answers."""
        self._catalogue.refresh()
        answers: dict[str, bool] = dict.fromkeys(self._listed, False)  # what left the registry answers no more
        for name in self._catalogue.names():
            ready = {version: self._catalogue.is_ready(name, version) for version in self._catalogue.versions(name)}
            answers |= {f"{name}/{version}": each for version, each in ready.items()}
            answers[name] = any(ready.values())
        states = health_pb2.HealthCheckResponse
        for service, serving in answers.items():
            self._health.set(service, states.SERVING if serving else states.NOT_SERVING)
        self._listed = set(answers)
        self.metrics.show_ready(answers)


def _bind(server: grpc.Server, settings: Settings) -> int:
    host = f"[{settings.host}]" if ":" in settings.host.strip("[]") else settings.host
    tls = policy.credentials(settings)
    try:
        address = f"{host}:{settings.port}"
        port = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise errors.BadConfig(
            f"The gateway cannot listen on {settings.host}:{settings.port}: the port is taken, or the address is not "
            "this machine's. Set KERASCOPE_PORT or KERASCOPE_HOST to another; port 0 takes a free one."
        )
    return int(port)


def create_server(settings: Settings) -> Gateway:
    """A gateway bound to its port; `start` it to serve.

    Raises:
        BadConfig: the port is taken, or the settings are not secure and do not say that they need not be.
    """
    return Gateway(settings)


def run(settings: Settings) -> int:
    """Serves until SIGINT or SIGTERM; the process's exit status."""
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    keep_large_blocks()
    gateway = create_server(settings)
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    gateway.start()
    ended.wait()
    log.info("stopping")
    gateway.stop()
    return 0
