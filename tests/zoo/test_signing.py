"""A bundle's signature: made by one key, asked for by whoever trusts it, and worth nothing after a change."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from typer.testing import CliRunner

from tests.zoo.registry.conftest import make_bundle
from zoo import commands, errors, signing
from zoo.bundles import CHECKSUMS, SIGNATURE, Bundle, write_checksums
from zoo.registry import index, pull
from zoo.registry.publish import INDEX, publish


def key_files(folder: Path, name: str) -> tuple[Path, Path]:
    """A new pair of keys: the private one's file, and the public one's."""
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}.key", folder / f"{name}.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def private(tmp_path: Path) -> Path:
    return key_files(tmp_path, "maker")[0]


@pytest.fixture
def trust(private: Path) -> signing.Trust:
    return signing.Trust(private.with_suffix(".pem"))


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(tmp_path / "registry")


def test_a_signed_bundle_is_taken_and_by_those_who_trust_nobody_too(bundle, private, trust):
    signing.sign(bundle, private)
    signing.verify(bundle, trust)
    signing.verify(bundle, None)


def test_an_unsigned_bundle_is_refused_by_those_who_trust_a_key_alone(bundle, trust):
    signing.verify(bundle, None)
    with pytest.raises(errors.BadBundle, match=r"not signed.*share-models"):
        signing.verify(bundle, trust)


def test_a_signature_by_another_key_is_refused(bundle, tmp_path, trust):
    signing.sign(bundle, key_files(tmp_path, "stranger")[0])
    with pytest.raises(errors.BadBundle, match="by no key of"):
        signing.verify(bundle, trust)


def change_weights(bundle: Bundle) -> None:
    (bundle.path / "saved_model.pb").write_bytes(b"grapf")


def change_weights_and_list(bundle: Bundle) -> None:
    change_weights(bundle)
    write_checksums(bundle.path)


def cut_signature(bundle: Bundle) -> None:
    (bundle.path / SIGNATURE).write_text("AAAA\n")


def spoil_signature(bundle: Bundle) -> None:
    (bundle.path / SIGNATURE).write_text("no base64 at all\n")


def remove_list(bundle: Bundle) -> None:
    (bundle.path / CHECKSUMS).unlink()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (change_weights, "saved_model.pb has changed"),
        (change_weights_and_list, "changed after it was signed"),
        (cut_signature, "by no key of"),
        (spoil_signature, "no readable signature"),
        (remove_list, "no readable assets.extra/SHA256SUMS"),
    ],
)
def test_a_bundle_changed_after_it_was_signed_is_refused(
    bundle, private, trust, harm: Callable[[Bundle], None], said: str
):
    signing.sign(bundle, private)
    harm(bundle)
    with pytest.raises(errors.BadBundle, match=said):
        signing.verify(bundle, trust)


def test_a_signature_for_another_purpose_is_none_for_a_bundle(bundle, private, trust):
    signing.sign(bundle, private)
    key = signing._private(private)
    bare = base64.b64encode(key.sign((bundle.path / CHECKSUMS).read_bytes())).decode()
    (bundle.path / SIGNATURE).write_text(bare)
    with pytest.raises(errors.BadBundle, match="by no key of"):
        signing.verify(bundle, trust)


def test_a_damaged_bundle_is_not_signed(bundle, private):
    change_weights(bundle)
    with pytest.raises(errors.BadBundle, match="has changed"):
        signing.sign(bundle, private)
    assert not (bundle.path / SIGNATURE).exists()


def test_several_keys_may_be_trusted_at_once(bundle, tmp_path, private):
    both = tmp_path / "both.pem"
    both.write_bytes(key_files(tmp_path, "new")[1].read_bytes() + private.with_suffix(".pem").read_bytes())
    signing.sign(bundle, private)
    signing.verify(bundle, signing.Trust(both))


def test_what_is_no_ed25519_key_is_refused_without_a_traceback(tmp_path, bundle, private):
    curve = generate_private_key(SECP256R1())
    of_curve, locked, private_one = (tmp_path / f"{name}.pem" for name in ("curve", "locked", "both-in-one"))
    of_curve.write_bytes(curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    locked.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    )
    private_one.write_bytes(private.read_bytes())
    for path in (of_curve, locked, private.with_suffix(".pem"), tmp_path / "nowhere"):
        with pytest.raises(errors.BadConfig, match=path.name):
            signing.sign(bundle, path)
    of_curve.write_bytes(curve.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    for path in (of_curve, private_one, tmp_path / "nowhere"):
        with pytest.raises(errors.BadConfig, match=path.name):
            signing.Trust(path)


def test_a_signature_travels_with_its_bundle_and_an_unsigned_one_is_not_installed(tmp_path, bundle, private, trust):
    unsigned = make_bundle(tmp_path / "registry", "heart")
    signing.sign(bundle, private)
    for each in (bundle, unsigned):
        publish(each, tmp_path / "shared")
    offered, elsewhere = index.read(str(tmp_path / "shared" / INDEX)), tmp_path / "elsewhere"
    signing.verify(pull.pull(offered.find("lung", None), offered, elsewhere, trust=trust), trust)
    with pytest.raises(errors.BadBundle, match="not signed"):
        pull.pull(offered.find("heart", None), offered, elsewhere, trust=trust)
    assert sorted(path.name for path in elsewhere.iterdir()) == ["lung"]
    pull.pull(offered.find("heart", None), offered, elsewhere)
    with pytest.raises(errors.BadBundle, match="not signed"):  # there already, and still not trusted
        pull.pull(offered.find("heart", None), offered, elsewhere, trust=trust)


def test_the_commands_sign_and_verify(bundle, private):
    def run(*words: object, **environment: str) -> str:
        done = CliRunner().invoke(commands.app, [str(word) for word in words], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    registry, public = bundle.path.parents[1], private.with_suffix(".pem")
    assert "is signed" in run("sign", "lung", "--registry", registry, "--key", private)
    assert "signed, and every file" in run("verify", "lung", "--registry", registry, "--trusted-key", public)
    assert "signed, and every file" in run("verify", "lung", "--registry", registry, KERASCOPE_TRUSTED_KEY=str(public))
    assert "as it was exported" in run("verify", "lung", "--registry", registry)
