"""Calls that arrive together are computed together, and a queue that is full says so."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from serving.modelserver.batch_parameters import Batching, read_common, read_per_model
from serving.modelserver.options import Options
from serving.modelserver.scheduler import Scheduler, Task
from tests.serving.model_server_client import WAIT_S, Client, predict_request, wait_until
from tests.serving.model_servers import asked
from tests.serving.tiny_models import write_rows
from zoo.errors import BadConfig

NEVER_S = 3600.0


class Recorder:
    """Computes batches by keeping them; holds each up while `go` is clear."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Event()
        self.busy = threading.Event()
        self.go.set()

    def __call__(self, tasks: list[Task]) -> None:
        self.busy.set()
        assert self.go.wait(WAIT_S)
        self.batches.append([task.rows for task in tasks])
        for task in tasks:
            task.finish({})


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler(1, "batch")
    yield made
    made.stop()


def task(rows: int = 1) -> Task:
    return Task({"x": np.zeros((rows, 1))}, rows)


def batching(rows: int, batches: int = 10, timeout_s: float = NEVER_S) -> Batching:
    return Batching(max_execution_batch_size=rows, max_enqueued_batches=batches, timeout_s=timeout_s)


def test_a_batch_is_computed_when_it_is_full(scheduler: Scheduler) -> None:
    done, tasks = Recorder(), [task(), task(2), task()]
    for one in tasks:
        scheduler.submit("a", batching(4), done, one)
    assert all(one.wait(WAIT_S) for one in tasks)
    assert done.batches == [[1, 2, 1]]


def test_a_batch_is_computed_when_the_next_call_does_not_fit(scheduler: Scheduler) -> None:
    done, tasks = Recorder(), [task(), task(2), task(2)]
    for one in tasks:
        scheduler.submit("a", batching(4), done, one)
    assert tasks[0].wait(WAIT_S)
    assert done.batches == [[1, 2]]


def test_a_batch_is_computed_when_its_oldest_call_has_waited_long_enough(scheduler: Scheduler) -> None:
    done, alone = Recorder(), task()
    scheduler.submit("a", batching(4, timeout_s=0.05), done, alone)
    assert alone.wait(WAIT_S)


def test_a_full_queue_refuses_and_the_others_go_on(scheduler: Scheduler) -> None:
    done, small = Recorder(), batching(1, batches=2)
    done.go.clear()
    scheduler.submit("a", small, done, task())
    assert done.busy.wait(WAIT_S)  # that one is being computed and no longer in the queue
    for _ in range(2):
        scheduler.submit("a", small, done, task())
    with pytest.raises(tf.errors.UnavailableError, match="queue to which this task was submitted is full"):
        scheduler.submit("a", small, done, task())
    scheduler.submit("b", small, done, task())
    done.go.set()


def test_queues_take_turns(scheduler: Scheduler) -> None:
    done, order = Recorder(), []
    done.go.clear()
    scheduler.submit("first", batching(1), done, task())
    assert done.busy.wait(WAIT_S)
    last = task()
    for queue in ("a", "a", "a", "b", "b"):

        def process(tasks: list[Task], queue: str = queue) -> None:
            order.append(queue)
            done(tasks)

        scheduler.submit(queue, batching(1), process, task())
    scheduler.submit("c", batching(1), done, last)
    done.go.set()
    wait_until(lambda: len(order) == 5)
    assert order == ["a", "b", "a", "b", "a"]


def test_a_call_that_nobody_waits_for_frees_its_place(scheduler: Scheduler) -> None:
    done, small, left, stays = Recorder(), batching(2, batches=1), task(), task(2)
    scheduler.submit("a", small, done, left)
    with pytest.raises(tf.errors.UnavailableError):
        scheduler.submit("a", small, done, stays)
    scheduler.abandon(left, tf.errors.CancelledError(None, None, "gone"))
    assert left.wait(WAIT_S)
    assert isinstance(left.error, tf.errors.CancelledError)
    scheduler.submit("a", small, done, stays)
    assert stays.wait(WAIT_S)
    assert done.batches == [[2]]


def test_the_rows_of_a_call_that_nobody_waits_for_are_free_for_others(scheduler: Scheduler) -> None:
    done, left, stays, comes = Recorder(), task(), task(), task(2)
    scheduler.submit("a", batching(3), done, left)
    scheduler.submit("a", batching(3), done, stays)
    scheduler.abandon(left, tf.errors.CancelledError(None, None, "gone"))
    scheduler.submit("a", batching(3), done, comes)
    assert comes.wait(WAIT_S)
    assert done.batches == [[1, 2]]


def test_an_answered_call_cannot_be_abandoned(scheduler: Scheduler) -> None:
    done, one = Recorder(), task()
    scheduler.submit("a", batching(1), done, one)
    assert one.wait(WAIT_S)
    scheduler.abandon(one, tf.errors.CancelledError(None, None, "gone"))
    assert one.error is None


def test_an_empty_queue_leaves_nothing_behind(scheduler: Scheduler) -> None:
    class Key:
        pass

    key, done, one = Key(), Recorder(), task()
    seen = weakref.ref(key)
    scheduler.submit(key, batching(1), done, one)
    assert one.wait(WAIT_S)
    del key
    wait_until(lambda: gc.collect() >= 0 and seen() is None)


def test_a_draining_scheduler_lets_no_call_wait_for_company(scheduler: Scheduler) -> None:
    done, waits, comes = Recorder(), task(), task()
    scheduler.submit("a", batching(4), done, waits)
    scheduler.drain()
    assert waits.wait(WAIT_S)
    scheduler.submit("a", batching(4), done, comes)
    assert comes.wait(WAIT_S)


def test_a_stopping_scheduler_computes_what_waits_and_takes_no_more() -> None:
    made, done, waits = Scheduler(1, "batch"), Recorder(), task()
    made.submit("a", batching(4), done, waits)
    made.stop()
    assert waits.wait(0)
    with pytest.raises(tf.errors.UnavailableError):
        made.submit("a", batching(4), done, task())


def options(file: Path, text: str) -> Options:
    file.write_text(text)
    return Options(model_base_path="/m", enable_batching=True, batching_parameters_file=str(file))


def test_the_parameters_are_read_and_the_rest_is_tensorflow_servings_default(tmp_path: Path) -> None:
    text = "max_batch_size { value: 8 } batch_timeout_micros { value: 2500 } allowed_batch_sizes: [2, 8]"
    found = read_common(options(tmp_path / "b", text))
    assert found is not None
    assert (found.max_batch_size, found.timeout_s, list(found.allowed_batch_sizes)) == (8, 0.0025, [2, 8])
    assert (found.max_enqueued_batches, found.max_execution_batch_size) == (10, 8)
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
    common = Batching(num_batch_threads=3)
    assert read_per_model(tmp_path, common) is None
    (tmp_path / "batching_params.pbtxt").write_text("max_batch_size { value: 2 } num_batch_threads { value: 9 }")
    found = read_per_model(tmp_path, common)
    assert found is not None
    assert (found.max_batch_size, found.num_batch_threads) == (2, 3)


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

    def started(text: str) -> Client:
        file = tmp_path / "batching.config"
        file.write_text(text)
        context = asked(rows_path, "rows", enable_batching=True, batching_parameters_file=str(file))
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
