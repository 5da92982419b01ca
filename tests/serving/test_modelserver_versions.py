"""Versions come, go, break and are chosen, while the embedded model server serves."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis.model_management_pb2 import ReloadConfigRequest
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from serving.modelserver.call import Call
from serving.modelserver.options import Options
from serving.modelserver.running import run_at_once
from serving.modelserver.scheduler import Arrays
from serving.modelserver.servables import Signature, load
from serving.modelserver.server import ModelServer, create_server
from serving.modelserver.warmup import warm_up
from tests.serving.model_server_client import WAIT_S, Client, predict_request, wait_until
from tests.serving.tiny_models import write_line
from zoo.errors import BadConfig

pytestmark = pytest.mark.slow

Start = Callable[..., Client]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Versions 1, 2 and 3, written once and copied where a test wants them."""
    folder = tmp_path_factory.mktemp("written")
    for version in (1, 2, 3):
        write_line(folder, version)
    return folder


@pytest.fixture
def base_path(tmp_path: Path) -> Path:
    folder = tmp_path / "line"
    folder.mkdir()
    return folder


@pytest.fixture
def add(written: Path, base_path: Path) -> Callable[[int], Path]:
    def copy(version: int) -> Path:
        hidden = shutil.copytree(written / str(version), base_path / f".{version}")
        return hidden.rename(base_path / str(version))

    return copy


@pytest.fixture
def start(base_path: Path) -> Iterator[Start]:
    running: list[ModelServer] = []

    def started(**options: object) -> Client:
        where = {} if "model_config_file" in options else {"model_name": "line", "model_base_path": str(base_path)}
        usual = {"file_system_poll_wait_seconds": 0.05, "max_num_load_retries": 0}
        server = create_server(Options(port=0, **{**usual, **where, **options}))
        running.append(server)
        server.start()
        return Client(f"localhost:{server.port}")

    yield started
    for server in running:
        server.stop(0)


def config(base_path: Path, policy: str = "", more: str = "") -> str:
    chosen = f"model_version_policy {{ {policy} }}" if policy else ""
    model = f'name: "line" base_path: "{base_path}" model_platform: "tensorflow" {chosen} {more}'
    return f"model_config_list {{ config {{ {model} }} }}"


def test_a_new_version_takes_over_without_a_failed_request(add, start) -> None:
    add(1)
    client, seen, stop = start(), [], threading.Event()
    wait_until(lambda: client.states() == {1: "AVAILABLE"})

    def ask() -> None:
        while not stop.is_set():
            seen.append(client.answering_version())  # an error ends the thread short of version 2

    thread = threading.Thread(target=ask)
    thread.start()
    add(2)
    wait_until(lambda: client.states() == {2: "AVAILABLE", 1: "END"})
    wait_until(lambda: not thread.is_alive() or seen[-1:] == [2])
    stop.set()
    thread.join()
    assert seen == sorted(seen)
    assert set(seen) == {1, 2}


def test_a_broken_version_leaves_the_old_one_serving_and_says_why(add, start, base_path: Path) -> None:
    add(1)
    client = start()
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    (base_path / "2").mkdir()
    (base_path / "2" / "saved_model.pb").write_bytes(b"no protobuf")
    wait_until(lambda: client.states() == {2: "END", 1: "AVAILABLE"})
    status = client.status()[0].status
    assert status.error_code != 0
    assert status.error_message
    assert client.answering_version() == 1


def test_a_broken_version_is_tried_again_once_it_is_mended(add, start, written: Path, base_path: Path) -> None:
    broken = add(1)
    shutil.rmtree(broken / "variables")
    client = start()
    wait_until(lambda: client.states() == {1: "END"})
    shutil.copytree(written / "1" / "variables", broken / "variables")
    wait_until(lambda: client.states() == {1: "AVAILABLE"})


def test_a_version_that_fails_is_tried_again_and_says_why_meanwhile(add, start, written: Path, base_path: Path) -> None:
    broken = add(1)
    shutil.rmtree(broken / "variables")
    client = start(max_num_load_retries=5, load_retry_interval_micros=100_000)
    wait_until(lambda: bool(client.status()[0].status.error_message) if client.states() else False)
    assert client.states() == {1: "LOADING"}
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    wait_until(lambda: client.states() == {1: "END"})


def test_a_change_on_disk_is_not_kept_waiting_for_the_next_try(add, start, written: Path, base_path: Path) -> None:
    broken = add(1)
    shutil.rmtree(broken / "variables")
    client = start(max_num_load_retries=1, load_retry_interval_micros=3_600_000_000)
    wait_until(lambda: bool(client.status()[0].status.error_message) if client.states() else False)
    shutil.copytree(written / "1" / "variables", broken / "variables")
    wait_until(lambda: client.states() == {1: "AVAILABLE"})


