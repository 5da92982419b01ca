"""The answers to both APIs' questions: gRPC and REST ask here, and put what they get into their own words.

Every failure is a `tf.errors.OpError`, whose code is the code of the answer.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeAlias

import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import TensorInfo
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResponse
from tensorflow_serving.apis.get_model_metadata_pb2 import (
    GetModelMetadataRequest,
    GetModelMetadataResponse,
    SignatureDefMap,
)
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest, GetModelStatusResponse
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest, PredictResponse
from tensorflow_serving.apis.regression_pb2 import RegressionRequest, RegressionResponse

from serving.modelserver.call import Call
from serving.modelserver.examples import Examples
from serving.modelserver.loaded import Loaded
from serving.modelserver.manager import Manager
from serving.modelserver.metrics import Metrics
from serving.modelserver.predict import DEFAULT_SIGNATURE, predict

SIGNATURE_DEF = "signature_def"
_SERVING = ":tensorflow:serving:"
_OfOneModel: TypeAlias = (
    PredictRequest | ClassificationRequest | RegressionRequest | GetModelMetadataRequest | GetModelStatusRequest
)


class Answers:
    """What the models of a manager answer.

    Args:
        check_method: see `Options.enable_signature_method_name_check`.
        content: see `Options.enable_serialization_as_tensor_content`.
    """

    def __init__(
        self, manager: Manager, metrics: Metrics, *, check_method: bool = False, content: bool = False
    ) -> None:
        self._manager, self._metrics = manager, metrics
        self._check_method, self._content = check_method, content

    def predict(self, request: PredictRequest, call: Call) -> PredictResponse:
        """Named tensors in, named tensors out."""
        loaded = self._manager.loaded(_spec_of(request))
        with self._timed(loaded, "Predict"):
            return predict(loaded.servable, loaded.run, request, call, content=self._content)

    def classify(self, request: ClassificationRequest, call: Call) -> ClassificationResponse:
        """Examples in, labels and scores out."""
        examples, loaded = self._examples(_spec_of(request), request.input)
        response = ClassificationResponse()
        with self._timed(loaded, "Classify"):
            response.result.CopyFrom(examples.classify(request.model_spec, request.input, call))
        examples.name_answer(response.model_spec, request.model_spec.signature_name)
        return response

    def regress(self, request: RegressionRequest, call: Call) -> RegressionResponse:
        """Examples in, one number each out."""
        examples, loaded = self._examples(_spec_of(request), request.input)
        response = RegressionResponse()
        with self._timed(loaded, "Regress"):
            response.result.CopyFrom(examples.regress(request.model_spec, request.input, call))
        examples.name_answer(response.model_spec, request.model_spec.signature_name)
        return response

    def multi_inference(self, request: MultiInferenceRequest, call: Call) -> MultiInferenceResponse:
        """Examples in, the answers of several signatures of one model out."""
        spec = request.tasks[0].model_spec if request.tasks else ModelSpec()
        examples, loaded = self._examples(spec, request.input)
        with self._timed(loaded, "MultiInference"):
            return examples.multi_inference(request, call)

    def inputs_of(self, spec: ModelSpec) -> Mapping[str, TensorInfo]:
        """The inputs of the signature that a request means, by name."""
        definitions = self._manager.loaded(spec).servable.signature_defs
        name = spec.signature_name or DEFAULT_SIGNATURE
        if name not in definitions:
            raise _invalid(f'Serving signature name: "{name}" not found in signature def')
        return definitions[name].inputs

    def metadata(self, request: GetModelMetadataRequest) -> GetModelMetadataResponse:
        """The signatures of a version, inputs and outputs with type and shape."""
        spec = _spec_of(request)
        _check_fields(request)
        servable = self._manager.loaded(spec).servable
        signatures = SignatureDefMap()
        for name, definition in servable.signature_defs.items():
            signatures.signature_def[name].CopyFrom(definition)
        response = GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata[SIGNATURE_DEF].Pack(signatures)
        return response

    def status(self, request: GetModelStatusRequest) -> GetModelStatusResponse:
        """Each version's state, with the error of one that would not load."""
        states = self._manager.states_of(_spec_of(request))
        response = GetModelStatusResponse()
        for version, entry in states.items():
            status = response.model_version_status.add(version=version, state=entry.state)
            status.status.error_code = entry.code
            status.status.error_message = entry.message
        return response

    @contextmanager
    def counted(self, model: str) -> Iterator[None]:
        """Counts a request and how it ended. A name that no model has is not kept: anyone may send any."""
        label = model if self._manager.knows(model) else ""
        try:
            yield
        except tf.errors.OpError as error:
            self._metrics.add(f"{_SERVING}request_count", label, _code_name(error.error_code))
            raise
        except Exception:
            self._metrics.add(f"{_SERVING}request_count", label, "INTERNAL")
            raise
        self._metrics.add(f"{_SERVING}request_count", label, "OK")

    def took(self, model: str, api: str, entrypoint: str, start_s: float) -> None:
        """Notes how long a request took that was answered; `start_s` is of the monotonic clock."""
        took_us = (time.monotonic() - start_s) * 1e6
        self._metrics.add(f"{_SERVING}request_latency", model, api, entrypoint, value=took_us)

    def _examples(self, spec: ModelSpec, examples: Input) -> tuple[Examples, Loaded]:
        loaded = self._manager.loaded(spec)
        kind = examples.WhichOneof("kind")
        number = len(getattr(examples, kind).examples) if kind else 0
        self._metrics.add(f"{_SERVING}request_example_counts", loaded.servable.name, value=number)
        self._metrics.add(f"{_SERVING}request_example_count_total", loaded.servable.name, value=number)
        return Examples(loaded.servable, loaded.run, check_method=self._check_method), loaded

    @contextmanager
    def _timed(self, loaded: Loaded, api: str) -> Iterator[None]:
        start_s = time.monotonic()
        yield
        took_us = (time.monotonic() - start_s) * 1e6
        self._metrics.add(f"{_SERVING}runtime_latency", loaded.servable.name, api, "TF1", value=took_us)


def _code_name(code: int) -> str:
    return next((name for name, number in vars(tf.errors).items() if number == code and name.isupper()), "UNKNOWN")


def _spec_of(request: _OfOneModel) -> ModelSpec:
    if not request.HasField("model_spec"):
        raise _invalid("Missing ModelSpec")
    return request.model_spec


def _check_fields(request: GetModelMetadataRequest) -> None:
    if not request.metadata_field:
        raise _invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for field in request.metadata_field:
        if field != SIGNATURE_DEF:
            raise _invalid(f"Metadata field {field} is not supported")


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)
