"""A proxy of the environment is not asked for servers on this machine."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from serving.security.connection import Connection
from zoo import loopback

NOBODY = "http://127.0.0.1:9"
PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "all_proxy")


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in PROXIES:
        monkeypatch.setenv(name, NOBODY)


@pytest.fixture
def port() -> Iterator[int]:
    """Of a gRPC server without services."""
    server = grpc.server(ThreadPoolExecutor(1))
    number = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield number
    server.stop(0)


@pytest.mark.usefixtures("proxied")
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "dns:///localhost"])
def test_a_gateway_of_this_machine_is_asked_without_the_proxy(port, host):
    with Connection().channel(f"{host}:{port}", ()) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/no/method")(b"", timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED  # it was reached


@pytest.mark.slow  # imports TensorFlow
@pytest.mark.usefixtures("proxied")
def test_model_servers_of_this_machine_are_asked_without_the_proxy(port):
    from serving.deploy.control import Control
    from serving.tfserving import ModelServer
    from zoo import errors

    server, control = ModelServer(f"localhost:{port}"), Control(f"localhost:{port}")
    assert server.available("any", timeout_s=10) == frozenset()
    with pytest.raises(errors.ModelNotReady, match="UNIMPLEMENTED"):
        control.versions("any")
    server.close()
    control.close()


@pytest.mark.parametrize(
    ("target", "local"),
    [
        ("localhost:1", True),
        ("[::1]:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:2", True),
        ("ipv4:127.0.0.1:1,10.0.0.1:2", False),
        ("dns:///gateway.example:1", False),
        ("gateway.example", False),
    ],
)
def test_a_target_is_local_if_every_address_of_it_is(target, local):
    assert loopback.is_loopback_target(target) is local


@pytest.mark.usefixtures("proxied")
def test_http_to_this_machine_goes_past_the_proxy_and_to_others_through_it(monkeypatch):
    monkeypatch.setenv("no_proxy", "inside.example")
    loopback.spare_from_proxies()
    assert all(urllib.request.proxy_bypass(host) for host in (*loopback.HOSTS, "inside.example"))
    assert not urllib.request.proxy_bypass("elsewhere.example")


def test_an_environment_without_a_proxy_stays_as_it_is(monkeypatch):
    for name in (*PROXIES, *(name.upper() for name in PROXIES), "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    loopback.spare_from_proxies()
    assert "no_proxy" not in os.environ