def test_a_version_that_is_no_longer_wanted_is_given_up(add, start, base_path: Path) -> None:
    add(1)
    (base_path / "2").mkdir()
    (base_path / "2" / "saved_model.pb").write_bytes(b"no protobuf")
    client = start(max_num_load_retries=1, load_retry_interval_micros=3_600_000_000)
    wait_until(lambda: client.states() == {2: "LOADING"})
    shutil.rmtree(base_path / "2")
    wait_until(lambda: client.states() == {2: "END", 1: "AVAILABLE"})


def test_a_broken_model_does_not_hold_up_another(add, start, base_path: Path) -> None:
    add(1)
    broken = base_path.parent / "broken"
    (broken / "1").mkdir(parents=True)
    (broken / "1" / "saved_model.pb").write_bytes(b"no protobuf")
    models = [
        f'config {{ name: "{path.name}" base_path: "{path}" model_platform: "tensorflow" }}'
        for path in (broken, base_path)
    ]
    file = base_path.parent / "models.config"
    file.write_text(f"model_config_list {{ {' '.join(models)} }}")
    client = start(
        model_config_file=str(file),
        max_num_load_retries=9,
        load_retry_interval_micros=3_600_000_000,
        num_load_threads=1,
    )
    wait_until(lambda: client.states() == {1: "AVAILABLE"})


def test_a_call_under_way_is_answered_by_the_version_it_reached(add, start, tmp_path: Path) -> None:
    add(1)
    batching = tmp_path / "batching.config"
    batching.write_text("max_batch_size { value: 2 } batch_timeout_micros { value: 5000000 }")
    client = start(enable_batching=True, batching_parameters_file=str(batching))
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    waiting = client.prediction.Predict.future(predict_request(), timeout=WAIT_S)
    add(2)
    wait_until(lambda: client.states() == {2: "AVAILABLE", 1: "END"})
    assert waiting.result().model_spec.version.value == 1


def test_a_half_written_version_is_left_alone_until_it_is_whole(add, start, base_path: Path) -> None:
    add(1)
    whole = add(2) / "saved_model.pb"
    whole.rename(whole.with_suffix(".part"))
    client = start()
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    whole.with_suffix(".part").rename(whole)
    wait_until(lambda: client.states() == {2: "AVAILABLE", 1: "END"})


def test_a_removed_version_is_unloaded(add, start, base_path: Path) -> None:
    add(1)
    add(2)
    client = start()
    wait_until(lambda: client.states() == {2: "AVAILABLE"})
    shutil.rmtree(base_path / "2")
    wait_until(lambda: client.states() == {2: "END", 1: "AVAILABLE"})
    shutil.rmtree(base_path / "1")
    wait_until(lambda: client.states() == {2: "END", 1: "END"})
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_a_missing_base_path_is_waited_for(add, start, base_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base_path.rmdir()
    client = start()
    wait_until(lambda: "Could not find base path" in caplog.text)
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request())
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    base_path.mkdir()
    add(1)
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    assert caplog.text.count("Could not find base path") == 1


def test_folders_that_are_no_numbers_are_no_versions(add, start, base_path: Path) -> None:
    add(1)
    for name in ("latest", "1.bak", "-4", "9" * 30):
        shutil.copytree(base_path / "1", base_path / name)
    client = start()
    wait_until(lambda: client.states() == {1: "AVAILABLE"})


@pytest.mark.parametrize(
    ("policy", "versions"),
    [
        ("", {3}),
        ("latest { num_versions: 2 }", {3, 2}),
        ("all {}", {3, 2, 1}),
        ("specific { versions: 1 versions: 3 versions: 8 }", {3, 1}),
    ],
)
def test_the_policy_chooses_the_versions(add, start, base_path: Path, policy: str, versions: set[int]) -> None:
    for version in (1, 2, 3):
        add(version)
    file = base_path.parent / "models.config"
    file.write_text(config(base_path, policy))
    client = start(model_config_file=str(file))
    wait_until(lambda: client.states() == dict.fromkeys(versions, "AVAILABLE"))
    assert client.answering_version() == 3


