"""Tokens, roles and limits by themselves."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from serving.proto.kerascope.v1 import inference_pb2
from serving.security.limits import Limiter, address_of
from serving.security.roles import ALLOWED, Caller, Role, check_role
from serving.security.tokens import Verifier, make
from zoo import errors

SECRET = b"0123456789abcdef0123456789abcdef"
ANNE = {"sub": "anne", "role": "clinician"}


@pytest.fixture
def verifier(tmp_path: Path) -> Verifier:
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    return Verifier.by_secret(tmp_path / "secret")


def signed(secret: bytes = SECRET, **claims: object) -> str:
    return jwt.encode(ANNE | {"exp": time.time() + 60} | claims, secret, algorithm="HS256")


def test_a_token_names_its_holder(verifier):
    token = make(SECRET, subject="anne", role=Role.CLINICIAN, hours=1)
    assert verifier.caller(f"Bearer {token}") == Caller("anne", frozenset({Role.CLINICIAN}))
    both = signed(roles=["system", "engineer", "gardener"])
    assert verifier.caller(f"bearer {both}").roles == {Role.SYSTEM, Role.ENGINEER}


def unsigned(header: dict[str, str]) -> str:
    parts = (header, ANNE | {"exp": time.time() + 60})
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts) + "."


def tampered() -> str:
    head, _, signature = signed().split(".")
    return ".".join((head, signed(role="admin").split(".")[1], signature))


@pytest.mark.parametrize(
    ("token", "said"),
    [
        (lambda: signed(exp=time.time() - 60), "expired"),
        (lambda: signed(nbf=time.time() + 600), "ImmatureSignatureError"),
        (lambda: signed(b"another secret of 32 bytes or so"), "InvalidSignatureError"),
        (tampered, "InvalidSignatureError"),
        (lambda: unsigned({"alg": "none"}), "InvalidAlgorithmError"),
        (lambda: unsigned({"alg": "HS512"}), "InvalidAlgorithmError"),
        (lambda: signed(aud="another-service"), "InvalidAudienceError"),
        (lambda: jwt.encode(ANNE, SECRET, algorithm="HS256"), "MissingRequiredClaimError"),
        (lambda: jwt.encode({"role": "admin", "exp": time.time() + 60}, SECRET, algorithm="HS256"), "Missing"),
        (lambda: signed(role="gardener"), "no role"),
        (lambda: signed(role=None), "no role"),
        (lambda: signed(sub=""), "nobody"),
        (lambda: signed(sub=7), "InvalidSubjectError"),
        (lambda: "nonsense", "DecodeError"),
    ],
)
def test_a_token_that_is_not_valid_is_refused(verifier, token, said):
    with pytest.raises(errors.Unauthenticated, match=said) as caught:
        verifier.caller(f"Bearer {token()}")
    assert token().split(".")[0][:30] not in str(caught.value)


@pytest.mark.parametrize("header", ["", "Basic YTpi", SECRET.decode()])
def test_a_call_without_a_token_is_refused(verifier, header):
    with pytest.raises(errors.Unauthenticated, match="brought no token"):
        verifier.caller(header)


def test_an_audience_that_is_set_must_be_the_tokens(tmp_path):
    (tmp_path / "secret").write_bytes(SECRET)
    verifier = Verifier.by_secret(tmp_path / "secret", "kerascope")
    assert verifier.caller(f"Bearer {signed(aud='kerascope')}").subject == "anne"
    for token in (signed(), signed(aud="another")):
        with pytest.raises(errors.Unauthenticated):
            verifier.caller(f"Bearer {token}")


def jwks(path: Path, **keys: object) -> Path:
    kinds = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    found = []
    for kid, key in keys.items():
        kind = next(algorithm for each, algorithm in kinds.items() if isinstance(key, each))
        found.append(kind.to_jwk(key.public_key(), as_dict=True) | {"kid": kid})
    path.write_text(json.dumps({"keys": found}))
    return path


def test_public_keys_are_chosen_by_their_name(tmp_path):
    keys = {"one": rsa.generate_private_key(65537, 2048), "two": ec.generate_private_key(ec.SECP256R1())}
    verifier = Verifier.by_jwks(jwks(tmp_path / "jwks.json", **keys))
    claims = ANNE | {"exp": time.time() + 60}
    for kid, algorithm in (("one", "RS256"), ("two", "ES256")):
        token = jwt.encode(claims, keys[kid], algorithm=algorithm, headers={"kid": kid})
        assert verifier.caller(f"Bearer {token}").subject == "anne"
    for kid in ("two", "three"):
        token = jwt.encode(claims, keys["one"], algorithm="RS256", headers={"kid": kid})
        with pytest.raises(errors.Unauthenticated):
            verifier.caller(f"Bearer {token}")


def test_a_public_key_is_never_taken_for_a_secret(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    verifier = Verifier.by_jwks(jwks(tmp_path / "jwks.json", one=key))
    public = str(key.public_key().public_numbers().n).encode()  # what everyone knows, as if it were a secret
    with pytest.raises(errors.Unauthenticated, match="InvalidAlgorithmError"):
        verifier.caller(f"Bearer {jwt.encode(ANNE | {'exp': time.time() + 60}, public, algorithm='HS256')}")


def test_a_file_that_will_not_do_is_said_so(tmp_path):
    with pytest.raises(errors.BadConfig, match="cannot be read"):
        Verifier.by_secret(tmp_path / "nowhere")
    (tmp_path / "short").write_bytes(b"31 bytes are not enough for it\n")
    with pytest.raises(errors.BadConfig, match="30 bytes, and 32") as caught:
        Verifier.by_secret(tmp_path / "short")
    assert "not enough" not in str(caught.value)
    (tmp_path / "nonsense").write_text("{}")
    with pytest.raises(errors.BadConfig, match="no JWKS"):
        Verifier.by_jwks(tmp_path / "nonsense")
    with pytest.raises(errors.BadConfig, match="too short"):
        Verifier.by_jwks(jwks(tmp_path / "weak", one=rsa.generate_private_key(65537, 1024)))
    symmetric = {"kty": "oct", "kid": "one", "k": base64.urlsafe_b64encode(SECRET).decode().rstrip("=")}
    (tmp_path / "symmetric").write_text(json.dumps({"keys": [symmetric]}))
    with pytest.raises(errors.BadConfig, match="HS256"):
        Verifier.by_jwks(tmp_path / "symmetric")


def test_the_table_of_roles_names_every_method_of_the_service_and_reflection():
    service = inference_pb2.DESCRIPTOR.services_by_name["Inference"]
    assert set(ALLOWED) == {method.name for method in service.methods} | {"ServerReflectionInfo"}
    assert all(ALLOWED.values())


@pytest.mark.parametrize(
    ("role", "method"),
    [
        (Role.ENGINEER, "ListStudies"),
        (Role.SYSTEM, "SubmitReview"),
        (Role.ADMIN, "SubmitReview"),
        (Role.CLINICIAN, "ServerReflectionInfo"),
        (Role.ADMIN, "Unheard"),
    ],
)
def test_what_a_role_may_not_call_is_refused(role, method):
    with pytest.raises(errors.Forbidden, match=role.value):
        check_role(Caller("anne", frozenset({role})), method)


def test_one_of_several_roles_is_enough():
    check_role(Caller("anne", frozenset({Role.ENGINEER, Role.CLINICIAN})), "SubmitReview")


def test_a_bucket_empties_and_fills_again():
    now = [0.0]
    limiter = Limiter(per_minute=60, burst=2, clock=lambda: now[0])  # one a second
    limiter.take("a")
    limiter.take("a")
    with pytest.raises(errors.TooManyRequests, match=r"60 calls a minute here. Ask again in 1\.0 s"):
        limiter.take("a")
    limiter.take("b")
    now[0] = 0.5
    with pytest.raises(errors.TooManyRequests, match=r"in 0\.5 s"):
        limiter.take("a")
    now[0] = 1.1
    limiter.take("a")
    now[0] = 100
    for _ in range(2):
        limiter.take("a")
    with pytest.raises(errors.TooManyRequests):
        limiter.take("a")


def test_clients_without_number_take_no_memory_without_end(monkeypatch):
    monkeypatch.setattr("serving.security.limits.MOST_CLIENTS", 3)
    limiter = Limiter(per_minute=1, burst=1, clock=lambda: 0.0)
    for number in range(4):
        limiter.take(str(number))
    limiter.take("0")  # forgotten, and new again
    with pytest.raises(errors.TooManyRequests):
        limiter.take("3")


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.0.0.7:51122", "ipv4:10.0.0.7"),
        ("ipv6:%5B::1%5D:51122", "ipv6:%5B::1%5D"),
        ("unix:/run/a:b", "unix:/run/a:b"),
    ],
)
def test_the_connections_of_one_address_are_one_client(peer, address):
    assert address_of(peer) == address
