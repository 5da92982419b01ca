"""Calls that arrive together are computed together, and a queue that is full says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from serving.modelserver.batch_parameters import Batching, read_common, read_per_model
from serving.modelserver.options import BATCH_DOWN, PAD_UP, Options
from tests.serving.model_server_client import WAIT_S, Client, predict_request, wait_until
from tests.serving.model_servers import asked
from tests.serving.tiny_models import write_rows
from zoo.errors import BadConfig


def options(file: Path, text: str) -> Options:
    file.write_text(text)
    return Options(model_base_path="/m", enable_batching=True, batching_parameters_file=str(file))


def test_the_parameters_are_read_and_the_rest_is_tensorflow_servings_default(tmp_path: Path) -> None:
    text = "max_batch_size { value: 8 } batch_timeout_micros { value: 2500 } allowed_batch_sizes: [2, 8]"
    found = read_common(options(tmp_path / "b", text))
    assert found is not None
    assert (found.max_batch_size, found.timeout_s, list(found.allowed_batch_sizes)) == (8, 0.0025, [2, 8])
    assert (found.max_enqueued_batches, found.max_execution_batch_size, found.padding_policy) == (10, 8, BATCH_DOWN)
    assert [found.padded(rows) for rows in (1, 2, 3, 8)] == [2, 2, 8, 8]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("max_batch_size { value: 8 } allowed_batch_sizes: [2, 4]", "last entry was 4; expected 8"),
        ("max_batch_size { value: 4 } allowed_batch_sizes: [4, 2]", "must be 1 or more, and rise"),
        ("num_batch_threads { value: 0 }", "num_batch_threads is 0"),
        ("batch_timeout_micros { value: -1 }", "batch_timeout_micros is -1"),
        ("pad_variable_length_inputs: true", "does not honour pad_variable_length_inputs"),
        ("max_batchsize { value: 4 }", 'no field named "max_batchsize"'),
    ],
)
def test_parameters_that_cannot_be_are_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        read_common(options(tmp_path / "b", text))


@pytest.mark.parametrize("name", ["batching_parameters_file", "enable_per_model_batching_parameters"])
def test_parameters_without_batching_are_refused(name: str) -> None:
    with pytest.raises(BadConfig, match=f"{name} is set without enable_batching"):
        read_common(Options(model_base_path="/m", **{name: "file"}))


def test_a_models_own_parameters_leave_the_threads_alone(tmp_path: Path) -> None:
    common = Batching(num_batch_threads=3, padding_policy=BATCH_DOWN)
    assert read_per_model(tmp_path, common) is None
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 2 } num_batch_threads { value: 9 }")
    found = read_per_model(tmp_path, common)
    assert found is not None
    assert (found.max_batch_size, found.num_batch_threads, found.padding_policy) == (2, 3, BATCH_DOWN)


WAITS = "batch_timeout_micros { value: 3600000000 } max_enqueued_batches { value: 1 }"
Serve = Callable[..., Client]


@pytest.fixture(scope="module")
def rows_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    write_rows(folder)
    return folder


@pytest.fixture
def serve(rows_path: Path, tmp_path: Path) -> Iterator[Serve]:
    """Starts a server with these batching parameters."""
    left = []

    def started(text: str, **options: object) -> Client:
        file = tmp_path / "batching.config"
        file.write_text(text)
        context = asked(rows_path, "rows", enable_batching=True, batching_parameters_file=str(file), **options)
        left.append(context)
        return context.__enter__()

    yield started
    for context in left:
        context.__exit__(None, None, None)


def ask(client: Client, *rows: float, width: int = 2, timeout: float = WAIT_S) -> grpc.Future:
    """Rows of equal numbers, asked without waiting."""
    request = predict_request("rows", x=np.repeat(np.array(rows, "float32")[:, None], width, axis=1))
    return client.prediction.Predict.future(request, timeout=timeout)


def output(answer: PredictResponse, name: str) -> list[float]:
    return tf.make_ndarray(answer.outputs[name]).tolist()


@pytest.mark.slow
def test_calls_of_one_batch_each_get_their_own_rows(serve: Serve) -> None:
    client = serve(f"max_batch_size {{ value: 4 }} {WAITS}")
    answers = [call.result() for call in [ask(client, 1), ask(client, 2, 3), ask(client, 4)]]
    assert [output(answer, "rows") for answer in answers] == [[4], [4, 4], [4]]
    assert [output(answer, "sums") for answer in answers] == [[2], [4, 6], [8]]


@pytest.mark.slow
def test_a_batch_is_padded_to_an_allowed_size(serve: Serve) -> None:
    client = serve("max_batch_size { value: 8 } allowed_batch_sizes: [1, 4, 8]")
    answer = ask(client, 1, 2, 3).result()
    assert (output(answer, "rows"), output(answer, "sums")) == ([4, 4, 4], [2, 4, 6])


@pytest.mark.slow
@pytest.mark.parametrize(("policy", "rows"), [(PAD_UP, [[4], [4], [4]]), (BATCH_DOWN, [[2], [2], [1]])])
def test_calls_that_make_no_allowed_number_are_computed_as_the_flag_says(
    serve: Serve, policy: str, rows: list[list[float]]
) -> None:
    parameters = "max_batch_size { value: 4 } allowed_batch_sizes: [1, 2, 4] batch_timeout_micros { value: 1000000 }"
    client = serve(parameters, batch_padding_policy=policy)
    calls = []
    for value in (1, 2, 3):
        calls.append(ask(client, value))
        time.sleep(0.05)  # in this order
    answers = [call.result() for call in calls]
    assert [output(answer, "sums") for answer in answers] == [[2], [4], [6]]
    assert [output(answer, "rows") for answer in answers] == rows


@pytest.mark.slow
def test_calls_with_other_shapes_or_outputs_are_not_mixed(serve: Serve) -> None:
    client = serve(f"max_batch_size {{ value: 2 }} {WAITS}")
    narrow, wide = ask(client, 1), ask(client, 1, width=3)
    request = predict_request("rows", x=np.ones((1, 2), "float32"))
    request.output_filter.append("sums")
    filtered = client.prediction.Predict.future(request, timeout=WAIT_S)
    again = [ask(client, 2), ask(client, 2, width=3), client.prediction.Predict.future(request, timeout=WAIT_S)]
    sums = [output(call.result(), "sums") for call in [narrow, wide, filtered, *again]]
    assert sums == [[2], [3], [2], [4], [6], [2]]


@pytest.mark.slow
def test_a_full_queue_is_answered_unavailable_and_a_cancelled_call_frees_its_place(serve: Serve) -> None:
    client = serve(f"max_batch_size {{ value: 3 }} {WAITS}")
    calls = [ask(client, 1, 1), ask(client, 1, 1)]  # whichever comes second finds no place
    wait_until(lambda: any(call.done() for call in calls))
    refused, waiting = sorted(calls, key=lambda call: not call.done())
    assert refused.code() is grpc.StatusCode.UNAVAILABLE
    assert refused.details() == "The batch scheduling queue to which this task was submitted is full"
    waiting.cancel()

    def is_free() -> bool:  # once the server knows that nobody waits
        pair = [ask(client, 2, 2), ask(client, 3)]
        if any(call.exception() for call in pair):
            return False
        return [output(call.result(), "rows") for call in pair] == [[3, 3], [3]]

    wait_until(is_free)


@pytest.mark.slow
def test_a_call_whose_deadline_has_passed_frees_its_place(serve: Serve) -> None:
    client = serve(f"max_batch_size {{ value: 3 }} {WAITS}")
    assert ask(client, 1, 1, timeout=0.3).exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
    calls = [ask(client, 2), ask(client, 3, 3)]
    assert [output(call.result(), "rows") for call in calls] == [[3], [3, 3]]


@pytest.mark.slow
def test_a_call_of_too_many_rows_is_refused_or_split(serve: Serve) -> None:
    refused = ask(serve("max_batch_size { value: 2 }"), 1, 2, 3).exception()
    assert refused.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.details() == "Task size 3 is larger than maximum input batch size 2"
    splitting = "enable_large_batch_splitting { value: true } max_execution_batch_size { value: 2 }"
    answer = ask(serve(f"max_batch_size {{ value: 8 }} {splitting}"), 1, 2, 3).result()
    assert (output(answer, "rows"), output(answer, "sums")) == ([2, 2, 1], [2, 4, 6])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signature", "inputs", "words"),
    [
        ("pair", {"a": 1.0, "b": 2.0}, "Batching Run() input tensors must have at least one dimension"),
        ("pair", {"a": [1.0], "b": [1.0, 2.0]}, "Batching Run() input tensors must have equal 0th-dimension size"),
        ("mean", {"x": [[1.0]]}, "Batched output tensor has 0 dimensions"),
    ],
)
def test_what_cannot_be_batched_is_refused_as_by_tensorflow_serving(
    serve: Serve, signature: str, inputs: dict, words: str
) -> None:
    client = serve("max_batch_size { value: 2 }")
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request("rows", signature, **inputs))
    assert caught.value.details() == words


@pytest.mark.slow
def test_each_version_may_bring_its_own_parameters(tmp_path: Path) -> None:
    write_rows(tmp_path, 1)
    write_rows(tmp_path, 2, batching="max_batch_size { value: 5 } allowed_batch_sizes: 5")
    write_rows(tmp_path, 3, batching="max_batch_size { value: 5 } allowed_batch_sizes: 4")
    file = tmp_path / "models.config"
    model = f'name: "rows" base_path: "{tmp_path}" model_platform: "tensorflow" model_version_policy {{ all {{}} }}'
    file.write_text(f"model_config_list {{ config {{ {model} }} }}")
    flags = {"enable_batching": True, "enable_per_model_batching_parameters": True}
    with asked(tmp_path, model_config_file=str(file), **flags) as client:
        wait_until(lambda: client.states("rows") == {3: "END", 2: "AVAILABLE", 1: "AVAILABLE"})
        assert "last entry was 4; expected 5" in client.status("rows")[0].status.error_message
        assert output(ask(client, 1).result(), "rows") == [5]
        request = predict_request("rows", x=[[1.0]])
        request.model_spec.version.value = 1
        assert output(client.predict(request), "rows") == [1]
