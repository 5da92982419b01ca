"""The file that says where to log in, looked at before the dashboard starts: a typing error must not leave it open."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from zoo import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ASKED = "KERASCOPE_LOGIN"  # tells the dashboard's process which token goes to the gateway; empty where nobody logs in
NEEDED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
SECRET_CHARACTERS = 32
TOKENS = ("id", "access")


def token_kind(path: Path) -> str:
    """Which token of the login goes to the gateway, `id` or `access`, by a file that Streamlit's login can work with.

    Args:
        path: TOML, with a table `[auth]` (https://docs.streamlit.io/develop/concepts/connections/authentication).

    Raises:
        BadConfig: it is missing, unreadable, or lacks what a login needs.
    """
    auth = _read(path)
    lacking = [name for name in NEEDED if not auth.get(name)]
    if lacking:
        raise errors.BadConfig(f"[auth] in {path} has no {', '.join(lacking)}. Ask whoever runs the identity provider.")
    if len(str(auth["cookie_secret"])) < SECRET_CHARACTERS:
        raise errors.BadConfig(
            f"cookie_secret in {path} is shorter than {SECRET_CHARACTERS} characters. Make one: `openssl rand -hex 32`."
        )
    shown = auth.get("expose_tokens", ())
    kinds = [shown] if isinstance(shown, str) else list(shown)
    if len(kinds) != 1 or kinds[0] not in TOKENS:
        raise errors.BadConfig(
            f'expose_tokens in {path} is {shown!r}; it names the one token that goes to the gateway, "id" or "access".'
        )
    return str(kinds[0])


def _read(path: Path) -> dict[str, Any]:
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise errors.BadConfig(f"The login file {path} cannot be read: {error.strerror}. Name another.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.BadConfig(f"The login file {path} is no TOML: {error}. Correct it.") from None
    auth = held.get("auth")
    if not isinstance(auth, dict):
        raise errors.BadConfig(f"The login file {path} has no table [auth]. See docs/how-to/run-the-dashboard.md.")
    return auth
