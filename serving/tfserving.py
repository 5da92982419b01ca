"""The one module of the gateway that speaks to a model server: TensorFlow Serving, or the embedded stand-in.

API: https://github.com/tensorflow/serving/tree/master/tensorflow_serving/apis (predict.proto, get_model_status.proto)
and tensorflow/core/framework/tensor.proto.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import grpc
import numpy as np
import numpy.typing as npt
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from serving.channel import CHANNEL_OPTIONS, direct
from zoo import errors
from zoo.cards import ModelCard

log = logging.getLogger(__name__)

FloatArray = npt.NDArray[np.float32]

SIGNATURE = "analyze"
DEFAULT_SIGNATURE = "serving_default"
# Every output, asked for or not: TensorFlow Serving batches only calls that want all outputs of a signature
# (batching_session.cc, BatchingSession::InternalRun).
OUTPUTS = ("probability", "logit", "evidence", "embedding")
DEFAULT_OUTPUTS = ("probability", "logit")
AVAILABLE = get_model_status_pb2.ModelVersionStatus.AVAILABLE


@dataclass(frozen=True, kw_only=True, eq=False)
class RawAnalysis:
    """The outputs of the signature `analyze` for one picture.

    Attributes:
        probability: float32 [L], calibrated.
        logit: float32 [L], uncalibrated.
        evidence: float32 [h, w, L], signed; its mean over h and w plus the head's bias is the logit.
        embedding: float32 [K], the pooled features; None unless asked for.
    """

    probability: FloatArray
    logit: FloatArray
    evidence: FloatArray
    embedding: FloatArray | None


class ModelServer:
    """One channel to a model server, or to several behind one name; safe to use from many threads.

    Attributes:
        address: host:port of its gRPC API, or a target of gRPC's with several addresses.

    Args:
        watches: interceptors around the calls.
    """

    def __init__(self, address: str, *watches: grpc.UnaryUnaryClientInterceptor) -> None:
        self.address = address
        self._channel = grpc.insecure_channel(address, options=(*CHANNEL_OPTIONS, *direct(address)))
        if watches:
            self._channel = grpc.intercept_channel(self._channel, *watches)
        self._prediction = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._status = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def close(self) -> None:
        """Closes the channel; calls in flight are cancelled."""
        self._channel.close()

    def analyze(
        self, card: ModelCard, pixels: npt.NDArray[np.uint8], *, timeout_s: float, embedding: bool = False
    ) -> RawAnalysis:
        """Asks for one picture's scores and maps.

        Args:
            card: of the model and version to ask.
            pixels: uint8 [H, W, C] as the card's InputSpec says.
            timeout_s: longest wait.
            embedding: gives the pooled features too.

        Raises:
            ModelNotReady: the server is away, busy, or has not loaded this version.
            BackendTimeout: no answer in time.
            BadBundle: what the server loaded does not take or give what the card says.
        """
        request = predict_request(card, pixels, OUTPUTS)
        try:
            response = self._prediction.Predict(request, timeout=timeout_s)
        except grpc.RpcError as call:
            raise self._error(call, card, timeout_s) from None
        return _raw(card, response.outputs, embedding)

    def logits(self, card: ModelCard, images: npt.NDArray[np.uint8], *, timeout_s: float) -> FloatArray:
        """The uncalibrated answers to a batch, by the signature `serving_default`; no maps are computed.

        Args:
            card: of the model and version to ask.
            images: uint8 [B, H, W, C] as the card's InputSpec says.
            timeout_s: longest wait.

        Returns:
            float32 [B, L].

        Raises:
            As `analyze`.
        """
        request = batch_request(card, images, DEFAULT_SIGNATURE, DEFAULT_OUTPUTS)
        try:
            response = self._prediction.Predict(request, timeout=timeout_s)
        except grpc.RpcError as call:
            raise self._error(call, card, timeout_s) from None
        return _checked(card, response.outputs, {"logit": (len(images), len(card.labels))})["logit"]

    def available(self, name: str, *, timeout_s: float = 2.0) -> frozenset[int]:
        """The versions of a model that the server answers for; empty where it knows none.

        Raises:
            ModelNotReady: the server itself is away or does not answer in time.
        """
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = name
        try:
            response = self._status.GetModelStatus(request, timeout=timeout_s)
        except grpc.RpcError as call:
            if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise errors.ModelNotReady(self._away()) from None
            return frozenset()
        return frozenset(entry.version for entry in response.model_version_status if entry.state == AVAILABLE)

    def labelled(self, name: str, label: str, *, timeout_s: float = 2.0) -> int | None:
        """The version that a label of the server's configuration means; None where it has no such label.

        Raises:
            ModelNotReady: the server itself is away or does not answer in time.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name, request.model_spec.version_label = name, label
        try:
            response = self._prediction.GetModelMetadata(request, timeout=timeout_s)
        except grpc.RpcError as call:
            if call.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise errors.ModelNotReady(self._away()) from None
            return None
        return int(response.model_spec.version.value)

    def version_ready(self, name: str, version: int) -> bool:
        """Whether the server answers for this version now."""
        try:
            return version in self.available(name)
        except errors.ModelNotReady:
            return False

    def _away(self) -> str:
        return (
            f"No model server answers at {self.address}. Start one with `kerascope serve`, or set "
            "KERASCOPE_MODEL_SERVER; the gateway finds it by itself."
        )

    def _error(self, call: grpc.RpcError, card: ModelCard, timeout_s: float) -> errors.KerascopeError:
        code, model = call.code(), f"{card.name} version {card.version}"
        log.warning("model server %s: %s for %s: %s", self.address, code.name, model, call.details())
        if code is grpc.StatusCode.NOT_FOUND:
            return errors.ModelNotReady(
                f"{model} is in the registry, but the model server at {self.address} has not loaded it. Ask again "
                "later; if it stays so, check the model server's base path."
            )
        if code is grpc.StatusCode.UNAVAILABLE:
            return errors.ModelNotReady(self._away())
        if code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED):
            return errors.ModelNotReady(f"The model server at {self.address} is busy or stopping. Ask again later.")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return errors.BackendTimeout(
                f"The model server did not answer for {model} within {timeout_s:.1f} s. Ask again, or allow longer."
            )
        if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION):
            return errors.BadBundle(_mismatch(card, f"it refuses the call with {code.name}"))
        return errors.InternalError(f"The model server failed with {code.name} for {model}; its log has the cause.")


