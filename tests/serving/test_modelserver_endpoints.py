"""TLS, channel arguments, health and the flags that are refused."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc
from tensorflow_serving.apis.get_model_status_pb2 import GetModelStatusRequest

from serving.modelserver.endpoints import channel_options, credentials
from serving.modelserver.options import REFUSED, Options
from serving.modelserver.server import ModelServer
from serving.proto.modelserver.files_pb2 import SSLConfig
from tests.serving.model_server_client import WAIT_S
from tests.serving.model_servers import running
from tests.serving.tiny_models import write_line
from zoo.errors import BadConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    write_line(folder, 1)
    return folder


def certificate(folder: Path, name: str) -> tuple[str, str]:
    """Key and certificate for localhost, signed by itself, as PEM."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    what = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", *what, *names], check=True, capture_output=True, timeout=WAIT_S)
    return key.read_text(), cert.read_text()


def ssl_config(folder: Path, **fields: str | bool) -> str:
    file = folder / "ssl.config"
    file.write_text(text_format.MessageToString(SSLConfig(**fields)))
    return str(file)


def status_code(server: ModelServer, channel_credentials: grpc.ChannelCredentials | None) -> grpc.StatusCode:
    address = f"localhost:{server.port}"
    channel = (
        grpc.secure_channel(address, channel_credentials) if channel_credentials else grpc.insecure_channel(address)
    )
    request = GetModelStatusRequest()
    request.model_spec.name = "line"
    with channel:
        try:
            model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=WAIT_S)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def trusting(root: str, key: str | None = None, cert: str | None = None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(root.encode(), key.encode() if key else None, cert.encode() if cert else None)


@pytest.mark.slow
def test_with_a_certificate_only_tls_is_spoken(line: Path, tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, "server")
    with running(line, ssl_config_file=ssl_config(tmp_path, server_key=key, server_cert=cert)) as server:
        assert status_code(server, trusting(cert)) is grpc.StatusCode.OK
        assert status_code(server, None) is grpc.StatusCode.UNAVAILABLE


@pytest.mark.slow
def test_a_client_without_a_certificate_is_turned_away_where_one_is_asked_for(line: Path, tmp_path: Path) -> None:
    key, cert = certificate(tmp_path, "server")
    client_key, client_cert = certificate(tmp_path, "client")
    file = ssl_config(tmp_path, server_key=key, server_cert=cert, custom_ca=client_cert, client_verify=True)
    with running(line, ssl_config_file=file) as server:
        assert status_code(server, trusting(cert)) is grpc.StatusCode.UNAVAILABLE
        assert status_code(server, trusting(cert, client_key, client_cert)) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"server_key": "/etc/key.pem", "server_cert": "-----BEGIN"}, "server_key is no PEM text"),
        (
            {"server_key": "-----BEGIN", "server_cert": "-----BEGIN", "client_verify": True},
            "client_verify needs custom_ca",
        ),
    ],
)
def test_a_tls_configuration_that_cannot_work_is_refused(tmp_path: Path, fields: dict, words: str) -> None:
    with pytest.raises(BadConfig, match=words):
        credentials(Options(model_base_path="/m", ssl_config_file=ssl_config(tmp_path, **fields)))


def test_channel_arguments_are_numbers_or_words() -> None:
    found = dict(channel_options("grpc.max_connection_age_ms=2000,grpc.primary_user_agent=me,"))
    assert (found["grpc.max_connection_age_ms"], found["grpc.primary_user_agent"]) == (2000, "me")
    assert found["grpc.max_receive_message_length"] == -1
    with pytest.raises(BadConfig, match="expected name=value"):
        channel_options("grpc.max_connection_age_ms")


@pytest.mark.slow
def test_channel_arguments_reach_grpc(line: Path) -> None:
    with running(line, grpc_channel_arguments="grpc.max_receive_message_length=10") as server:
        request = GetModelStatusRequest()
        request.model_spec.name = "l" * 100
        channel = grpc.insecure_channel(f"localhost:{server.port}")
        with channel, pytest.raises(grpc.RpcError) as caught:
            model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.slow
def test_health_is_not_served_where_it_is_not_wanted(line: Path) -> None:
    with running(line, enable_grpc_healthcheck_service=False) as server:
        channel = grpc.insecure_channel(f"localhost:{server.port}")
        with channel, pytest.raises(grpc.RpcError) as caught:
            health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def serve(*flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kerascope", "serve", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT_S, check=False)


@pytest.mark.parametrize("flag", ["--enable_profiler=true", "--saved_model_tags"])
def test_a_flag_of_tensorflow_serving_that_is_not_honoured_is_refused_by_name(flag: str) -> None:
    done, name = serve(flag, "--model_base_path=/m"), flag[2:].partition("=")[0]
    assert done.returncode == 1
    assert done.stderr.startswith(f"kerascope: {flag.partition('=')[0]} is TensorFlow Serving's; the embedded server")
    assert REFUSED[name] in done.stderr


def test_flags_are_true_or_false_as_tensorflow_serving_spells_them() -> None:
    done = serve("--enable_batching=true", "--enable_model_warmup=false", "--port=-1", "--model_base_path=/m")
    assert (done.returncode, done.stderr) == (1, "kerascope: port is -1; it must be from 0 (any free port) to 65535.\n")
    assert serve("--enable_batching=maybe").returncode == 2


def test_a_flag_is_honoured_or_refused_and_not_both() -> None:
    assert not REFUSED.keys() & Options.__dataclass_fields__.keys()


def test_the_version_is_told() -> None:
    assert serve("--version").stdout.startswith("TensorFlow ModelServer: kerascope ")
