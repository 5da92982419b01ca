"""Bearer tokens: JSON Web Tokens (RFC 7519), checked by PyJWT.

By a secret both sides know: HS256. By public keys in a JWKS file (RFC 7517): RS256 and ES256. Never by the algorithm
that a token itself asks for (RFC 8725, section 3.1). A token says who (`sub`), what they are (`role` or `roles`) and
until when (`exp`); it may say for whom (`aud`), which then must be this gateway.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from serving.security import files
from serving.security.roles import Caller, Role
from zoo import errors

SECRET_BYTES = 32  # RFC 7518, section 3.2: as long as the hash at least
RSA_BITS = 2048  # RFC 7518, section 3.3
LEEWAY_S = 10.0
REQUIRED = ("exp", "sub")
SCHEME = "bearer "


class Verifier:
    """Tells whom a token names.

    Args:
        keys: by `kid`; one with no name is "".
        algorithms: the only ones accepted.
        audience: who a token must be for; empty where tokens name nobody.
    """

    def __init__(self, keys: dict[str, Any], algorithms: tuple[str, ...], audience: str = "") -> None:
        self._keys, self._algorithms, self._audience = keys, algorithms, audience

    @classmethod
    def by_secret(cls, path: Path, audience: str = "") -> Verifier:
        """HS256.

        Raises:
            BadConfig: the file is missing, unreadable or shorter than 32 bytes.
        """
        return cls({"": read_secret(path)}, ("HS256",), audience)

    @classmethod
    def by_jwks(cls, path: Path, audience: str = "") -> Verifier:
        """RS256 and ES256.

        Raises:
            BadConfig: the file is missing, no JWKS, or holds a key that will not do.
        """
        try:
            found = jwt.PyJWKSet.from_json(files.read(path).decode()).keys
        except (PyJWTError, ValueError, AttributeError):
            raise errors.BadConfig(f"{path} is no JWKS of RSA or EC keys. Get it anew from who makes tokens.") from None
        for key in found:
            _check_key(key, path)
        return cls({key.key_id or "": key for key in found}, ("RS256", "ES256"), audience)

    def caller(self, authorization: str) -> Caller:
        """Whom the value of an `authorization` header names.

        Raises:
            Unauthenticated: there is no token, or it is not valid now.
        """
        if not authorization.lower().startswith(SCHEME):
            raise errors.Unauthenticated(
                "The call brought no token. Send one as `authorization: Bearer ...`; Kerascope's own clients take it "
                "from the file that KERASCOPE_TOKEN_FILE names."
            )
        try:
            return _caller(self._claims(authorization[len(SCHEME) :].strip()))
        except jwt.ExpiredSignatureError:
            raise errors.Unauthenticated("The token has expired. Get a new one.") from None
        except PyJWTError as error:
            raise errors.Unauthenticated(
                f"The token is not valid here ({type(error).__name__}). Get another."
            ) from None

    def _claims(self, token: str) -> dict[str, Any]:
        named = str(jwt.get_unverified_header(token).get("kid", ""))
        key = self._keys.get(named) or (next(iter(self._keys.values())) if len(self._keys) == 1 else None)
        if key is None:
            raise jwt.InvalidKeyError
        claims: dict[str, Any] = jwt.decode(
            token,
            key=key,
            algorithms=list(self._algorithms),
            audience=self._audience or None,
            leeway=LEEWAY_S,
            options={"require": [*REQUIRED, *(["aud"] if self._audience else [])]},
        )
        return claims


def make(secret: bytes, *, subject: str, role: Role, hours: float, audience: str = "") -> str:
    """A token for tests and small sites, HS256.

    Args:
        secret: 32 bytes at least.
        subject: who is to hold it.
        role: what they are.
        hours: how long it is valid, from now.
        audience: the gateway's `token_audience`, if it has one.
    """
    now = int(time.time())
    claims: dict[str, Any] = {"sub": subject, "role": role.value, "iat": now, "exp": now + int(hours * 3600)}
    return jwt.encode(claims | ({"aud": audience} if audience else {}), secret, algorithm="HS256")


def read_secret(path: Path) -> bytes:
    """What a secret file holds, without the end of its last line.

    Raises:
        BadConfig: it is missing, unreadable or shorter than 32 bytes.
    """
    secret = files.read(path).rstrip(b"\r\n")
    if len(secret) < SECRET_BYTES:
        raise errors.BadConfig(
            f"The secret in {path} has {len(secret)} bytes, and {SECRET_BYTES} are needed. Make one with "
            f"`openssl rand -hex 32 > {path}`."
        )
    return secret


def _caller(claims: dict[str, Any]) -> Caller:
    given = claims.get("roles", claims.get("role"))
    named = given if isinstance(given, list) else [given]
    roles = frozenset(role for role in Role if role.value in named)
    if not roles:
        known = ", ".join(role.value for role in Role)
        raise errors.Unauthenticated(f"The token names no role that is known here: {known}. Get one that does.")
    if not claims["sub"]:
        raise errors.Unauthenticated("The token names nobody: its `sub` is empty. Get one that does.")
    return Caller(claims["sub"], roles, str(claims.get("name") or claims.get("preferred_username") or ""))


def _check_key(key: Any, path: Path) -> None:
    weak = key.key_type == "RSA" and key.key.key_size < RSA_BITS
    if key.algorithm_name not in ("RS256", "ES256") or weak:
        raise errors.BadConfig(
            f"{path} holds a key for {key.algorithm_name}{', too short' if weak else ''}; a JWKS file has public RSA "
            f"keys of {RSA_BITS} bits or more, for RS256, or EC keys on P-256, for ES256. Take it out."
        )
