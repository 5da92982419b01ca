"""What a gateway tells Prometheus: calls, refusals, the model server's answers, which models are ready.

    kerascope_requests_total{method, model, status}         calls answered, by gRPC status
    kerascope_request_seconds{method, model}                histogram: from the whole request to the answer
    kerascope_requests_in_flight{method}                    calls being answered now
    kerascope_refusals_total{method, model, reason}         pictures turned away, by the reason code of zoo.errors
    kerascope_cautions_total{method, model, measure}        answers to pictures unusual for the model, by what
    kerascope_model_server_calls_total{model, signature, status}
    kerascope_model_server_seconds{model, signature}        histogram; TensorFlow Serving itself has no such label
    kerascope_model_ready{model, version}                   1 while the model server answers for it

No label holds anything that came with a picture. A model's name is one only if the registry has it ("unknown"
otherwise), so that a caller cannot make up time series. Names follow Prometheus' conventions
(https://prometheus.io/docs/practices/naming/): base units, `_total` for counters.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.status import REASON_KEY
from zoo import errors

BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)
UNKNOWN = "unknown"


class Metrics(Collector):
    """The metrics of one gateway; safe to use from many threads.

    Attributes:
        registry: prometheus-client's own, with this process's memory and time beside ours.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        call, model_call = ("method", "model"), ("model", "signature")
        self._requests = self._counter("kerascope_requests", "Calls answered.", *call, "status")
        self._seconds = self._histogram("kerascope_request_seconds", "From the whole request to the answer.", *call)
        self._refusals = self._counter("kerascope_refusals", "Pictures turned away.", *call, "reason")
        self._cautions = self._counter(
            "kerascope_cautions", "Answers to pictures that are unusual for the model.", *call, "measure"
        )
        self._asked = self._counter("kerascope_model_server_calls", "Calls of Predict.", *model_call, "status")
        self._waited = self._histogram("kerascope_model_server_seconds", "What Predict took.", *model_call)
        self._in_flight = Gauge(
            "kerascope_requests_in_flight", "Calls being answered now.", ("method",), registry=self.registry
        )
        self._ready: Mapping[str, bool] = {}
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The models' readiness as it was told last (prometheus-client calls this at each scrape)."""
        ready = GaugeMetricFamily(
            "kerascope_model_ready", "1 while the model server answers for it.", labels=("model", "version")
        )
        for service, answers in self._ready.items():
            model, _, version = service.partition("/")
            if version:
                ready.add_metric((model, version), float(answers))
        yield ready

    def show_ready(self, answers: Mapping[str, bool]) -> None:
        """Takes over which `<model>/<version>` the model server answers for."""
        self._ready = dict(answers)

    def called(
        self, method: str, model: str, status: grpc.StatusCode, seconds: float, reason: str, measure: str
    ) -> None:
        """One call of the gateway has ended.

        Args:
            reason: why a picture was turned away; empty unless it was.
            measure: of the answer's caution (`zoo.results.Measure`); empty where it carries none.
        """
        self._requests.labels(method, model, status.name).inc()
        self._seconds.labels(method, model).observe(seconds)
        if reason:
            self._refusals.labels(method, model, reason).inc()
        if measure:
            self._cautions.labels(method, model, measure).inc()

    def turned_away(self, method: str, status: grpc.StatusCode) -> None:
        """One call was ended before anything was known of it but its method."""
        self._requests.labels(method, UNKNOWN, status.name).inc()

    def asked(self, model: str, signature: str, status: grpc.StatusCode, seconds: float) -> None:
        """One call of the model server has ended."""
        self._asked.labels(model, signature, status.name).inc()
        self._waited.labels(model, signature).observe(seconds)

    def in_flight(self, method: str) -> Any:
        """A context manager around one call."""
        return self._in_flight.labels(method).track_inprogress()

    def _counter(self, name: str, said: str, *labels: str) -> Counter:
        return Counter(name, said, labels, registry=self.registry)

    def _histogram(self, name: str, said: str, *labels: str) -> Histogram:
        return Histogram(name, said, labels, buckets=BUCKETS_S, registry=self.registry)


class CallsWatched(grpc.ServerInterceptor):
    """Counts and times the calls of one gRPC service; those of health and reflection pass by.

    Args:
        metrics: where to.
        service: its full name.
        is_known: whether the registry has a model of this name.
    """

    def __init__(self, metrics: Metrics, service: str, is_known: Callable[[str], bool]) -> None:
        self._metrics = metrics
        self._prefix = f"/{service}/"
        self._is_known = is_known

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler of a call, with a watch around it (grpc.ServerInterceptor)."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or handler.unary_unary is None or not method.startswith(self._prefix):
            return handler
        return grpc.unary_unary_rpc_method_handler(
            partial(self._watch, method.removeprefix(self._prefix), handler.unary_unary),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _watch(
        self, method: str, answer: Callable[[Any, Any], object], request: Any, context: grpc.ServicerContext
    ) -> object:
        began, answered = time.perf_counter(), None
        with self._metrics.in_flight(method):
            try:
                answered = answer(request, context)
                return answered
            finally:
                elapsed, model = time.perf_counter() - began, self._model_of(request)
                self._metrics.called(method, model, _status(context), elapsed, _reason(context), measure_of(answered))

    def _model_of(self, request: Any) -> str:
        if "model" not in request.DESCRIPTOR.fields_by_name:
            return ""
        name = getattr(request.model, "name", request.model)  # a ModelRef, or the name alone
        return name if not name or self._is_known(name) else UNKNOWN


class PredictsWatched(grpc.UnaryUnaryClientInterceptor):
    """Counts and times the calls of Predict on a channel to a model server."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Lets the call through (grpc.UnaryUnaryClientInterceptor)."""
        if not client_call_details.method.endswith("/Predict"):
            return continuation(client_call_details, request)
        began = time.perf_counter()
        call = continuation(client_call_details, request)
        status = call.code()  # waits for the end
        spec = request.model_spec
        self._metrics.asked(spec.name, spec.signature_name, status, time.perf_counter() - began)
        return call


def _status(context: Any) -> grpc.StatusCode:
    """What the caller sees; a caller who has gone sees nothing."""
    if context.code() is not None:
        return context.code()
    return grpc.StatusCode.OK if context.is_active() else grpc.StatusCode.CANCELLED


def _reason(context: Any) -> str:
    return dict(context.trailing_metadata() or ()).get(REASON_KEY, "")


def measure_of(answer: object) -> str:
    """By what the picture is unusual for the model; empty where it is not, or the answer is none to a picture."""
    return answer.caution.measure if isinstance(answer, pb.AnalyzeResponse) else ""


def serve(metrics: Metrics, host: str, port: int) -> tuple[int, Callable[[], None]]:
    """Answers Prometheus at http://host:port/metrics from a thread of its own.

    Returns:
        The port, also where 0 was asked for, and what ends it.

    Raises:
        BadConfig: the port is taken.
    """
    try:
        server, _ = start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        raise errors.BadConfig(
            f"The gateway's metrics cannot be offered on {host}:{port}: {error.strerror}. "
            "Set KERASCOPE_METRICS_PORT to another; 0 takes a free one."
        ) from None

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return int(server.server_port), stop
