"""The models: each card as a page, which versions there are and whether they answer, what changed between two."""

from __future__ import annotations

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import cases, changes, charts, gateway, markup, panels, session, words
from dashboard.i18n import _
from serving.client import ModelSummary
from zoo import errors
from zoo.cards import ModelCard
from zoo.reference_set import ReferenceSet


def page() -> None:
    """Every version in a table, then the card of one, and what changed since another."""
    listed = gateway.attempt(lambda: gateway.client(gateway.LOOK_TIMEOUT_S).models())
    if isinstance(listed, errors.KerascopeError):
        panels.trouble(listed, "again")
        return
    every = sorted(listed, key=lambda model: (model.name, -model.version))
    if not every:
        panels.trouble(errors.ModelNotReady("The gateway answers, but it has no model to offer."), "again")
        return
    st.html(_table(every))
    first, second = st.columns(2, gap="medium")
    chosen = first.selectbox(_("Model"), every, index=_asked(every), format_func=_named, key="card-of")
    others = [model for model in every if model.name == chosen.name and model.version != chosen.version]
    before = _since(second, chosen, others)
    _shown(chosen, before)


def _since(place: DeltaGenerator, chosen: ModelSummary, others: list[ModelSummary]) -> ModelSummary | None:
    """The version to compare with, where there is one."""
    if not others:
        return None
    before: ModelSummary | None = place.selectbox(
        _("What changed since"),
        others,
        index=None,
        format_func=_named,
        key=f"since-{chosen.name}-{chosen.version}",
        placeholder=_("Choose a version"),
    )
    return before


def _asked(every: list[ModelSummary]) -> int:
    """Where the model of the question at the side stands."""
    asked = session.frame().model
    places = [
        at for at, model in enumerate(every) if asked and (model.name, model.version) == (asked.name, asked.version)
    ]
    return places[0] if places else 0


def _named(model: ModelSummary) -> str:
    return _("{name}, version {version}").format(name=model.name, version=model.version)


def _table(every: list[ModelSummary]) -> str:
    head = [_("Model"), _("Version"), _("State"), _("Question")]
    rows = [
        [
            model.name,
            str(model.version),
            _("answers now") if model.ready else _("does not answer"),
            model.question,
        ]
        for model in every
    ]
    return f'<div class="ks-card">{markup.table(_("Models and versions"), head, rows)}</div>'


def _shown(chosen: ModelSummary, before: ModelSummary | None) -> None:
    card = gateway.attempt(lambda: gateway.card(chosen.name, chosen.version))
    if isinstance(card, errors.KerascopeError):
        panels.trouble(card, "again")
        return
    if before is not None:
        old = gateway.attempt(lambda: gateway.card(before.name, before.version))
        if isinstance(old, ModelCard):
            _changes(old, card)
    panels.model_card(card, lambda: _curves(card))


def _curves(card: ModelCard) -> None:
    """ROC, precision and recall, and reliability, of the test set."""
    reference = gateway.attempt(lambda: gateway.reference_set(card.name, card.version))
    if not isinstance(reference, ReferenceSet):
        return  # an older bundle; the card's numbers stand below
    names = {words.spoken(label): column for column, label in enumerate(card.label_names)}
    sensitivity, precision, share = _("sensitivity"), _("precision"), _("share that has it")
    drawn = [
        ("ROC", cases.roc, (_("1 - specificity"), sensitivity), True),
        (_("Precision and recall"), cases.precision_recall, (_("sensitivity (recall)"), precision), False),
        (_("Reliability"), cases.reliability, (_("calibrated probability"), share), True),
    ]
    with st.container(key="split-models"):
        places = st.columns(3, gap="medium")
    for place, (title, made, axes, diagonal) in zip(places, drawn, strict=True):
        found = {name: curve for name, column in names.items() if (curve := made(reference, column)) is not None}
        with place:
            st.html(f'<div class="ks-card"><h2>{escape(title)}</h2></div>')
            panels.chart(charts.curves(title, found, axes, diagonal=diagonal, dots=made is cases.reliability))
    told = _("Of {count} of the {all} pictures of the test set.").format(count=len(reference), all=reference.of)
    st.html(f'<p class="ks-soft">{escape(told)}</p>')


def _changes(old: ModelCard, new: ModelCard) -> None:
    title = _("What changed from version {old} to {new}").format(old=old.version, new=new.version)
    changed = changes.between(old, new)
    if not changed:
        st.html(f'<p class="ks-soft">{escape(_("Nothing that a card says has changed."))}</p>')
        return
    head = [
        _("What"),
        _("Version {version}").format(version=old.version),
        _("Version {version}").format(version=new.version),
    ]
    st.html(f'<div class="ks-card"><h2>{escape(title)}</h2>{markup.table(title, head, changed)}</div>')
