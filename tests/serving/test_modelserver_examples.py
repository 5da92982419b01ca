"""Classify, Regress and MultiInference, on SavedModels of TensorFlow 2 and 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import numpy as np
import pytest
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis.classification_pb2 import ClassificationRequest, ClassificationResult
from tensorflow_serving.apis.inference_pb2 import MultiInferenceRequest
from tensorflow_serving.apis.input_pb2 import Input
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.apis.regression_pb2 import RegressionRequest

from tests.serving.model_server_client import WAIT_S, Client, predict_request
from tests.serving.model_servers import asked
from tests.serving.tiny_models import write_judge, write_session_graph

pytestmark = pytest.mark.slow

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("judge")
    write_judge(folder)
    with asked(folder, "judge") as client:
        yield client


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A model of TensorFlow 1, behind a server that checks method names and batches."""
    folder = tmp_path_factory.mktemp("session")
    folder_of_version = write_session_graph(folder)
    record = PredictionLog()
    record.classify_log.request.CopyFrom(ask(ClassificationRequest, "judge", "classify", 1.0))
    (folder_of_version / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(folder_of_version / "assets.extra" / "tf_serving_warmup_requests")) as file:
        file.write(record.SerializeToString())
    with asked(folder, "judge", enable_signature_method_name_check=True, enable_batching=True) as client:
        yield client


def example(**features: float) -> tf.train.Example:
    made = tf.train.Example()
    for name, value in features.items():
        made.features.feature[name].float_list.value.append(value)
    return made


def ask(kind: type[Message], model: str, signature: str, *values: float) -> Message:
    request = kind()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    request.input.example_list.examples.extend([example(x=value) for value in values])
    return request


def pairs(result: ClassificationResult) -> list[list[tuple[str, float]]]:
    return [[(one.label, one.score) for one in answer.classes] for answer in result.classifications]


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code().name, caught.value.details()


def test_classify_gives_label_and_score_of_each_class(judge: Client) -> None:
    # The scores of x are 10 - x and x.
    answer = judge.prediction.Classify(ask(ClassificationRequest, "judge", "classify", 1.0, 7.0), timeout=WAIT_S)
    assert pairs(answer.result) == [[("small", 9.0), ("large", 1.0)], [("small", 3.0), ("large", 7.0)]]
    spec = answer.model_spec
    assert (spec.name, spec.version.value, spec.signature_name) == ("judge", 1, "classify")


def test_regress_gives_a_number_for_each_example(judge: Client) -> None:
    answer = judge.prediction.Regress(ask(RegressionRequest, "judge", "regress", 1.5, 4.0), timeout=WAIT_S)
    assert [one.value for one in answer.result.regressions] == [3.0, 8.0]
    assert answer.model_spec.signature_name == "regress"


def test_a_context_is_part_of_each_example(judge: Client) -> None:
    request = ask(RegressionRequest, "judge", "regress")
    request.input.example_list_with_context.context.CopyFrom(example(x=3.0))
    request.input.example_list_with_context.examples.extend([example(other=1.0), example(other=2.0)])
    answer = judge.prediction.Regress(request, timeout=WAIT_S)
    assert [one.value for one in answer.result.regressions] == [6.0, 6.0]


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("", "No signature was found with the name: serving_default"),
        ("regress", "Expected classification signature outputs to contain at least one of"),
        ("other", "No classification inputs found in SignatureDef"),
    ],
)
def test_classify_wants_a_signature_for_it(judge: Client, signature: str, words: str) -> None:
    request = ask(ClassificationRequest, "judge", signature, 1.0)
    found, details = refusal(lambda: judge.prediction.Classify(request, timeout=WAIT_S))
    assert (found, words in details) == ("INVALID_ARGUMENT", True), details


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("classify", "Expected one output Tensor."),
        ("whole", "Input batch size did not match output batch size: 2 vs. 1"),
    ],
)
def test_regress_wants_one_number_for_each_example(judge: Client, signature: str, words: str) -> None:
    request = ask(RegressionRequest, "judge", signature, 1.0, 2.0)
    assert refusal(lambda: judge.prediction.Regress(request, timeout=WAIT_S)) == ("INVALID_ARGUMENT", words)


