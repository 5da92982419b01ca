"""One picture, one question: the picture with its evidence on the left, what the model says of it on the right."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import gateway, markup, panels, session, words
from dashboard.session import Study
from serving.client import ModelSummary
from zoo import errors
from zoo.cards import ModelCard
from zoo.results import Analysis, Finding


def page() -> None:
    """The page, in whatever state the gateway and the study are."""
    frame, study = session.frame(), session.current()
    model = frame.model
    if model is not None:
        st.html(f'<p class="ks-question">{escape(model.question)}</p>')
    picture, answer = st.columns(2, gap="medium")
    card = gateway.attempt(lambda: gateway.card(model.name, model.version)) if model else None
    if model and isinstance(card, ModelCard):
        _answered(study, model, card, picture, answer, samples=frame.samples)
        return
    with picture:
        panels.plain_picture(study.screen if study else None)
    with answer:
        panels.trouble(card if isinstance(card, errors.KerascopeError) else frame.error or _no_models(), "again")


def _no_models() -> errors.ModelNotReady:
    return errors.ModelNotReady("The gateway answers, but it has no model to offer.")


def _answered(
    study: Study | None,
    model: ModelSummary,
    card: ModelCard,
    picture: st.delta_generator.DeltaGenerator,
    answer: st.delta_generator.DeltaGenerator,
    *,
    samples: bool,
) -> None:
    with answer:
        said, compared, about = st.tabs(["Findings", "Compare maps", "Model card"])
    with about:
        panels.model_card(card)
    if study is None:
        with picture:
            panels.plain_picture(None)
        said.html(markup.welcome(samples=samples))
        compared.html('<p class="ks-soft">Open a picture first.</p>')
        return
    _studied(study, model, card, picture, said, compared)


def _studied(
    study: Study,
    model: ModelSummary,
    card: ModelCard,
    picture: st.delta_generator.DeltaGenerator,
    said: st.delta_generator.DeltaGenerator,
    compared: st.delta_generator.DeltaGenerator,
) -> None:
    with said, st.spinner("The model is looking at the picture"):
        outcome = session.analysis(study, model.name, model.version)
    if isinstance(outcome, errors.KerascopeError) or study.screen is None:
        with picture:
            panels.plain_picture(study.screen)
        with said:
            panels.trouble(outcome if isinstance(outcome, errors.KerascopeError) else _unseen(), "again")
        compared.html('<p class="ks-soft">There is no finding to compare.</p>')
        return
    key = f"{study.key}-{model.name}-{model.version}"
    finding = _chosen(outcome, key)
    with picture:
        panels.evidence(study.screen, finding, key)
        st.html(f'<p class="ks-facts">{escape(study.title)}: {escape(study.facts)}</p>')
    with said:
        panels.findings(outcome, card, f"chosen-{key}")
    with compared:
        _compare(study, model, finding)


def _unseen() -> errors.InternalError:
    return errors.InternalError("The gateway could read this picture, but the dashboard could not show it.")


def _chosen(analysis: Analysis, key: str) -> Finding:
    label = st.session_state.setdefault(f"chosen-{key}", analysis.leading.label)
    return next((finding for finding in analysis.findings if finding.label == label), analysis.leading)


def _compare(study: Study, model: ModelSummary, finding: Finding) -> None:
    assert study.screen is not None
    method, asked = panels.method_choice(finding)
    made = session.explanation(study, model.name, model.version, finding.label, method)
    if made is None and asked:
        with st.spinner(f"{words.METHODS[method]} is at work", show_time=True):
            answer = session.explain(study, model.name, model.version, finding.label, method)
        if isinstance(answer, errors.KerascopeError):
            panels.trouble(answer)
            return
        made = answer
    if made is None:
        st.html(markup.viewer("", f"{words.METHODS[method]} has not been asked yet."))
    else:
        panels.explanation(study.screen, finding, made)
