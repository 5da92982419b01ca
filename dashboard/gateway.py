"""The dashboard's line to the gateway. Only the channel is shared between users, never an answer."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import streamlit as st

from serving.client import Client, ModelSummary
from zoo import errors
from zoo.cards import ModelCard

ADDRESS = "KERASCOPE_GATEWAY"
DEFAULT_ADDRESS = "localhost:50051"

CONNECT_TIMEOUT_S = 1.0
LOOK_TIMEOUT_S = 5.0
ANALYSIS_TIMEOUT_S = 60.0
EXPLANATION_TIMEOUT_S = 150.0

Answer = TypeVar("Answer")


def address() -> str:
    """Where the gateway is: the environment variable KERASCOPE_GATEWAY, else localhost:50051."""
    return os.environ.get(ADDRESS) or DEFAULT_ADDRESS


@st.cache_resource(show_spinner=False)
def _channel(target: str, timeout_s: float) -> Client:
    return Client(
        target, timeout_s=timeout_s, explain_timeout_s=EXPLANATION_TIMEOUT_S, connect_timeout_s=CONNECT_TIMEOUT_S
    )


def client(timeout_s: float = ANALYSIS_TIMEOUT_S) -> Client:
    """A client whose calls wait at most `timeout_s` seconds; one channel per process, kept open."""
    return cast(Client, _channel(address(), timeout_s))


@dataclass(frozen=True)
class Look:
    """The gateway at one moment.

    Attributes:
        models: of each model the newest version that answers now, else the newest; empty where the gateway is away.
        error: why it does not answer, or None.
    """

    models: tuple[ModelSummary, ...] = ()
    error: errors.KerascopeError | None = None

    @property
    def signature(self) -> tuple[tuple[str, int, bool], ...] | None:
        """Changes when the page has to be drawn again: a model came, went, or changed its state."""
        return None if self.error else tuple((model.name, model.version, model.ready) for model in self.models)


def look() -> Look:
    """Asks the gateway which models answer now; an error is part of the answer."""
    try:
        listed = client(LOOK_TIMEOUT_S).models()
    except errors.KerascopeError as error:
        return Look(error=error)
    newest = {model.name: model for model in sorted(listed, key=lambda model: (model.ready, model.version))}
    return Look(models=tuple(sorted(newest.values(), key=lambda model: (model.question, model.name))))


def remembered(now: Look) -> tuple[ModelSummary, ...]:
    """The models of this look, or of the last answered one, so that results stay while the gateway is away."""
    if now.error is None:
        st.session_state["models"] = now.models
    models: tuple[ModelSummary, ...] = st.session_state.get("models", ())
    return models


def card(name: str, version: int) -> ModelCard:
    """A model's card, asked for once per session.

    Raises:
        KerascopeError: as `Client.card`.
    """
    cards: dict[tuple[str, int], ModelCard] = st.session_state.setdefault("cards", {})
    if (name, version) not in cards:
        cards[name, version] = client().card(name, version)
    return cards[name, version]


def attempt(call: Callable[[], Answer]) -> Answer | errors.KerascopeError:
    """A call's answer, or the error it raised on purpose, to be shown in its place."""
    try:
        return call()
    except errors.KerascopeError as error:
        return error
