"""Which question a method and a path ask, and the answer, as in TensorFlow Serving's http_rest_api_handler.cc."""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import tensorflow as tf
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest
from tensorflow_serving.apis.get_model_metadata_pb2 import GetModelMetadataRequest
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from serving.modelserver.answers import SIGNATURE_DEF, Answers
from serving.modelserver.call import Call
from serving.modelserver.rest import messages
from serving.modelserver.status import message

log = logging.getLogger(__name__)

_MODEL = r"/v1/models/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?"
_ASK = re.compile(_MODEL + ":(classify|regress|predict)", re.IGNORECASE)
_LOOK = re.compile(r"/v1/models(?:/([^/:]+))?(?:/versions/(\d+)|/labels/([^/:]+))?(/metadata)?", re.IGNORECASE)
_LARGEST_VERSION = 2**63 - 1

STATUS: Mapping[int, int] = {  # model_servers/http_server.cc, ToHTTPStatusCode; all others are 500
    tf.errors.CANCELLED: 499,
    tf.errors.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    tf.errors.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    tf.errors.NOT_FOUND: HTTPStatus.NOT_FOUND,
    tf.errors.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    tf.errors.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    tf.errors.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    tf.errors.FAILED_PRECONDITION: HTTPStatus.BAD_REQUEST,
    tf.errors.ABORTED: HTTPStatus.CONFLICT,
    tf.errors.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    tf.errors.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    tf.errors.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    tf.errors.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
}


@dataclass(frozen=True)
class Reply:
    """An HTTP answer: status, body, and what the body is."""

    status: int
    body: bytes
    content_type: str = "application/json"


class Routes:
    """Answers REST requests."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    def answer(self, method: str, path: str, body: bytes, call: Call) -> Reply:
        """The answer to one request, errors included. TensorFlow's messages go out; anyone else's stay in the log."""
        try:
            return _json(HTTPStatus.OK, self._answer(method, path, body, call))
        except tf.errors.OpError as error:
            return error_reply(STATUS.get(error.error_code, HTTPStatus.INTERNAL_SERVER_ERROR), message(error))
        except MemoryError:
            return error_reply(HTTPStatus.TOO_MANY_REQUESTS, "The request takes more memory than the server can have.")
        except Exception:
            reference = uuid.uuid4().hex[:8]
            log.exception("internal error %s", reference)
            text = f"Internal error {reference}; the server log has the cause."
            return error_reply(HTTPStatus.INTERNAL_SERVER_ERROR, text)

    def _answer(self, method: str, path: str, body: bytes, call: Call) -> dict[str, Any]:
        asked, looked = _ASK.fullmatch(path), _LOOK.fullmatch(path)
        if method == "POST" and asked and asked[4].islower():  # only the rest of a path may be in capitals
            spec, api, start_s = _spec(*asked.groups()[:3]), asked[4], time.monotonic()
            with self._answers.counted(spec.name):
                found = getattr(self, f"_{api}")(spec, messages.parse(body), call)
            self._answers.took(spec.name, api, "REST", start_s)
            return found
        if method == "GET" and looked:
            return self._look(_spec(*looked.groups()[:3]), about=bool(looked[4]))
        raise _invalid(f"Malformed request: {method} {path}")

    def _predict(self, spec: ModelSpec, document: dict[str, Any], call: Call) -> dict[str, Any]:
        spec.signature_name = messages.signature_of(document)
        request = PredictRequest(model_spec=spec)
        rows = messages.fill_inputs(document, self._answers.inputs_of(spec), request)
        return messages.predictions(self._answers.predict(request, call), rows=rows)

    def _classify(self, spec: ModelSpec, document: dict[str, Any], call: Call) -> dict[str, Any]:
        spec.signature_name = messages.signature_of(document)
        request = ClassificationRequest(model_spec=spec)
        messages.fill_examples(document, request.input)
        return messages.classifications(self._answers.classify(request, call).result)

    def _regress(self, spec: ModelSpec, document: dict[str, Any], call: Call) -> dict[str, Any]:
        spec.signature_name = messages.signature_of(document)
        request = RegressionRequest(model_spec=spec)
        messages.fill_examples(document, request.input)
        return messages.regressions(self._answers.regress(request, call).result)

    def _look(self, spec: ModelSpec, *, about: bool) -> dict[str, Any]:
        if not spec.name:
            raise _invalid("Missing model name in request.")
        if about:
            request = GetModelMetadataRequest(model_spec=spec, metadata_field=[SIGNATURE_DEF])
            return messages.metadata(self._answers.metadata(request))
        return messages.statuses(self._answers.status(GetModelStatusRequest(model_spec=spec)))


def _spec(name: str | None, version: str | None, label: str | None) -> ModelSpec:
    spec = ModelSpec(name=unquote(name or ""))
    if version is not None:
        if int(version) > _LARGEST_VERSION:
            raise _invalid(f"Failed to convert version: {version} to numeric.")
        spec.version.value = int(version)
    if label is not None:
        spec.version_label = unquote(label)
    return spec


def error_reply(status: int, text: str) -> Reply:
    """An error as TensorFlow Serving's clients expect it."""
    return _json(status, {"error": text})


def _json(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status, json.dumps(value, ensure_ascii=False).encode(errors="replace"))


def _invalid(text: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, text)
