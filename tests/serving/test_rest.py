"""The REST API and the page for Prometheus, as an HTTP client sees them."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from benchmarks.processes import free_port
from serving.modelserver.options import Options
from serving.modelserver.rest import server as rest_server
from serving.modelserver.server import create_server
from tests.serving.model_server_client import WAIT_S, Client, predict_request
from tests.serving.model_servers import running
from tests.serving.tiny_models import write_judge, write_line, write_rows
from zoo.errors import BadConfig

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Client]]:
    """Line, Rows and Judge behind one server; its REST address and a client of its gRPC."""
    folder = tmp_path_factory.mktemp("served")
    for name, write in (("line", lambda path: write_line(path, 3)), ("rows", write_rows), ("judge", write_judge)):
        (folder / name).mkdir()
        write(folder / name)
    models = [
        f'config {{ name: "{name}" base_path: "{folder / name}" model_platform: "tensorflow" }}'
        for name in ("rows", "judge")
    ]
    line = f'name: "line" base_path: "{folder / "line"}" model_platform: "tensorflow"'
    models.append(f'config {{ {line} version_labels {{ key: "stable" value: 3 }} }}')
    (folder / "models").write_text(f"model_config_list {{ {' '.join(models)} }}")
    (folder / "monitoring").write_text('prometheus_config { enable: true path: "/metrics" }')
    port = free_port()
    flags = {
        "model_config_file": str(folder / "models"),
        "monitoring_config_file": str(folder / "monitoring"),
        "allow_version_labels_for_unavailable_models": True,
        "rest_api_enable_cors_support": True,
        "rest_api_port": port,
    }
    with running(folder, **flags) as server:
        yield f"http://localhost:{port}", Client(f"localhost:{server.port}")


@pytest.fixture(scope="module")
def url(served: tuple[str, Client]) -> str:
    return served[0]


def post(url: str, path: str, body: object) -> tuple[int, dict]:
    reply = requests.post(url + path, json.dumps(body).encode(), timeout=WAIT_S)
    assert reply.headers["Content-Type"] == "application/json"
    return reply.status_code, reply.json()


@pytest.mark.parametrize("model", ["line", "line/versions/3", "line/labels/stable"])
def test_predict_answers_in_row_form(url: str, model: str) -> None:
    # y = 2 x + version = 2 * [1, 2, 3] + 3 = [5, 7, 9]; their total is 21.
    status, answer = post(url, f"/v1/models/{model}:predict", {"instances": [[1.0, 2.0, 3.0]]})
    assert (status, answer) == (200, {"predictions": [{"total": 21.0, "y": [5.0, 7.0, 9.0]}]})


def test_predict_answers_in_column_form_with_another_signature(url: str) -> None:
    body = {"signature_name": "names", "inputs": ["Ada", {"b64": "R3JhY2U="}]}
    assert post(url, "/v1/models/line:predict", body) == (200, {"outputs": ["hello Ada", "hello Grace"]})


def test_numbers_that_are_none_are_written_as_such(url: str) -> None:
    reply = requests.post(f"{url}/v1/models/rows:predict", '{"inputs": [[NaN], [Infinity], [-1e999]]}', timeout=WAIT_S)
    assert '"sums": [NaN, Infinity, -Infinity]' in reply.text


def test_classify_and_regress_read_examples(url: str) -> None:
    examples = [{"x": 1.0}, {"x": 7.0}]
    answer = {"results": [[["small", 9.0], ["large", 1.0]], [["small", 3.0], ["large", 7.0]]]}
    assert post(url, "/v1/models/judge:classify", {"signature_name": "classify", "examples": examples}) == (200, answer)
    body = {"signature_name": "regress", "context": {"x": 0.05}, "examples": [{}]}
    assert post(url, "/v1/models/judge:regress", body) == (200, {"results": [0.1]})


@pytest.mark.parametrize("path", ["/v1/models/line", "/v1/models/line/versions/3", "/v1/models/line/labels/stable"])
def test_status_is_told(url: str, path: str) -> None:
    state = {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    assert requests.get(url + path, timeout=WAIT_S).json() == {"model_version_status": [state]}


def test_metadata_is_told(url: str) -> None:
    answer = requests.get(f"{url}/v1/models/line/metadata", timeout=WAIT_S).json()
    assert answer["model_spec"] == {"name": "line", "signature_name": "", "version": "3"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in signature["inputs"]["x"]["tensor_shape"]["dim"]] == ["-1", "3"]


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/models/curve:predict", {"inputs": []}, 404, "Servable not found for request: Latest(curve)"),
        (
            "/v1/models/line/versions/9:predict",
            {"inputs": []},
            404,
            "Servable not found for request: Specific(line, 9)",
        ),
        ("/v1/models/line/labels/no:predict", {"inputs": []}, 400, "Unrecognized servable version label: no"),
        (
            "/v1/models/line:predict",
            {"signature_name": "no", "inputs": []},
            400,
            'Serving signature name: "no" not found in signature def',
        ),
        ("/v1/models/line:predict", {"instances": [[1, 2]]}, 400, "has shape [1,2]; the signature expects [?,3]"),
        ("/v1/models/line:predict", {}, 400, "Missing 'inputs' or 'instances' key"),
        ("/v1/models/line:classify", {"examples": [{}]}, 400, "No classification inputs found in SignatureDef"),
        ("/v1/models/line:ask", {}, 400, "Malformed request: POST /v1/models/line:ask"),
        ("/v1/models/line:PREDICT", {}, 400, "Malformed request: POST /v1/models/line:PREDICT"),
        ("/v2/models/line", {}, 404, "Not found: POST /v2/models/line"),
        ("/v1/models/line/versions/99999999999999999999:predict", {}, 400, "Failed to convert version"),
    ],
)
def test_a_mistake_is_told_in_json_with_its_code(url: str, path: str, body: object, status: int, words: str) -> None:
    found, answer = post(url, path, body)
    assert (found, list(answer), words in answer["error"]) == (status, ["error"], True), answer


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_other_methods_are_refused_and_the_connection_goes_on(url: str, method: str) -> None:
    with requests.Session() as session:
        reply = session.request(method, f"{url}/v1/models/line:predict", json={"inputs": []}, timeout=WAIT_S)
        error = {"error": f"Malformed request: {method} /v1/models/line:predict"}
        assert (reply.status_code, reply.text) == (400, "" if method == "HEAD" else json.dumps(error))
        assert "Connection" not in reply.headers
        assert session.get(f"{url}/v1/models/line", timeout=WAIT_S).ok


def test_a_look_with_a_body_leaves_the_next_question_alone(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)
    kept = set()
    for method, path in [("GET", "/v1/models/line"), ("HEAD", "/metrics"), ("OPTIONS", "/v1"), ("GET", "/metrics")]:
        connection.request(method, path, b"GET / HTTP/1.1\r\n\r\n")
        kept.add(connection.sock.getsockname())
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 200, (method, path)
    assert len(kept) == 1


def test_a_graphs_failure_is_told_without_its_stack(url: str) -> None:
    answer = post(url, "/v1/models/line:predict", {"signature_name": "picky", "inputs": ["seven"]})
    assert answer == (400, {"error": "StringToNumberOp could not correctly convert string: seven"})


def test_a_connection_is_used_again_for_bodies_in_chunks_and_gzip(url: str) -> None:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)
    body = b'{"instances": [[1, 2, 3]]}'
    sent = [
        {"body": body},
        {"body": iter([body[:5], body[5:]]), "encode_chunked": True, "headers": {"Transfer-Encoding": "chunked"}},
        {"body": gzip.compress(body), "headers": {"Content-Encoding": "gzip"}},
    ]
    seen = set()
    for question in sent:
        connection.request("POST", "/v1/models/line:predict", **question)
        seen.add(connection.sock.getsockname())
        assert json.loads(connection.getresponse().read())["predictions"][0]["total"] == 21.0
    assert len(seen) == 1


def test_a_client_that_asks_before_it_sends_is_told_to_go_on(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    body = b'{"instances": [[1, 2, 3]]}'
    head = f"POST /v1/models/line:predict HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: {len(body)}"
    with socket.create_connection((host, int(port)), WAIT_S) as asking, asking.makefile("rb") as told:
        asking.sendall(f"{head}\r\n\r\n".encode())
        assert told.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert told.readline() == b"\r\n"
        asking.sendall(body)
        assert told.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_client_still_sending_a_body_that_is_refused_reads_why(url: str) -> None:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), WAIT_S) as asking, asking.makefile("rb") as told:
        asking.sendall(b"POST /v1/models/line:predict HTTP/1.1\r\nHost: h\r\nContent-Length: many\r\n\r\n")
        for _ in range(40):
            asking.sendall(b" " * (1 << 16))
        assert told.readline() == b"HTTP/1.1 400 Bad Request\r\n"
        assert b"Connection: close\r\n" in told.readlines()


def test_a_body_that_is_too_large_is_refused_unread(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rest_server, "LARGEST_BODY", 1000)
    for headers, body in [({}, b" " * 1001), ({"Content-Encoding": "gzip"}, gzip.compress(b" " * 1001))]:
        reply = requests.post(f"{url}/v1/models/line:predict", body, headers=headers, timeout=WAIT_S)
        assert (reply.status_code, list(reply.json())) == (413, ["error"])


def test_many_clients_each_get_their_own_answer(url: str) -> None:
    def ask(number: int) -> float:
        return post(url, "/v1/models/line:predict", {"instances": [[number] * 3]})[1]["predictions"][0]["y"][0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(60))) == [2 * number + 3 for number in range(60)]


def test_pages_from_elsewhere_may_ask_where_that_is_allowed(url: str) -> None:
    assert (
        requests.options(f"{url}/v1/models/line:predict", timeout=WAIT_S).headers["Access-Control-Allow-Origin"] == "*"
    )


def test_prometheus_reads_what_tensorflow_serving_tells_it(served: tuple[str, Client]) -> None:
    url, client = served

    def number(line: str) -> float:
        lines = requests.get(f"{url}/metrics", timeout=WAIT_S).text.splitlines()
        return float(next((found.rpartition(" ")[2] for found in lines if found.startswith(line)), 0))

    names = [
        ':tensorflow:serving:request_count{model_name="rows",status="OK"}',
        ':tensorflow:serving:request_count{model_name="rows",status="INVALID_ARGUMENT"}',
        ':tensorflow:serving:request_latency_count{model_name="rows",API="Predict",entrypoint="GRPC"}',
        ':tensorflow:serving:request_latency_bucket{model_name="rows",API="predict",entrypoint="REST",le="+Inf"}',
        ':tensorflow:serving:runtime_latency_count{model_name="rows",API="Predict",runtime="TF1"}',
    ]
    before = [number(name) for name in names]
    client.predict(predict_request("rows", x=[[1.0]]))
    post(url, "/v1/models/rows:predict", {"inputs": [[1.0]]})
    post(url, "/v1/models/rows:predict", {"inputs": ["a"]})
    post(url, "/v1/models/nobody:predict", {"inputs": ["a"]})
    assert [number(name) - then for name, then in zip(names, before, strict=True)] == [2, 1, 1, 1, 2]
    page = requests.get(f"{url}/metrics", timeout=WAIT_S)
    assert page.headers["Content-Type"] == "text/plain"
    assert "# TYPE :tensorflow:serving:request_latency histogram" in page.text
    assert "nobody" not in page.text


def test_a_call_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    write_rows(tmp_path)
    (tmp_path / "batching").write_text("max_batch_size { value: 2 } batch_timeout_micros { value: 3600000000 }")
    port = free_port()
    flags = {"enable_batching": True, "batching_parameters_file": str(tmp_path / "batching"), "rest_api_port": port}
    with running(tmp_path, "rows", rest_api_timeout_in_ms=300, **flags):
        status, answer = post(f"http://localhost:{port}", "/v1/models/rows:predict", {"inputs": [[1.0]]})
        assert (status, list(answer)) == (504, ["error"])


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("0.0.0.0", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(BadConfig, match=f"The REST API cannot listen on 0.0.0.0:{port}"):
            create_server(Options(port=0, rest_api_port=port, model_base_path=str(tmp_path)))
