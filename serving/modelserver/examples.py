"""Classify, Regress and MultiInference: signatures that read tf.Example.

Checks, their order and their messages follow TensorFlow Serving's servables/tensorflow/classifier.cc, regressor.cc,
multi_inference.cc and util.cc. Every failure is a `tf.errors.OpError`.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf.meta_graph_pb2 import SignatureDef
from tensorflow_serving.apis.classification_pb2 import ClassificationResult
from tensorflow_serving.apis.inference_pb2 import InferenceTask, MultiInferenceRequest, MultiInferenceResponse
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.model_pb2 import ModelSpec
from tensorflow_serving.apis.regression_pb2 import RegressionResult

from serving.modelserver.call import Call
from serving.modelserver.predict import DEFAULT_SIGNATURE
from serving.modelserver.running import Run
from serving.modelserver.scheduler import Arrays
from serving.modelserver.servables import Servable, Signature

CLASSIFY = tf.saved_model.CLASSIFY_METHOD_NAME
REGRESS = tf.saved_model.REGRESS_METHOD_NAME
_INPUTS, _CLASSES, _SCORES, _OUTPUTS = "inputs", "classes", "scores", "outputs"
_KINDS = {CLASSIFY: "classification", REGRESS: "regression"}


class Examples:
    """One version's signatures on tf.Example.

    Args:
        check_method: a signature's method_name must be that of the call; without it, inputs and outputs decide.
    """

    def __init__(self, servable: Servable, run: Run, *, check_method: bool = False) -> None:
        self._servable, self._run, self._check_method = servable, run, check_method

    def classify(self, spec: ModelSpec, examples: Input, call: Call) -> ClassificationResult:
        """A label and a score for each class of each example, of whichever of them the signature gives."""
        return _classifications(*self._computed(self._signature(spec, CLASSIFY), CLASSIFY, examples, call))

    def regress(self, spec: ModelSpec, examples: Input, call: Call) -> RegressionResult:
        """One number for each example."""
        return _regressions(*self._computed(self._signature(spec, REGRESS), REGRESS, examples, call))

    def multi_inference(self, request: MultiInferenceRequest, call: Call) -> MultiInferenceResponse:
        """Several signatures on the same examples."""
        self._check_tasks(request)
        response = MultiInferenceResponse()
        for task in request.tasks:
            result = response.results.add()
            self.name_answer(result.model_spec, task.model_spec.signature_name)
            if task.method_name == CLASSIFY:
                result.classification_result.CopyFrom(self.classify(task.model_spec, request.input, call))
            else:
                result.regression_result.CopyFrom(self.regress(task.model_spec, request.input, call))
        return response

    def name_answer(self, spec: ModelSpec, signature: str) -> None:
        """Says in an answer's model_spec what answered."""
        spec.name, spec.version.value = self._servable.name, self._servable.version
        spec.signature_name = signature or DEFAULT_SIGNATURE

    def _signature(self, spec: ModelSpec, method: str) -> Signature:
        name = spec.signature_name or DEFAULT_SIGNATURE
        signature = self._servable.signatures.get(name)
        if signature is None:
            raise _invalid(f"No signature was found with the name: {name}")
        if self._check_method and signature.definition.method_name != method:
            raise _invalid(
                f"Expected {_KINDS[method]} signature method_name to be {method}. "
                f"Was: {signature.definition.method_name}"
            )
        return signature

    def _computed(self, signature: Signature, method: str, examples: Input, call: Call) -> tuple[Arrays, int]:
        names = _outputs(signature.definition, method)
        serialized = _serialized(examples)
        return self._run(signature, {_INPUTS: serialized}, names, call), len(serialized)

    def _check_tasks(self, request: MultiInferenceRequest) -> None:
        seen: dict[str, str] = {}
        for task in request.tasks:
            self._check_task(task, request.tasks[0].model_spec.name, seen)
        if len(set(seen.values())) > 1:
            raise _invalid("Input tensor must be the same for all Signatures.")

    def _check_task(self, task: InferenceTask, model: str, seen: dict[str, str]) -> None:
        if not task.model_spec.name:
            raise _invalid("Found ModelSpec with an empty model name.")
        if task.model_spec.name != model:
            raise _invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name in seen:
            raise _invalid(f"Duplicate evaluation of signature: {name}")
        if name not in self._servable.signatures:
            raise _invalid(f"Requested signature not found in model graph: {name}")
        if task.method_name not in _KINDS:
            raise tf.errors.UnimplementedError(None, None, f"Unsupported signature method_name: {task.method_name}")
        definition = self._signature(task.model_spec, task.method_name).definition
        _outputs(definition, task.method_name)
        seen[name] = definition.inputs[_INPUTS].name


