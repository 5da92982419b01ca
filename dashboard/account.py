"""Who uses the dashboard: a person who logged in by OpenID Connect, or whoever sits at this machine.

Streamlit's own login (`st.login`) speaks to the identity provider and keeps what it says in a signed cookie. The token
goes on to the gateway with each call; the gateway checks it and knows the roles. Nothing here grants anything.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.login_file import ASKED

SUBJECT = "subject"


@dataclass(frozen=True, kw_only=True)
class Account:
    """A person who is logged in.

    Attributes:
        subject: the provider's name for them, which never changes.
        name: to be shown.
        roles: as the token names them; the gateway decides what they are good for.
        expires: when the token ends, in seconds since 1970.
        token: for the gateway.
    """

    subject: str
    name: str
    roles: tuple[str, ...]
    expires: float
    token: str = field(repr=False)

    @property
    def expired(self) -> bool:
        """Whether the token has ended."""
        return time.time() >= self.expires


def asked() -> bool:
    """Whether everybody has to log in; else this is one person at their own machine."""
    return bool(os.environ.get(ASKED))


def current() -> Account | None:
    """Who is logged in; None where nobody is, or nobody has to be."""
    if not asked() or not st.user.is_logged_in:
        return None
    said = st.user.to_dict()
    return account(said, str(st.user.tokens.to_dict().get(os.environ[ASKED], "")))


def inside() -> bool:
    """Whether whoever is here may go on: at their own machine, or logged in and not for too long."""
    who = current()
    return not asked() or (who is not None and not who.expired)


def account(said: Mapping[str, Any], token: str) -> Account:
    """An account by what the provider said and the token.

    A token that is no JSON Web Token, as some providers' access tokens are, is known by the identity's claims.
    """
    claims = {**said, **_claims(token)}
    given = claims.get("roles", claims.get("role")) or ()
    return Account(
        subject=str(claims.get("sub", "")),
        name=str(said.get("name") or said.get("preferred_username") or said.get("email") or claims.get("sub", "")),
        roles=tuple(map(str, given)) if isinstance(given, (list, tuple)) else (str(given),),
        expires=float(claims.get("exp") or 0),
        token=token,
    )


def _claims(token: str) -> dict[str, Any]:
    """What is written in a token (RFC 7519, section 3), unchecked: the gateway checks it."""
    try:
        middle = token.split(".")[1]
        read = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def only(subject: str) -> None:
    """Forgets all that another person left in this session, and remembers whose it is now."""
    if st.session_state.get(SUBJECT, subject) != subject:
        forget()
    st.session_state[SUBJECT] = subject


def forget() -> None:
    """Empties the session: pictures, answers, cards, clients."""
    for name in list(st.session_state):
        del st.session_state[name]