def test_labels_point_at_versions_and_move_only_to_what_serves(add, start, base_path: Path) -> None:
    add(1)
    add(2)
    label = 'version_labels {{ key: "stable" value: {} }}'
    file = base_path.parent / "models.config"
    file.write_text(config(base_path, "all {}", label.format(1)))
    client = start(model_config_file=str(file), allow_version_labels_for_unavailable_models=True)
    wait_until(lambda: client.states() == {2: "AVAILABLE", 1: "AVAILABLE"})

    def reload(version: int) -> int:
        wanted = text_format.Parse(config(base_path, "all {}", label.format(version)), ModelServerConfig())
        client.model.HandleReloadConfigRequest(ReloadConfigRequest(config=wanted), timeout=WAIT_S)
        request = predict_request()
        request.model_spec.version_label = "stable"
        return client.predict(request).model_spec.version.value

    assert [reload(1), reload(2)] == [1, 2]
    with pytest.raises(grpc.RpcError) as caught:
        reload(7)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert "Request to assign label to version 7 of model line" in caught.value.details()


def test_a_changed_configuration_file_is_followed(add, start, base_path: Path) -> None:
    add(1)
    add(2)
    file = base_path.parent / "models.config"
    file.write_text(config(base_path, "specific { versions: 1 }"))
    client = start(model_config_file=str(file), model_config_file_poll_wait_seconds=0.05)
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    file.write_text(config(base_path, "specific { versions: 2 }"))
    wait_until(lambda: client.states() == {2: "AVAILABLE", 1: "END"})


def test_a_reload_serves_what_it_lists_and_nothing_else(add, start, base_path: Path) -> None:
    add(1)
    client = start()
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
    renamed = text_format.Parse(config(base_path).replace('"line"', '"straight"', 1), ModelServerConfig())
    answer = client.model.HandleReloadConfigRequest(ReloadConfigRequest(config=renamed), timeout=WAIT_S)
    assert (answer.HasField("status"), answer.status.error_code) == (True, 0)
    assert client.answering_version("straight") == 1
    assert client.states() == {1: "END"}


def test_an_empty_configuration_file_is_one_to_be_filled_later(add, start, base_path: Path) -> None:
    add(1)
    file = base_path.parent / "models.config"
    file.touch()
    client = start(model_config_file=str(file), model_config_file_poll_wait_seconds=0.05)
    with pytest.raises(grpc.RpcError) as caught:
        client.predict(predict_request())
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    file.write_text(config(base_path))
    wait_until(lambda: client.states() == {1: "AVAILABLE"})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('model_config_list { config { name: "a" base_path: "/a" } }', "neither ModelServerConfig::model_type"),
        ('model_config_list { config { name: "a" base_path: "a" } }', "to have an absolute path or URI"),
        (config(Path("/a"), more="logging_config {}"), "No request-logger-creator provided"),
        ("model_config_list { config { nmae: 1 } }", 'no field named "nmae"'),
        (config(Path("/a"), more='version_labels { key: "stable" value: 1 }'), "Request to assign label to version 1"),
    ],
)
def test_a_configuration_that_cannot_be_served_is_refused(start, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "models.config"
    file.write_text(text)
    with pytest.raises(BadConfig, match=words):
        start(model_config_file=str(file))


def warm_up_record(**inputs: object) -> PredictionLog:
    record = PredictionLog()
    record.predict_log.request.CopyFrom(predict_request(**inputs))
    return record


def test_a_failing_warm_up_record_stops_the_version(start, base_path: Path) -> None:
    write_line(base_path, 1, warm_up_with=[warm_up_record()])
    write_line(base_path, 2, warm_up_with=[warm_up_record(), warm_up_record(x=[[1.0]])])
    client = start()
    wait_until(lambda: client.states() == {2: "END"})
    assert "the signature expects [?,3]" in client.status()[0].status.error_message
    shutil.rmtree(base_path / "2")
    wait_until(lambda: client.states() == {2: "END", 1: "AVAILABLE"})


def test_a_warm_up_beside_calls_rests_between_its_records(base_path: Path) -> None:
    folder = write_line(base_path, 1, warm_up_with=[warm_up_record(), warm_up_record()])
    servable, moments = load("line", 1, folder), []

    def slow(signature: Signature, inputs: Arrays, names: Sequence[str], call: Call) -> Arrays:
        moments.append(time.monotonic())
        time.sleep(0.05)
        return run_at_once(signature, inputs, names, call)

    assert warm_up(servable, slow, folder, rest=3.0) == 2
    assert moments[1] - moments[0] >= 4 * 0.05


def test_without_warm_up_the_records_are_not_run(start, base_path: Path) -> None:
    write_line(base_path, 1, warm_up_with=[warm_up_record(x=[[1.0]])])
    client = start(enable_model_warmup=False)
    wait_until(lambda: client.states() == {1: "AVAILABLE"})