def _outputs(definition: SignatureDef, method: str) -> list[str]:
    """The outputs that make an answer; raises InvalidArgument if the signature has no such."""
    if len(definition.inputs) != 1:
        raise _invalid("Expected one input Tensor.")
    if method == CLASSIFY and len(definition.outputs) not in (1, 2):
        raise _invalid(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if method == REGRESS and len(definition.outputs) != 1:
        raise _invalid("Expected one output Tensor.")
    if _INPUTS not in definition.inputs:
        raise _invalid(f"No {_KINDS[method]} inputs found in SignatureDef: {definition}")
    names = [
        name for name in ((_CLASSES, _SCORES) if method == CLASSIFY else (_OUTPUTS,)) if name in definition.outputs
    ]
    if not names and method == CLASSIFY:
        raise _invalid(
            'Expected classification signature outputs to contain at least one of "classes" or "scores". '
            f"Signature was: {definition}"
        )
    if not names:
        raise _invalid(f"No regression outputs found in SignatureDef: {definition}")
    return names


def _serialized(examples: Input) -> np.ndarray:
    """The examples as strings [B]; a context comes first in each, which protobuf reads as merging the two."""
    context = b""
    found = examples.example_list.examples
    if examples.WhichOneof("kind") == "example_list_with_context":
        context = examples.example_list_with_context.context.SerializeToString()
        found = examples.example_list_with_context.examples
    if not found:
        raise _invalid("Input is empty.")
    return np.array([context + example.SerializeToString() for example in found], object)


def _classifications(outputs: Arrays, number: int) -> ClassificationResult:
    classes, scores = outputs.get(_CLASSES), outputs.get(_SCORES)
    for name, array, kind in ((_CLASSES, classes, object), (_SCORES, scores, np.float32)):
        if array is not None:
            _check_classes(name, array, kind, number)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise _invalid(
            f"Tensors class and score should match in dim_size(1). Got {classes.shape[1]} vs. {scores.shape[1]}"
        )
    result = ClassificationResult()
    for row in range(number):
        answer = result.classifications.add()
        for column in range((scores if classes is None else classes).shape[1]):  # type: ignore[union-attr]
            one = answer.classes.add()
            if classes is not None:
                one.label = classes[row, column]
            if scores is not None:
                one.score = scores[row, column]
    return result


def _check_classes(name: str, array: np.ndarray, kind: type, number: int) -> None:
    if array.ndim != 2:
        raise _invalid(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(array)}")
    if array.dtype != kind:
        expected = "DT_STRING" if kind is object else "DT_FLOAT"
        raise _invalid(f"Expected {name} Tensor of {expected}. Got: {_dtype(array)}")
    if array.shape[0] != number:
        raise _invalid(f"Expected {name} output batch size of {number}. Got: {array.shape[0]}")


def _regressions(outputs: Arrays, number: int) -> RegressionResult:
    array = outputs[_OUTPUTS]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise _invalid(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(array)}"
        )
    if array.shape[0] != number:
        raise _invalid(f"Input batch size did not match output batch size: {number} vs. {array.shape[0]}")
    if array.dtype != np.float32:
        raise _invalid(f"Expected output Tensor of DT_FLOAT.  Got: {_dtype(array)}")
    result = RegressionResult()
    for value in array.ravel():
        result.regressions.add(value=value)
    return result


def _shape(array: np.ndarray) -> str:
    return "[" + ",".join(str(size) for size in array.shape) + "]"


def _dtype(array: np.ndarray) -> str:
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    return f"DT_{dtype.name.upper().replace('FLOAT32', 'FLOAT').replace('FLOAT64', 'DOUBLE')}"


def _invalid(message: str) -> tf.errors.InvalidArgumentError:
    return tf.errors.InvalidArgumentError(None, None, message)