def _mismatch(card: ModelCard, found: str) -> str:
    return (
        f"What the model server loaded as {card.name} version {card.version} is not what its card says: {found}. "
        "Let both read the same registry, or export the model again."
    )


def predict_request(
    card: ModelCard, pixels: npt.NDArray[np.uint8], outputs: tuple[str, ...]
) -> predict_pb2.PredictRequest:
    """A PredictRequest for one picture [H, W, C], to the signature `analyze`."""
    return batch_request(card, pixels[None], SIGNATURE, outputs)


def batch_request(
    card: ModelCard, images: npt.NDArray[np.uint8], signature: str, outputs: tuple[str, ...]
) -> predict_pb2.PredictRequest:
    """A PredictRequest for [B, H, W, C]; the tensor's bytes are copied once (tensor.proto, `tensor_content`)."""
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name = card.name
    request.model_spec.version.value = card.version
    request.model_spec.signature_name = signature
    tensor = request.inputs["image"]
    tensor.dtype = types_pb2.DT_UINT8
    for size in images.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = images.tobytes()
    return request


def array_of(tensor: tensor_pb2.TensorProto) -> FloatArray:
    """A float TensorProto as an array: TensorFlow Serving fills `float_val`, others `tensor_content`.

    A shorter `float_val` repeats its last value (tensor.proto).
    """
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, "<f4").reshape(shape)
    values = np.array(tensor.float_val, np.float32)
    missing = int(np.prod(shape)) - len(values)
    if missing and len(values):
        values = np.concatenate([values, np.full(missing, values[-1], np.float32)])
    return values.reshape(shape)


def _raw(card: ModelCard, outputs: dict[str, tensor_pb2.TensorProto], embedding: bool) -> RawAnalysis:
    """The outputs, each of the shape the card promises."""
    labels = len(card.labels)
    shapes: dict[str, tuple[int, ...]] = {
        "probability": (1, labels),
        "logit": (1, labels),
        "evidence": (1, *card.evidence_grid, labels),
    }
    if embedding:
        shapes["embedding"] = (1, card.embedding_size)
    arrays = _checked(card, outputs, shapes)
    return RawAnalysis(
        probability=arrays["probability"][0],
        logit=arrays["logit"][0],
        evidence=arrays["evidence"][0],
        embedding=arrays["embedding"][0] if embedding else None,
    )


def _checked(
    card: ModelCard, outputs: dict[str, tensor_pb2.TensorProto], shapes: dict[str, tuple[int, ...]]
) -> dict[str, FloatArray]:
    """The outputs named, each of the shape it should have."""
    arrays: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        found = tuple(dim.size for dim in outputs[name].tensor_shape.dim) if name in outputs else None
        if found != shape:
            raise errors.BadBundle(_mismatch(card, f"output {name} is {found or 'missing'}, not {shape}"))
        arrays[name] = array_of(outputs[name])
    return arrays
