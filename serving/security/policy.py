"""Whether a gateway may start as its settings say, and the guard and the TLS that follow from them."""

from __future__ import annotations

import grpc

from serving.audit.trail import Audit
from serving.doorman import Doorman
from serving.security.guard import Guard
from serving.security.limits import Limiter
from serving.security.tls import server_credentials
from serving.security.tokens import Verifier
from serving.settings import Settings
from zoo import errors
from zoo.loopback import is_loopback

HOW = "docs/how-to/secure-the-gateway.md shows how"


def check(settings: Settings) -> None:
    """Returns if a gateway may start so: with TLS and tokens, or insecure and then for this machine alone.

    Raises:
        BadConfig: it may not; the message says what is missing.
    """
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise errors.BadConfig("tls_certificate and tls_key go together; one of them is not set. Set both.")
    if settings.tls_client_ca is not None and settings.tls_certificate is None:
        raise errors.BadConfig("tls_client_ca is set without tls_certificate and tls_key. Set these too.")
    if settings.token_secret is not None and settings.token_jwks is not None:
        raise errors.BadConfig("token_secret and token_jwks are both set; tokens come by one way. Take one away.")
    if settings.insecure:
        _check_loopback(settings.host)
    else:
        _check_secured(settings)


def credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """What to listen with; None where TLS is off.

    Raises:
        BadConfig: a file is not what it should be.
    """
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return server_credentials(settings.tls_certificate, settings.tls_key, settings.tls_client_ca)


def guard(settings: Settings, audit: Audit | None, doorman: Doorman) -> Guard:
    """What stands before every call.

    Raises:
        BadConfig: a file is not what it should be.
    """
    per_minute = settings.requests_per_minute
    limiter = Limiter(per_minute, settings.burst) if per_minute else None
    return Guard(verifier(settings), limiter, audit, doorman)


def verifier(settings: Settings) -> Verifier | None:
    """What checks tokens; None where none are asked for.

    Raises:
        BadConfig: the file is not what it should be.
    """
    if settings.token_secret is not None:
        return Verifier.by_secret(settings.token_secret, settings.token_audience)
    if settings.token_jwks is not None:
        return Verifier.by_jwks(settings.token_jwks, settings.token_audience)
    return None


def _check_loopback(host: str) -> None:
    if not is_loopback(host):
        raise errors.BadConfig(
            f"An insecure gateway answers this machine alone, and {host} is not 127.0.0.1. Set KERASCOPE_HOST to that, "
            f"or leave `--insecure` away and give TLS and tokens: {HOW}."
        )


def _check_secured(settings: Settings) -> None:
    missing = ["TLS (tls_certificate, tls_key)"] if settings.tls_certificate is None else []
    missing += ["tokens (token_secret or token_jwks)"] if verifier(settings) is None else []
    if missing:
        raise errors.BadConfig(
            f"The gateway does not start without {' and '.join(missing)}: {HOW}. On one machine, to try it out, "
            "`--insecure` starts it for this machine alone."
        )
