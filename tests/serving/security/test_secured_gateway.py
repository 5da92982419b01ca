"""A gateway with TLS and tokens, and who is answered: real certificates, real calls."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import jwt
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from serving.audit.trail import read, verify
from serving.client import Client, Decision
from serving.proto.kerascope.v1 import inference_pb2, inference_pb2_grpc
from serving.security.roles import Role
from serving.security.tokens import make
from serving.server import Gateway, create_server
from serving.settings import Settings
from serving.store.store import Store
from tests.serving.security.authority import Authority
from tests.serving.security.site import SECRET, Site
from tests.serving.store import answers
from zoo import errors


@pytest.fixture(scope="module")
def gateway(site: Site) -> Gateway:
    return site.start()


def test_a_caller_with_a_token_is_answered_over_tls(site, gateway):
    with site.client(gateway) as client:
        assert client.models() == []


def test_a_caller_without_tls_reaches_nobody(gateway):
    with (
        Client(gateway.address, connect_timeout_s=0.5) as client,
        pytest.raises(errors.ModelNotReady, match="KERASCOPE_TLS_CA"),
    ):
        client.models()


def test_a_gateway_signed_by_another_authority_is_not_believed(site, gateway, tmp_path):
    other = Authority(tmp_path, "other")
    with (
        site.client(gateway, tls_ca=other.certificate, connect_timeout_s=0.5) as client,
        pytest.raises(errors.ModelNotReady, match="signed by"),
    ):
        client.models()


@pytest.fixture(scope="module")
def mutual(site: Site) -> Gateway:
    return site.start(tls_client_ca=site.authority.certificate)


def test_where_certificates_are_asked_for_one_of_the_authority_lets_in(site, mutual, tmp_path):
    certificate, key = site.authority.sign("node")
    with site.client(mutual, tls_certificate=certificate, tls_key=key) as client:
        assert client.models() == []
    with (
        site.client(mutual, connect_timeout_s=0.5) as client,
        pytest.raises(errors.ModelNotReady, match="Does it ask for yours"),
    ):
        client.models()
    stranger, its_key = Authority(tmp_path, "stranger").sign("burglar")
    with (
        site.client(mutual, tls_certificate=stranger, tls_key=its_key, connect_timeout_s=0.5) as client,
        pytest.raises(errors.ModelNotReady),
    ):
        client.models()


def claims(**changed: object) -> dict[str, object]:
    return {"sub": "anne", "role": "clinician", "exp": time.time() + 60} | changed


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "brought no token"),
        (jwt.encode(claims(exp=time.time() - 60), SECRET, algorithm="HS256"), "expired"),
        (jwt.encode(claims(), "x" * 32, algorithm="HS256"), "not valid"),
        (jwt.encode(claims(), None, algorithm="none"), "not valid"),
        (make(SECRET, subject="anne", role=Role.ADMIN, hours=1)[:-4] + "AAAA", "not valid"),
    ],
    ids=["none", "expired", "of-another-secret", "alg-none", "tampered"],
)
def test_a_caller_without_a_valid_token_is_unauthenticated(site, gateway, token, said):
    with site.client(gateway, token=token) as client:
        for ask in (
            client.models,
            client.studies,
            lambda: client.analyze(b"", model="x"),
            lambda: next(client.watch()),
        ):
            with pytest.raises(errors.Unauthenticated, match=said):
                ask()


def test_the_statuses_are_those_of_grpc(site, gateway):
    with site.channel(gateway) as channel:
        stub = inference_pb2_grpc.InferenceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListModels(inference_pb2.ListModelsRequest(), timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        engineer = make(SECRET, subject="eve", role=Role.ENGINEER, hours=1)
        bearer = (("authorization", f"Bearer {engineer}"),)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ListStudies(inference_pb2.ListStudiesRequest(), timeout=5, metadata=bearer)
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("role", Role)
def test_a_role_may_call_what_the_table_says_and_no_more(site, gateway, role):
    with site.client(gateway, role) as client:
        assert client.models() == []
        with pytest.raises(errors.Forbidden if role is Role.ENGINEER else errors.BadConfig):  # it has no store
            client.studies()
        with pytest.raises(errors.Forbidden if role is Role.ENGINEER else errors.BadConfig):
            next(client.watch())


def test_a_tokens_file_is_read_anew_at_each_call(site, gateway, tmp_path):
    file = tmp_path / "token"
    file.write_text(jwt.encode(claims(exp=time.time() - 60), SECRET, algorithm="HS256"))
    with site.client(gateway, token=file) as client:
        with pytest.raises(errors.Unauthenticated):
            client.models()
        file.write_text(make(SECRET, subject="anne", role=Role.SYSTEM, hours=1) + "\n")
        assert client.models() == []
        file.unlink()
        with pytest.raises(errors.BadConfig, match="cannot be read"):
            client.models()


def test_the_environment_does_what_the_arguments_do(site, gateway, tmp_path, monkeypatch):
    (tmp_path / "token").write_text(make(SECRET, subject="anne", role=Role.SYSTEM, hours=1))
    monkeypatch.setenv("KERASCOPE_TLS_CA", str(site.authority.certificate))
    monkeypatch.setenv("KERASCOPE_TOKEN_FILE", str(tmp_path / "token"))
    with Client(gateway.address) as client:
        assert client.models() == []
    monkeypatch.delenv("KERASCOPE_TOKEN_FILE")
    monkeypatch.setenv("KERASCOPE_TOKEN", (tmp_path / "token").read_text())
    with Client(gateway.address) as client:
        assert client.models() == []


def test_a_token_is_never_sent_without_tls(gateway):
    with pytest.raises(errors.BadConfig, match="travel for all to read"):
        Client(gateway.address, token="abc")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"tls_ca": Path("nowhere.crt")}, "cannot be read"),
        ({"tls_certificate": Path("mine.crt")}, "go together"),
        ({"tls_ca": Path(__file__)}, "no certificate"),
    ],
)
def test_a_clients_file_that_will_not_do_is_said_so(site, gateway, arguments, said):
    with pytest.raises(errors.BadConfig, match=said):
        site.client(gateway, **arguments)


def test_health_is_open_and_reflection_for_engineers(site, gateway):
    with site.client(gateway, None) as nobody:
        assert nobody.ready("")
    with site.channel(gateway) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert health.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.RpcError) as caught:
            ProtoReflectionDescriptorDatabase(channel).get_services()
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    for role, allowed in ((Role.ENGINEER, True), (Role.ADMIN, True), (Role.CLINICIAN, False), (Role.SYSTEM, False)):
        assert reflects(site, gateway, role) is allowed


def reflects(site: Site, gateway: Gateway, role: Role) -> bool:
    token = grpc.access_token_call_credentials(make(SECRET, subject="anne", role=role, hours=1))
    trusted = grpc.ssl_channel_credentials(site.authority.certificate.read_bytes())
    with grpc.secure_channel(gateway.address, grpc.composite_channel_credentials(trusted, token)) as channel:
        try:
            return "kerascope.v1.Inference" in ProtoReflectionDescriptorDatabase(channel).get_services()
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.PERMISSION_DENIED:
                raise
            return False


def test_the_audit_trail_knows_callers_by_their_tokens(site):
    trail = site.folder / "audit.jsonl"
    gateway = site.start(audit=trail, store=f"sqlite:///{site.folder / 'store.db'}")
    with site.client(gateway, user="somebody-else") as client:
        client.studies()
    with site.client(gateway, Role.ENGINEER) as client, pytest.raises(errors.Forbidden):
        client.studies()
    with site.client(gateway, None) as client, pytest.raises(errors.Unauthenticated):
        client.studies()
    told = [(each["user"], each["action"], each["subject"], each["outcome"]) for each in read(trail)]
    assert told == [("anne", "list", "", "success"), ("anne", "deny", "method:ListStudies", "failed:Forbidden")]
    verify(trail)


@pytest.mark.parametrize(
    ("claimed", "named", "kept"),
    [
        ({}, "anne", "anne"),
        ({}, "", "anne"),
        ({}, "Dr Bea", "Dr Bea (sent by anne)"),
        ({"name": "Anne Reader"}, "Anne Reader", "Anne Reader"),
    ],
)
def test_a_reviews_author_is_told_with_who_sent_it(site, tmp_path, claimed, named, kept):
    url = f"sqlite:///{tmp_path}/store.db"
    name = Store(url).analyses.save(answers.analysis(), answers.header()).analysis_id
    token = jwt.encode(claims(**claimed), SECRET, "HS256")
    with site.client(site.start(store=url), token=token) as client:
        said = client.review(name, Decision.REJECT, user=named, finding="nodule")
        assert said.user == kept
        assert [review.user for review in client.analysis(name).reviews] == [kept]


def test_one_client_that_asks_too_often_is_told_when_to_ask_again(site):
    gateway = site.start(requests_per_minute=1.0, burst=2)
    with site.client(gateway) as anne, site.client(gateway, token=token_of("bert")) as bert:
        anne.models()
        anne.models()
        with pytest.raises(errors.TooManyRequests, match="Ask again in") as caught:
            anne.models()
        assert bert.models() == []
        assert anne.ready("")
    assert isinstance(caught.value, errors.TooManyRequests)


def token_of(subject: str) -> str:
    return make(SECRET, subject=subject, role=Role.CLINICIAN, hours=1)


def test_streams_and_studies_ask_for_a_token_as_well(site, gateway):
    for token, error in ((None, errors.Unauthenticated), (Role.SYSTEM, errors.UnknownModel)):
        with site.client(gateway, token) as client:
            with pytest.raises(error):
                list(client.analyze_stream([("a", b"")], model="none"))
            with pytest.raises(error):
                client.analyze_study([("a", b"")], model="none")


def test_guessing_tokens_is_limited_by_the_address(site):
    gateway = site.start(requests_per_minute=1.0, burst=1)
    with site.client(gateway, token="guess") as client:
        with pytest.raises(errors.Unauthenticated):
            client.models()
        with pytest.raises(errors.TooManyRequests):
            client.models()


def test_no_secret_and_no_token_is_in_any_log_or_message(site, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    gateway = site.start(metrics_port=0)
    bad = make(b"z" * 32, subject="mallory-the-guesser", role=Role.ADMIN, hours=1)
    good = token_of("anne")
    heard = []
    for token in (bad, good):
        with site.client(gateway, token=token) as client:
            for ask in (client.models, client.studies):
                try:
                    ask()
                except errors.KerascopeError as error:
                    heard.append(str(error))
            heard.append(repr(client._connection))
    assert "without a valid token" in caplog.text
    for secret in (SECRET.decode(), bad, good, *bad.split(".")[1:], *good.split(".")[1:], site.key.read_text()[40:80]):
        assert secret not in caplog.text
        assert not [message for message in heard if secret in message]


def test_public_keys_do_as_well(site, tmp_path):
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    key = ec.generate_private_key(ec.SECP256R1())
    published = ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": "one"}
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [published]}))
    gateway = site.start(token_secret=None, token_jwks=tmp_path / "jwks.json")
    token = jwt.encode(claims(), key, algorithm="ES256", headers={"kid": "one"})
    with site.client(gateway, token=token) as client:
        assert client.models() == []
    with site.client(gateway) as client, pytest.raises(errors.Unauthenticated):
        client.models()


def swapped(site: Site) -> dict[str, object]:
    return {"tls_key": site.authority.sign("another")[1]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (lambda site: {"tls_certificate": site.folder / "nowhere"}, "tls_certificate .* cannot be read: No such file"),
        (lambda site: {"tls_key": site.folder / "nowhere"}, "tls_key .* cannot be read"),
        (lambda site: {"tls_key": site.certificate}, "no private key"),
        (lambda site: {"tls_certificate": site.secret}, "holds no certificate"),
        (lambda site: {"tls_client_ca": site.secret}, "tls_client_ca .* holds no certificate"),
        (swapped, "is not the key of"),
        (lambda site: {"tls_key": None}, "go together"),
        (lambda site: {"tls_certificate": None, "tls_key": None}, "does not start without TLS .*--insecure"),
        (lambda site: {"token_secret": None}, "does not start without tokens .*--insecure"),
        (lambda site: {"token_jwks": site.secret}, "both set"),
        (lambda site: {"insecure": True, "host": "0.0.0.0"}, "this machine alone, and 0.0.0.0"),
        (lambda site: {"insecure": True, "host": "gateway.example"}, "this machine alone"),
        (
            lambda site: {"tls_certificate": None, "tls_key": None, "tls_client_ca": site.certificate},
            "tls_client_ca is set without",
        ),
    ],
)
def test_settings_that_are_not_secure_start_no_gateway(site: Site, changes: Callable[[Site], dict], said: str):
    usual = {"tls_certificate": site.certificate, "tls_key": site.key, "token_secret": site.secret, "port": 0}
    settings = {name: value for name, value in (usual | changes(site)).items() if value is not None}
    with pytest.raises(errors.BadConfig, match=said):
        create_server(Settings.from_environment({}, **settings))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.5.5.5"])
def test_an_insecure_gateway_may_listen_on_this_machine(host):
    from serving.security import policy

    policy.check(Settings(host=host, insecure=True))
