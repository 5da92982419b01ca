"""A client's end: the one place that makes channels to a gateway, by arguments or by the environment.

KERASCOPE_TLS_CA           who must have signed the gateway's certificate; TLS is spoken if, and only if, it is set
KERASCOPE_TLS_CERTIFICATE  what this client shows, where the gateway asks for certificates
KERASCOPE_TLS_KEY          and its key
KERASCOPE_TOKEN_FILE       a file with a token, read anew at each call: whoever renews it need not stop the client
KERASCOPE_TOKEN            or the token itself
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from serving.channel import direct
from serving.security import files
from zoo import errors

PREFIX = "KERASCOPE_"


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How a client reaches a gateway.

    Attributes:
        tls_ca: file of certificates in PEM that the gateway's must be signed by; None speaks without TLS.
        tls_certificate, tls_key: the client's own, in PEM.
        token: a bearer token, or the file that holds it; empty for none.
    """

    tls_ca: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    token: str | Path = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.token and self.tls_ca is None:
            raise errors.BadConfig(
                "There is a token, but it would travel for all to read. Set KERASCOPE_TLS_CA to the file of the "
                "authority that signed the gateway's certificate, or take the token away."
            )
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise errors.BadConfig("A client's certificate and its key go together: set both, or neither.")

    @classmethod
    def chosen(
        cls,
        tls_ca: Path | None,
        tls_certificate: Path | None,
        tls_key: Path | None,
        token: str | Path | None,
        environment: Mapping[str, str] | None = None,
    ) -> Connection:
        """What is given, and for what is None the environment's.

        Raises:
            BadConfig: the choice makes no sense.
        """
        said = os.environ if environment is None else environment
        ca = tls_ca or _path(said, "TLS_CA")
        pair = (tls_certificate, tls_key)
        if ca is not None and pair == (None, None):
            pair = (_path(said, "TLS_CERTIFICATE"), _path(said, "TLS_KEY"))
        if token is None:
            token = _path(said, "TOKEN_FILE") or said.get(PREFIX + "TOKEN", "")
        return cls(tls_ca=ca, tls_certificate=pair[0], tls_key=pair[1], token=token)

    def channel(self, address: str, options: Sequence[tuple[str, object]]) -> grpc.Channel:
        """A channel to the gateway at `address`.

        Raises:
            BadConfig: a file cannot be read, or is no PEM.
        """
        options = (*options, *direct(address))
        if self.tls_ca is None:
            return grpc.insecure_channel(address, options=options)
        credentials = grpc.ssl_channel_credentials(
            _pem(self.tls_ca, b"CERTIFICATE"),
            None if self.tls_key is None else _pem(self.tls_key, b"PRIVATE KEY"),
            None if self.tls_certificate is None else _pem(self.tls_certificate, b"CERTIFICATE"),
        )
        return grpc.secure_channel(address, credentials, options=options)

    def authorization(self) -> tuple[tuple[str, str], ...]:
        """The metadata of one call.

        Raises:
            BadConfig: the token's file cannot be read, or holds no token.
        """
        if not self.token:
            return ()
        token = self.token if isinstance(self.token, str) else files.read(self.token).decode("ascii", "replace").strip()
        if not token or not token.isprintable() or not token.isascii():
            raise errors.BadConfig("What should be a token is none: it is empty, or has odd characters. Get another.")
        return (("authorization", f"Bearer {token}"),)

    def hint(self) -> str:
        """What else to look at where nobody seems to answer."""
        if self.tls_ca is None:
            return "If it asks for TLS, set KERASCOPE_TLS_CA."
        return f"If it runs: is its certificate for this name, and signed by {self.tls_ca}? Does it ask for yours?"


def _path(environment: Mapping[str, str], name: str) -> Path | None:
    value = environment.get(PREFIX + name)
    return Path(value) if value else None


def _pem(path: Path, kind: bytes) -> bytes:
    text = files.read(path)
    if b"-----BEGIN " not in text or kind not in text:
        raise errors.BadConfig(f"{path} holds no {kind.decode().lower()} in PEM. Name another.")
    return text
