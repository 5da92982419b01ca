"""The dashboard's line to the gateway. Nothing is shared between users: each session has its own client."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import streamlit as st

from dashboard import account, drift
from serving.client import Client, ModelSummary, Review, StoredAnalysis, Study
from zoo import errors
from zoo.cards import ModelCard
from zoo.reference_set import ReferenceSet

ADDRESS = "KERASCOPE_GATEWAY"
DEFAULT_ADDRESS = "localhost:50051"

CONNECT_TIMEOUT_S = 1.0
LOOK_TIMEOUT_S = 5.0
ANALYSIS_TIMEOUT_S = 60.0
EXPLANATION_TIMEOUT_S = 150.0
REVIEWS_S = 30.0
HISTORY_S = 30.0
MOST_REFERENCE_SETS = 3
MOST_ANSWERS, PAGE = 5000, 500

Answer = TypeVar("Answer")


def address() -> str:
    """Where the gateway is: the environment variable KERASCOPE_GATEWAY, else localhost:50051."""
    return os.environ.get(ADDRESS) or DEFAULT_ADDRESS


def client(timeout_s: float = ANALYSIS_TIMEOUT_S) -> Client:
    """This session's client, whose calls wait at most `timeout_s` seconds; it is kept open, and nobody else's.

    Whoever is logged in calls with their token. Else the name is what the user gave, for the gateway's audit trail;
    nobody has checked it.
    """
    who = account.current()
    named, token = (who.name, who.token) if who else (str(st.session_state.get("user") or "").strip(), None)
    key = (address(), timeout_s, named, token)
    kept: dict[tuple[str, float, str, str | None], Client] = st.session_state.setdefault("clients", {})
    for other in [each for each in kept if each[1] == timeout_s and each != key]:
        kept.pop(other).close()
    if key not in kept:
        kept[key] = Client(
            address(),
            timeout_s=timeout_s,
            explain_timeout_s=EXPLANATION_TIMEOUT_S,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            user=named,
            token=token,
        )
    return kept[key]


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


def reference_set(name: str, version: int) -> ReferenceSet:
    """How a model did on its test split, asked for once per session; the last few are kept.

    Raises:
        KerascopeError: as `Client.reference_set`; UnknownRecord where its bundle does not say.
    """
    known: dict[tuple[str, int], ReferenceSet] = st.session_state.setdefault("reference-sets", {})
    if (name, version) not in known:
        known[name, version] = client().reference_set(name, version)
        while len(known) > MOST_REFERENCE_SETS:
            known.pop(next(iter(known)))
    return known[name, version]


def known_reference_set(name: str, version: int) -> ReferenceSet | None:
    """What `reference_set` has fetched and still keeps; None else."""
    known: dict[tuple[str, int], ReferenceSet] = st.session_state.get("reference-sets", {})
    return known.get((name, version))


def fetch_reference_set(name: str, version: int) -> bool:
    """Makes `known_reference_set` know it, once everything else is drawn; True where it did not before.

    A model's that could not be had is not asked for again in this session.
    """
    missing: set[tuple[str, int]] = st.session_state.setdefault("no-reference-sets", set())
    if (name, version) in missing or known_reference_set(name, version) is not None:
        return False
    if isinstance(attempt(lambda: reference_set(name, version)), ReferenceSet):
        return True
    missing.add((name, version))
    return False


def history(card: ModelCard) -> list[drift.Fact]:
    """The newest answers of a model, at most `MOST_ANSWERS`, oldest first; asked for again after `HISTORY_S` seconds.

    Raises:
        KerascopeError: as `Client.analyses`; BadConfig where the gateway has no store.
    """
    key, now = (card.name, card.version), time.monotonic()
    kept: tuple[tuple[str, int], float, list[drift.Fact]] | None = st.session_state.get("history")
    if kept is None or kept[0] != key or now - kept[1] > HISTORY_S:
        kept = (key, now, _history(card))
        st.session_state["history"] = kept
    return kept[2]


def _history(card: ModelCard) -> list[drift.Fact]:
    found: list[drift.Fact] = []
    before = 0
    while len(found) < MOST_ANSWERS:
        page = client().analyses(model=card.name, before=before, limit=PAGE, embedding=True)
        found += drift.facts(page, card)
        if len(page) < PAGE:
            break
        before = page[-1].sequence
    return sorted(found, key=lambda fact: fact.created)


def worklist(limit: int = 50) -> list[tuple[Study, dict[str, StoredAnalysis]]]:
    """The newest studies of the store, each with its answers by their identifier.

    A study's answers are asked for again when something of it has changed, or after `REVIEWS_S` seconds, as a review
    does not show in the list.

    Raises:
        KerascopeError: as `Client.studies`; BadConfig where the gateway has no store.
    """
    asked, now = client(LOOK_TIMEOUT_S), time.monotonic()
    known: dict[str, tuple[Study, float, dict[str, StoredAnalysis]]] = st.session_state.get("answers", {})
    fresh = {}
    for study in asked.studies(limit=limit):
        before = known.get(study.study_uid)
        if before is None or before[0] != study or now - before[1] > REVIEWS_S:
            answers = {stored.analysis_id: stored for stored in asked.study(study.study_uid)[1]}
            before = (study, now, answers)
        fresh[study.study_uid] = before
    st.session_state["answers"] = fresh
    return [(study, answers) for study, _asked, answers in fresh.values()]


def review(said: Review) -> Review:
    """Hands a person's word to the gateway's store.

    Raises:
        KerascopeError: as `Client.review`; BadConfig where the gateway has no store.
    """
    return client().review(
        said.analysis_id,
        said.decision,
        user=said.user,
        finding=said.finding,
        correction=said.correction,
        comment=said.comment,
        signed=said.signed,
    )


def attempt(call: Callable[[], Answer]) -> Answer | errors.KerascopeError:
    """A call's answer, or the error it raised on purpose, to be shown in its place."""
    try:
        return call()
    except errors.KerascopeError as error:
        return error