@pytest.mark.parametrize("kind", [ClassificationRequest, RegressionRequest])
def test_a_call_that_names_no_model_at_all_is_refused(judge: Client, kind: type[Message]) -> None:
    method = judge.prediction.Classify if kind is ClassificationRequest else judge.prediction.Regress
    assert refusal(lambda: method(kind(), timeout=WAIT_S)) == ("INVALID_ARGUMENT", "Missing ModelSpec")


def test_no_examples_are_refused(judge: Client) -> None:
    request = ask(RegressionRequest, "judge", "regress")
    assert refusal(lambda: judge.prediction.Regress(request, timeout=WAIT_S)) == ("INVALID_ARGUMENT", "Input is empty.")


def inference(*tasks: tuple[str, str, str]) -> MultiInferenceRequest:
    request = MultiInferenceRequest(input=Input())
    request.input.example_list.examples.append(example(x=4.0))
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name, task.model_spec.signature_name = model, signature
    return request


def test_several_signatures_of_a_session_graph_answer_in_one_call(session: Client) -> None:
    request = inference(("judge", "classify", CLASSIFY), ("judge", "regress", REGRESS))
    first, second = session.prediction.MultiInference(request, timeout=WAIT_S).results
    assert pairs(first.classification_result) == [[("", 6.0), ("", 4.0)]]
    assert [one.value for one in second.regression_result.regressions] == [8.0]
    assert [one.model_spec.signature_name for one in (first, second)] == ["classify", "regress"]


@pytest.mark.parametrize(
    ("tasks", "code", "words"),
    [
        ([("judge", "regress", REGRESS)] * 2, "INVALID_ARGUMENT", "Duplicate evaluation of signature: regress"),
        ([("judge", "no", REGRESS)], "INVALID_ARGUMENT", "Requested signature not found in model graph: no"),
        ([("judge", "regress", "tensorflow/serving/predict")], "UNIMPLEMENTED", "Unsupported signature method_name"),
        (
            [("judge", "regress", REGRESS), ("other", "classify", CLASSIFY)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
    ],
)
def test_tasks_that_do_not_go_together_are_refused(session: Client, tasks: list, code: str, words: str) -> None:
    found, details = refusal(lambda: session.prediction.MultiInference(inference(*tasks), timeout=WAIT_S))
    assert (found, words in details) == (code, True), details


def test_signatures_with_inputs_of_their_own_are_refused_together(judge: Client) -> None:
    request = inference(("judge", "classify", CLASSIFY), ("judge", "regress", REGRESS))
    words = "Input tensor must be the same for all Signatures."
    assert refusal(lambda: judge.prediction.MultiInference(request, timeout=WAIT_S)) == ("INVALID_ARGUMENT", words)


def test_a_session_graph_answers_predict_classify_and_regress(session: Client) -> None:
    # y = 2 x + 1
    answer = session.predict(predict_request("judge", x=[[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(tf.make_ndarray(answer.outputs["y"]), [[3, 5, 7]])
    answer = session.prediction.Classify(ask(ClassificationRequest, "judge", "classify", 7.0), timeout=WAIT_S)
    assert pairs(answer.result) == [[("", 3.0), ("", 7.0)]]


def test_the_method_name_is_checked_where_that_is_asked_for(session: Client) -> None:
    request = ask(ClassificationRequest, "judge", "regress", 1.0)
    words = f"Expected classification signature method_name to be {CLASSIFY}. Was: {REGRESS}"
    assert refusal(lambda: session.prediction.Classify(request, timeout=WAIT_S)) == ("INVALID_ARGUMENT", words)
