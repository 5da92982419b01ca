"""The gateway's end of TLS: its certificate, its key, and whose certificates it trusts (RFC 8446, RFC 5246)."""

from __future__ import annotations

from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from zoo import errors


def server_credentials(certificate: Path, key: Path, client_ca: Path | None) -> grpc.ServerCredentials:
    """What gRPC listens with; a `client_ca` makes callers show a certificate that it signed.

    Raises:
        BadConfig: a file is missing, unreadable or not what it should be, or the key is another certificate's.
    """
    chain, private = _read("tls_certificate", certificate), _read("tls_key", key)
    _check_pair(certificate, chain, key, private)
    trusted = None if client_ca is None else _read("tls_client_ca", client_ca)
    if trusted is not None:
        _certificates("tls_client_ca", client_ca, trusted)
    return grpc.ssl_server_credentials(
        [(private, chain)], root_certificates=trusted, require_client_auth=trusted is not None
    )


def _check_pair(certificate: Path, chain: bytes, key: Path, private: bytes) -> None:
    own = _certificates("tls_certificate", certificate, chain)[0]
    try:
        loaded = load_pem_private_key(private, password=None)
    except TypeError:
        raise errors.BadConfig(
            f"tls_key {key} is locked with a password. Write it without one, for this user alone."
        ) from None
    except ValueError:
        raise errors.BadConfig(
            f"tls_key {key} is no private key in PEM. Name another with KERASCOPE_TLS_KEY."
        ) from None
    if loaded.public_key() != own.public_key():
        raise errors.BadConfig(
            f"tls_key {key} is not the key of tls_certificate {certificate}, whose own certificate comes first in its "
            "file. Name the two that belong together."
        )


def _certificates(setting: str, path: Path | None, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError:
        raise errors.BadConfig(
            f"{setting} {path} holds no certificate in PEM. Name another with KERASCOPE_{setting.upper()}."
        ) from None


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise errors.BadConfig(
            f"{setting} {path} cannot be read: {error.strerror}. Name another with KERASCOPE_{setting.upper()}, or let "
            "this user read it."
        ) from None
