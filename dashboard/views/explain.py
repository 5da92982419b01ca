"""Explain: the same network asked again by other methods, why one answer and not another, and similar cases."""

from __future__ import annotations

from html import escape

import numpy as np
import streamlit as st

from dashboard import gateway, listed, markup, panels, pictures, session, words
from dashboard.i18n import _
from dashboard.studies import Study
from dashboard.views import shown_cases
from zoo import errors
from zoo.cards import ModelCard
from zoo.imaging.overlay import heatmap
from zoo.results import Analysis, Explanation, Finding, Method

OPACITY = 0.55
NEIGHBOURS = 4
ALPHA = 0.6  # of Finer-CAM, as its authors take it


def tab(study: Study, analysis: Analysis, finding: Finding, card: ModelCard) -> None:
    """Methods in a grid, then the comparison of answers, then similar cases."""
    _methods(study, analysis, finding, card)
    if card.kind.exclusive and len(card.labels) > 1:
        _why_not(study, analysis, finding)
    _similar(analysis, finding, card)


def _methods(study: Study, analysis: Analysis, finding: Finding, card: ModelCard) -> None:
    name = words.spoken(finding.label).lower()
    told = _(
        "The map on the picture was served with the answer. Here the same network is asked about {finding} again, "
        "by other methods."
    ).format(finding=name)
    st.html(f'<p class="ks-soft">{escape(told)}</p>')
    choice, button = st.columns([0.64, 0.36], gap="small", vertical_alignment="bottom")
    chosen = choice.multiselect(
        _("Methods"), list(Method), default=[Method.GRAD_CAM], format_func=words.METHODS.__getitem__, key="methods"
    )
    asked = button.button(_("Compute the maps"), type="primary", width="stretch", key="explain")
    model, version = analysis.provenance.model, analysis.provenance.version
    made = {method: session.explanation(study, model, version, finding.label, method) for method in chosen}
    cells = st.columns(2, gap="small") if any(made.values()) or asked else []
    for number, method in enumerate(chosen if cells else []):
        with cells[number % 2]:
            _cell(study, finding, card, method, made[method], asked=asked)


def _cell(
    study: Study, finding: Finding, card: ModelCard, method: Method, made: Explanation | None, *, asked: bool
) -> None:
    title = words.METHODS[method]
    answer: Explanation | errors.KerascopeError | None = made
    if answer is None and asked:
        with st.spinner(_("{method} is at work").format(method=title), show_time=True):
            answer = session.explain(study, card.name, card.version, finding.label, method)
    if isinstance(answer, errors.KerascopeError):
        panels.trouble(answer)
    elif answer is None or study.scan.screen is None:
        st.html(markup.viewer("", _("{method} has not been asked yet.").format(method=title)))
    else:
        source = pictures.with_map(study.scan.screen, answer.heatmap, OPACITY)
        alternative = _("The picture, with the {method} map for {finding} over it").format(
            method=title, finding=words.spoken(finding.label).lower()
        )
        st.html(markup.viewer(source, alternative, _caption(finding, answer, card)))


def _caption(finding: Finding, made: Explanation, card: ModelCard) -> str:
    said = [
        f"<b>{escape(words.METHODS[made.method])}</b>",
        escape(_("took {seconds:.2f} s;").format(seconds=made.elapsed_ms / 1000)),
        escape(_("raw strength {strength:.3g}, in the method's own unit.").format(strength=made.strength)),
    ]
    if made.method is Method.GRAD_CAM and (alike := pictures.agreement(finding.evidence, made.heatmap)):
        cosine = _("not defined") if alike.cosine is None else f"{alike.cosine:.6f}"
        said.append(
            escape(
                _(
                    "Against the evidence served: cosine similarity {cosine}, largest difference {difference:.1e}."
                ).format(cosine=cosine, difference=alike.largest_difference)
            )
        )
    if finding.operating_point is not None and not words.above(finding):
        said.append(escape(_(words.BELOW)))
    said.append(escape(_(words.NOT_AN_OUTLINE)))
    return " ".join(said) + listed.reliability(card, made.method, finding.label)


def _why_not(study: Study, analysis: Analysis, finding: Finding) -> None:
    """Finer-CAM: relu(E_c - alpha * E_d), what speaks for one answer more than for another.

    Source: Zhang et al. 2025, https://arxiv.org/abs/2501.11309; as `zoo.explain.evidence.finer_cam` with one label.
    """
    others = sorted((f for f in analysis.findings if f is not finding), key=lambda f: -f.probability)
    name = words.spoken(finding.label).lower()
    st.html(f'<div class="ks-card"><h2>{escape(_("Why this and not that"))}</h2></div>')
    label = st.selectbox(
        _("Why {finding} and not").format(finding=name),
        [other.label for other in others],
        format_func=words.spoken,
        key=f"why-not-{analysis.provenance.model}-{finding.label}",
    )
    other = next(f for f in others if f.label == label)
    heat, strength = heatmap(finding.evidence - np.float32(ALPHA) * other.evidence)
    if study.scan.screen is None:
        return
    title = _("Finer-CAM: what speaks for {finding} more than for {other}").format(
        finding=name, other=words.spoken(other.label).lower()
    )
    source = pictures.with_map(study.scan.screen, heat if strength > 0 else None, OPACITY)
    note = _("Raw strength {strength:.2f}").format(strength=strength)
    caption = f"<b>{escape(title)}</b>. {escape(note)}. {escape(_(words.NOT_AN_OUTLINE))}"
    picture, _rest = st.columns(2, gap="small")
    picture.html(markup.viewer(source, title, caption))


def _similar(analysis: Analysis, finding: Finding, card: ModelCard) -> None:
    """The pictures that the model's features find most alike: of its test set, and of the gateway's own answers."""
    st.html(f'<div class="ks-card"><h2>{escape(_("Similar cases"))}</h2></div>')
    key = f"similar-{analysis.provenance.analysis_id}"
    if st.button(_("Find similar cases"), key="find-similar"):
        asked = analysis.provenance.analysis_id
        st.session_state[key] = gateway.attempt(lambda: gateway.client().similar(asked))
    found = st.session_state.get(key)
    if found is not None:
        _of_the_test_set(analysis, finding, card)
    if isinstance(found, errors.BadConfig):
        told = _("This gateway keeps no analyses (it has no store), so there is nothing to compare with.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
    elif isinstance(found, errors.KerascopeError):
        panels.trouble(found)
    elif found is not None:
        own = analysis.provenance.image_sha256  # asked about before
        st.html(listed.similar([(alike, stored) for alike, stored in found if stored.image_sha256 != own]))


def _of_the_test_set(analysis: Analysis, finding: Finding, card: ModelCard) -> None:
    reference = gateway.attempt(lambda: gateway.reference_set(card.name, card.version))
    if isinstance(reference, errors.UnknownRecord):
        told = _("This model's bundle holds no reference set, so that nothing can be compared with it.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
    elif isinstance(reference, errors.KerascopeError):
        panels.trouble(reference)
    else:
        st.html(f'<p class="ks-soft">{escape(_("Of the test set, with what is known of them:"))}</p>')
        st.html(listed.cases(shown_cases.nearest(card, reference, finding.label, analysis, NEIGHBOURS)))
