"""Asks a gateway, from Python. Needs no TensorFlow.

    with Client("localhost:50051") as client:
        analysis = client.analyze(Path("image.dcm").read_bytes(), model="phantoms")
        print(analysis.leading.label, analysis.leading.probability, analysis.notice)

What goes wrong at the gateway is raised here as the same error of zoo.errors, with the same message and reason.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from serving import messages
from serving.messages import ModelSummary
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.records import Decision as Decision
from serving.records import ImageAnswer as ImageAnswer
from serving.records import Review as Review
from serving.records import Status as Status
from serving.records import StoredAnalysis as StoredAnalysis
from serving.records import Study as Study
from serving.records import StudyAnswer as StudyAnswer
from serving.security.connection import Connection
from serving.status import USER_KEY, error_of
from serving.store_client import StoreClient
from serving.stream_client import StreamClient
from zoo import errors
from zoo.cards import ModelCard
from zoo.reference_set import ReferenceSet
from zoo.results import Analysis, Explanation, Method

Response = TypeVar("Response")

CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.keepalive_time_ms", 30_000),
)


class Client(StreamClient, StoreClient):
    """One connection to a gateway; safe to use from many threads, and a context manager.

    It waits for a connection, but never sends the same work twice.

    Args:
        address: host:port of the gateway.
        timeout_s: longest wait for an answer.
        explain_timeout_s: the same for `explain`, which is slower.
        connect_timeout_s: longest wait for a gateway that is starting or away.
        user: who asks, for the gateway's audit trail; where the gateway asks for tokens it is the token that says so.
        tls_ca: file of the authorities, in PEM, of which one signed the gateway's certificate.
        tls_certificate, tls_key: files of this client's own, in PEM, where the gateway asks for them.
        token: a bearer token, or the file that holds it, which is read anew at each call.

    What is not given of the last four comes from the environment: KERASCOPE_TLS_CA, KERASCOPE_TLS_CERTIFICATE,
    KERASCOPE_TLS_KEY, and KERASCOPE_TOKEN_FILE or KERASCOPE_TOKEN.

    Raises:
        BadConfig: a file cannot be read, or there is a token and no `tls_ca`.
    """

    def __init__(
        self,
        address: str,
        *,
        timeout_s: float = 30.0,
        explain_timeout_s: float = 120.0,
        connect_timeout_s: float = 2.0,
        user: str = "",
        tls_ca: Path | None = None,
        tls_certificate: Path | None = None,
        tls_key: Path | None = None,
        token: str | Path | None = None,
    ) -> None:
        self.address = address
        self._timeout_s = timeout_s
        self._explain_timeout_s = explain_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._connection = Connection.chosen(tls_ca, tls_certificate, tls_key, token)
        self._channel = self._connection.channel(address, CHANNEL_OPTIONS)
        self._stub = inference_pb2_grpc.InferenceStub(self._channel)
        self._health = health_pb2_grpc.HealthStub(self._channel)
        self._connected = False
        self._user = ((USER_KEY, user),) if user else ()

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        return (*self._user, *self._connection.authorization())

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def models(self) -> list[ModelSummary]:
        """Every version of every model the gateway knows, and whether it answers now.

        Raises:
            ModelNotReady: no gateway answers.
        """
        response = self._call(self._stub.ListModels, pb.ListModelsRequest())
        return [messages.summary_from_message(model) for model in response.models]

    def card(self, name: str, version: int = 0) -> ModelCard:
        """A model's card; version 0 is the newest.

        Raises:
            UnknownModel: no such model or version.
            ModelNotReady: no gateway answers.
        """
        request = pb.GetModelRequest(model=_reference(name, version))
        return ModelCard.from_json(self._call(self._stub.GetModel, request).card_json)

    def reference_set(self, name: str, version: int = 0) -> ReferenceSet:
        """How the model did on its test split, picture by picture; version 0 is the newest.

        Raises:
            UnknownModel: no such model or version.
            UnknownRecord: its bundle holds no reference set.
            ModelNotReady: no gateway answers.
        """
        request = pb.GetReferenceSetRequest(model=_reference(name, version))
        return ReferenceSet.from_bytes(self._call(self._stub.GetReferenceSet, request).reference_set_npz)

    def analyze(
        self, image: bytes, *, model: str, version: int = 0, embedding: bool = False, request_id: str = ""
    ) -> Analysis:
        """One image's findings, with where the evidence for each lies.

        Args:
            image: a whole DICOM, PNG or JPEG file.
            model: its name.
            version: 0 for the newest.
            embedding: asks for the pooled features too.
            request_id: the same question asked again under it is answered from the gateway's store, if it has one.

        Raises:
            BadImage, ImageRefused: the picture is unreadable or not for this model; `reason` says why.
            UnknownModel: no such model or version.
            ModelNotReady, BackendTimeout: the gateway or the model server is away or too slow.
        """
        request = pb.AnalyzeRequest(
            model=_reference(model, version), image=image, include_embedding=embedding, request_id=request_id
        )
        return messages.analysis_from_message(self._call(self._stub.Analyze, request))

    def explain(
        self, image: bytes, *, model: str, method: Method | str, label: str | None = None, version: int = 0
    ) -> Explanation:
        """One label's map by a tf-keras-vis method; slower than `analyze`.

        Args:
            image: a whole DICOM, PNG or JPEG file.
            model: its name.
            method: a `Method` or its value, such as "grad-cam".
            label: a label's name; None for the most probable one.
            version: 0 for the newest.

        Raises:
            BadRequest: unknown method or label.
            As `analyze` otherwise.
        """
        request = pb.ExplainRequest(
            model=_reference(model, version),
            image=image,
            method=messages.method_to_message(_method(method)),
            label=label or "",
        )
        return messages.explanation_from_message(self._call(self._stub.Explain, request, self._explain_timeout_s))

    def ready(self, name: str) -> bool:
        """Whether the model answers now; `name` alone, or `name/version`. False where no gateway answers."""
        request = health_pb2.HealthCheckRequest(service=name)
        try:
            response = self._health.Check(request, timeout=self._timeout_s)
        except grpc.RpcError:
            return False
        return bool(response.status == health_pb2.HealthCheckResponse.SERVING)

    def wait_until_ready(self, name: str, timeout_s: float = 60.0) -> None:
        """Returns once the model answers.

        Raises:
            ModelNotReady: it does not within `timeout_s` seconds; the message says what is missing.
        """
        end = time.monotonic() + timeout_s
        while not self.ready(name):
            if time.monotonic() >= end:
                known = ", ".join(sorted({model.name for model in self.models()})) or "none"
                raise errors.ModelNotReady(
                    f"{name} does not answer at {self.address} after {timeout_s:.0f} s. Models there: {known}. "
                    "Is the model server running, and does it read the same registry?"
                )
            time.sleep(0.1)

    def _call(self, method: Callable[..., Response], request: object, timeout_s: float | None = None) -> Response:
        self._connect()
        try:
            return method(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata())
        except grpc.RpcError as call:
            self._connected = call.code() is not grpc.StatusCode.UNAVAILABLE
            raise error_of(call, self.address) from None

    def _connect(self) -> None:
        """Waits for the connection, at the first call and after it was lost."""
        if self._connected:
            return
        try:
            grpc.channel_ready_future(self._channel).result(timeout=self._connect_timeout_s)
        except grpc.FutureTimeoutError:
            raise errors.ModelNotReady(
                f"No gateway answers at {self.address}; start one with `kerascope gateway`. {self._connection.hint()}"
            ) from None
        self._connected = True


def _reference(name: str, version: int) -> pb.ModelRef:
    return pb.ModelRef(name=name, version=version)


def _method(method: Method | str) -> Method:
    try:
        return Method(method)
    except ValueError:
        known = ", ".join(known.value for known in Method)
        raise errors.BadRequest(f"No explanation method is called {str(method)!r}. There are: {known}.") from None
