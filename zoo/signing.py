"""Who stands by a bundle: an Ed25519 signature (RFC 8032) over its list of checksums, and the keys one trusts.

    assets.extra/SHA256SUMS.sig          base64 of the 64 bytes, one line; TensorFlow Serving reads neither file

The list holds the SHA-256 of every file, the card with name and version among them; so whoever signs the list signs the
bundle. Keys are PEM, as `openssl genpkey -algorithm ed25519` and `openssl pkey -pubout` write them.
"""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import disk, errors
from zoo.bundles import CHECKSUMS, SIGNATURE, Bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

# Signed before the list, so that a signature made for something else is none for a bundle.
PURPOSE = b"kerascope bundle, version 1\n"
HOW = "docs/how-to/share-models.md shows how"
_PUBLIC = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


def sign(bundle: Bundle, key: Path) -> None:
    """Writes a bundle's signature, in place of one that is there. The bundle is verified first.

    Args:
        bundle: what to sign.
        key: file of an Ed25519 private key, PEM, not encrypted.

    Raises:
        BadBundle: the bundle does not match its checksums.
        BadConfig: the key cannot be used, or the signature not written.
    """
    private = _private(key)
    bundle.verify()
    signature = base64.b64encode(private.sign(_signed(bundle))).decode()
    try:
        disk.write_whole(bundle.path / SIGNATURE, f"{signature}\n")
    except OSError as error:
        raise errors.BadConfig(f"{bundle.path / SIGNATURE} cannot be written: {error.strerror}.") from None


class Trust:
    """The keys whose signatures count.

    Args:
        path: file of one or more Ed25519 public keys, PEM, one after the other. It is read now.

    Raises:
        BadConfig: it cannot be read, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys = _public(path)

    def check(self, bundle: Bundle) -> None:
        """Returns if one of the keys has signed the bundle, and every file is as it was then.

        Raises:
            BadBundle: it is not signed, signed by somebody else, or changed since.
        """
        signature = self._signature(bundle)
        signed = _signed(bundle)
        if not any(_fits(key, signature, signed) for key in self._keys):
            raise errors.BadBundle(
                f"The signature of {bundle.name} version {bundle.version} is by no key of {self._path}, or its list of "
                f"checksums was changed after it was signed. Ask whoever made it, or sign it if you trust it: {HOW}."
            )
        bundle.verify()

    def _signature(self, bundle: Bundle) -> bytes:
        try:
            return base64.b64decode((bundle.path / SIGNATURE).read_bytes().strip(), validate=True)
        except FileNotFoundError:
            raise errors.BadBundle(
                f"{bundle.name} version {bundle.version} is not signed, and only bundles signed by a key of "
                f"{self._path} are taken. Sign it if you trust it: {HOW}."
            ) from None
        except (OSError, binascii.Error):
            raise errors.BadBundle(
                f"{bundle.path / SIGNATURE} is no readable signature. Copy or sign the bundle again: {HOW}."
            ) from None


def trust(path: Path | None) -> Trust | None:
    """The keys of a file; None where none is named, and then signatures are not asked for."""
    return None if path is None else Trust(path)


def verify(bundle: Bundle, trust: Trust | None) -> None:
    """Compares a bundle with its checksums, and with its signature where keys are named.

    Raises:
        BadBundle: it does not fit.
    """
    if trust is None:
        bundle.verify()
    else:
        trust.check(bundle)


def _signed(bundle: Bundle) -> bytes:
    try:
        return PURPOSE + (bundle.path / CHECKSUMS).read_bytes()
    except OSError:
        raise errors.BadBundle(
            f"{bundle.path} has no readable {CHECKSUMS}. Is it a bundle, and complete? Copy or export it again."
        ) from None


def _fits(key: Ed25519PublicKey, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        key.verify(signature, signed)
    except InvalidSignature:
        return False
    return True


def _private(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        key = serialization.load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError):  # TypeError: it is encrypted
        key = None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise errors.BadConfig(
            f"{path} is no Ed25519 private key in PEM without a password. "
            "`openssl genpkey -algorithm ed25519` makes one."
        )
    return key


def _public(path: Path) -> list[Ed25519PublicKey]:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    try:
        keys = [serialization.load_pem_public_key(block) for block in _PUBLIC.findall(_read(path))]
    except ValueError:
        keys = []
    ours = [key for key in keys if isinstance(key, ed25519.Ed25519PublicKey)]
    if not ours or len(ours) < len(keys):
        raise errors.BadConfig(
            f"{path} holds no Ed25519 public key in PEM, or something else besides. `openssl pkey -pubout` writes one."
        )
    return ours


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.BadConfig(f"The key {path} cannot be read: {error.strerror}.") from None
