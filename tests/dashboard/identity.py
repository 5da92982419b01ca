"""A small identity provider: OpenID Connect's discovery, keys, authorisation code flow with PKCE, over real HTTP.

Whom it lets in is whoever presses their button. Its tokens name roles, as the gateway reads them.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT, SECRET = "dashboard", "a-secret-of-the-tests"
PEOPLE = {
    "anne": {"name": "Dr Anne Example", "roles": ["clinician"]},
    "ben": {"name": "Ben Example", "roles": ["engineer"]},
}


class Provider:
    """The provider, on a free port of this machine, until `stop`.

    Attributes:
        seconds: how long its tokens last.
    """

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})
        self.seconds = 3600
        self.codes: dict[str, dict[str, str]] = {}
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def keys(self) -> str:
        """The public keys (RFC 7517)."""
        return json.dumps({"keys": [self.key.as_dict(private=False)]})

    def metadata(self) -> dict[str, Any]:
        """OpenID Connect Discovery 1.0, section 3."""
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        }

    def token(self, person: str, nonce: str = "") -> str:
        """An ID token (OpenID Connect Core 1.0, section 2)."""
        now = int(time.time())
        claims = {"iss": self.address, "aud": CLIENT, "sub": person, "iat": now, "exp": now + self.seconds}
        return jwt.encode({"alg": "ES256", "kid": "one"}, {**claims, **PEOPLE[person], "nonce": nonce}, self.key)

    def login_file(self, path: Path, redirect: str) -> Path:
        """What the dashboard needs to know of it."""
        auth = {
            "redirect_uri": redirect,
            "cookie_secret": secrets.token_hex(32),
            "client_id": CLIENT,
            "client_secret": SECRET,
            "server_metadata_url": f"{self.address}/.well-known/openid-configuration",
            "expose_tokens": "id",
        }
        path.write_text("[auth]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in auth.items()))
        return path


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/.well-known/openid-configuration":
            self._answer(json.dumps(self.provider.metadata()))
        elif url.path == "/keys":
            self._answer(self.provider.keys())
        elif url.path == "/authorize" and asked.get("client_id") == CLIENT:
            links = "".join(f'<a href="/let-in?{urlencode({**asked, "who": who})}">{who}</a> ' for who in PEOPLE)
            self._answer(f"<h1>Who are you?</h1>{links}", "text/html")
        elif url.path == "/let-in":
            code = secrets.token_urlsafe()
            self.provider.codes[code] = asked
            back = f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            self._answer("", status=302, location=back)
        else:
            self._answer("", status=404)

    def do_POST(self) -> None:
        sent = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        asked = self.provider.codes.pop(sent.get("code", [""])[0], None)  # a code is good for once
        if self.path != "/token" or asked is None or not self._is_client() or not _proven(asked, sent):
            self._answer(json.dumps({"error": "invalid_grant"}), status=400)
            return
        made = self.provider.token(asked["who"], asked.get("nonce", ""))
        kept = {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "expires_in": self.provider.seconds}
        self._answer(json.dumps({**kept, "id_token": made}))

    def _is_client(self) -> bool:
        wanted = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        return self.headers.get("Authorization") == f"Basic {wanted}"

    def _answer(self, body: str, kind: str = "application/json", *, status: int = 200, location: str = "") -> None:
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())


def _proven(asked: dict[str, str], sent: dict[str, list[str]]) -> bool:
    """The code goes to who asked for it (RFC 7636, section 4.6)."""
    digest = hashlib.sha256(sent.get("code_verifier", [""])[0].encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == asked.get("code_challenge")
