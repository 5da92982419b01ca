"""One picture or series, one question: the viewer on the left, what the model says of it on the right."""

from __future__ import annotations

from html import escape

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard import cautions, gateway, markup, panels, session, viewer, words
from dashboard.i18n import _
from dashboard.studies import Study
from dashboard.views import answer, compare, explain
from dashboard.views.compare import Beside
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
    viewer.ahead(study.scan.view if study else None)
    beside = compare.chosen(study, model)
    picture, other, said = _places(two=beside is not None)
    card = gateway.attempt(lambda: gateway.card(model.name, model.version)) if model else None
    if model and isinstance(card, ModelCard):
        finding = _answered(study, model, card, (picture, said), beside, samples=frame.samples)
        if study is not None and beside is not None and finding is not None:
            with other:
                compare.show(study, beside, finding.label, card)
        if gateway.fetch_reference_set(card.name, card.version) and finding is not None:
            st.rerun()  # the bars get their intervals
        return
    with picture:
        panels.picture(study)
    with said:
        panels.trouble(card if isinstance(card, errors.KerascopeError) else frame.error or _no_models(), "again")


def _places(*, two: bool) -> tuple[DeltaGenerator, DeltaGenerator, DeltaGenerator]:
    """Where the picture, the one beside it and what is said go: two pictures take the whole width."""
    with st.container(key="split"):  # one below the other where the window is narrow (style.css)
        if not two:
            picture, said = st.columns([0.52, 0.48], gap="medium")
            return picture, picture, said
        picture, other = st.columns(2, gap="medium")
    return picture, other, st.container()


def _no_models() -> errors.ModelNotReady:
    return errors.ModelNotReady("The gateway answers, but it has no model to offer.")


def _answered(
    study: Study | None,
    model: ModelSummary,
    card: ModelCard,
    places: tuple[DeltaGenerator, DeltaGenerator],
    beside: Beside | None,
    *,
    samples: bool,
) -> Finding | None:
    """Draws all of it but what stands beside; gives the finding that was chosen, where there is one."""
    picture, said = places
    with said:
        found, back, why, about = st.tabs([_("Findings"), _("Answer back"), _("Explain"), _("Model card")])
    with about:
        panels.model_card(card)
    if study is None:
        with picture:
            panels.picture(None)
        found.html(markup.welcome(samples=samples))
        for tab in (back, why):
            tab.html(f'<p class="ks-soft">{escape(_("Open a picture first."))}</p>')
        return None
    with found, st.spinner(_("The model is looking at the picture")):
        outcome = session.analysis(study, model.name, model.version)
    if not isinstance(outcome, Analysis):
        _refused(study, outcome, picture, found, (back, why))
        return None
    return _studied(study, outcome, card, beside, (picture, found, back, why))


def _refused(
    study: Study,
    error: errors.KerascopeError,
    picture: DeltaGenerator,
    found: DeltaGenerator,
    others: tuple[DeltaGenerator, ...],
) -> None:
    with picture:
        panels.picture(study, on_ask=session.ask_about)
    with found:
        panels.trouble(error, "again")
    for tab in others:
        tab.html(f'<p class="ks-soft">{escape(_("There is no finding to speak of."))}</p>')


def _studied(
    study: Study, analysis: Analysis, card: ModelCard, beside: Beside | None, places: tuple[DeltaGenerator, ...]
) -> Finding:
    picture, found, back, why = places
    key = f"{study.key}-{card.name}-{card.version}"
    finding = _chosen(analysis, key)
    with picture:
        if beside is not None:
            st.html(cautions.beside(_("This study, {date}").format(date=f"{study.when:%Y-%m-%d}"), analysis))
        panels.picture(study, panels.evidence(finding), key, session.ask_about, link=compare.link(study, beside, 0))
    with found:
        warnings = words.warnings(analysis, card, study.analyses())
        reference = gateway.known_reference_set(card.name, card.version)
        panels.findings(analysis, card, f"chosen-{key}", warnings, reference)
        panels.trend(compare.past(study, finding.label, card), card)
    with back:
        answer.tab(study, analysis, card)
    with why:
        explain.tab(study, analysis, finding, card)
    return finding


def _chosen(analysis: Analysis, key: str) -> Finding:
    label = st.session_state.setdefault(f"chosen-{key}", analysis.leading.label)
    return next((finding for finding in analysis.findings if finding.label == label), analysis.leading)
