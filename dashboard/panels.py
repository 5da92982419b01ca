"""Results in, widgets out. Nothing here calls the gateway."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from dashboard import card as cards
from dashboard import markup, viewer, words, worth
from dashboard.i18n import _
from dashboard.studies import Study
from zoo import errors
from zoo.cards import ModelCard
from zoo.imaging.overlay import heatmap
from zoo.results import Analysis, Finding

VIEWER = "viewer"


def trouble(error: errors.KerascopeError, again: str = "") -> None:
    """Why there is no result and what to do.

    Args:
        again: key of a button that tries again where that may help; empty for none.
    """
    told = words.trouble(error)
    st.html(markup.trouble(told))
    if told.passes and again:
        st.button(_("Try again"), key=again)


def picture(
    study: Study | None, finding: Finding | None = None, key: str = "", on_ask: Callable[[int], None] | None = None
) -> None:
    """The viewer, with the evidence for a finding; without a picture an empty screen of the same size.

    Args:
        key: of the study and the model; what is set by hand is kept under it.
        on_ask: called with the number of the slice that the models are to be asked about.
    """
    slices = study.slices if study else []
    shown = _evidence(finding) if finding and slices else None
    asked = study.asked if study and slices else 0
    viewer.show(slices, key=VIEWER, study=key or (study.key if study else ""), asked=asked, map=shown, on_ask=on_ask)
    if study and study.scan.facts:
        st.html(f'<p class="ks-facts">{escape(study.title)}: {escape(study.scan.facts)}</p>')


def _evidence(finding: Finding) -> viewer.Map:
    """Off to begin with where the finding is below its operating point: a map of something absent misleads."""
    name, (_heat, strength) = words.spoken(finding.label).lower(), heatmap(finding.evidence)
    title = _("Evidence for {finding}").format(finding=name)
    if strength <= 0:
        nothing = _("Nothing in this picture speaks for {finding} (raw strength 0).").format(finding=name)
        return viewer.Map(finding=finding, title=title, strength="", note=nothing, on=False)
    below = finding.operating_point is not None and not words.above(finding)
    where = _("(in logits, at the strongest place: {place} of the picture).").format(place=_(finding.place))
    return viewer.Map(
        finding=finding,
        title=title,
        strength=_("Raw strength {strength:.2f}").format(strength=strength),
        note=" ".join(filter(None, [where, _(words.BELOW) if below else "", _(words.NOT_AN_OUTLINE)])),
        on=words.above(finding),
    )


def findings(analysis: Analysis, card: ModelCard, chosen_key: str, warnings: list[str]) -> None:
    """The answer in a sentence, then a row per finding; choosing a row shows its evidence.

    Args:
        chosen_key: where in the session state the chosen label is kept.
        warnings: what must be known before the answer is read.
    """
    if warnings:
        st.html(markup.warnings(warnings))
    st.html(markup.headline(words.headline(analysis, card)))
    with st.container(key="findings", gap="xsmall"):
        for finding in words.in_order(analysis.findings):
            _finding_row(finding, card, chosen_key)
    if card.kind.exclusive:
        told = _("The answers exclude each other: their probabilities add up to 100 %.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
    st.html(markup.legend())
    label = st.session_state.get(chosen_key, analysis.leading.label)
    _worth(next((f for f in analysis.findings if f.label == label), analysis.leading), card)
    with st.expander(_("Provenance and timings")):
        st.html(markup.provenance(analysis))


def _finding_row(finding: Finding, card: ModelCard, chosen_key: str) -> None:
    name, bar = st.columns([0.32, 0.68], gap="small", vertical_alignment="top")
    chosen = st.session_state.get(chosen_key) == finding.label
    name.button(
        words.spoken(finding.label),
        key=f"choose-{finding.label}",
        type="tertiary",
        icon=":material/radio_button_checked:" if chosen else ":material/radio_button_unchecked:",
        help=_("Show the evidence for it on the picture"),
        on_click=st.session_state.__setitem__,
        args=(chosen_key, finding.label),
    )
    bar.html(markup.finding(finding, exclusive=card.kind.exclusive))


def _worth(finding: Finding, card: ModelCard) -> None:
    """What the chosen finding's verdict is worth at a prevalence that the user sets."""
    if finding.operating_point is None:
        return
    own = worth.own_prevalence(card.labels[card.label_index(finding.label)])
    name = words.spoken(finding.label).lower()
    with st.container(key="worth", border=True):
        asked, said = st.columns([0.34, 0.66], gap="medium", vertical_alignment="center")
        per_cent = asked.number_input(
            _("Prevalence of {finding}, %").format(finding=name),
            min_value=0.01,
            max_value=99.99,
            value=round(100 * own, 2),
            key=f"prevalence-{card.name}-{finding.label}",
            help=_("Of 100 of your patients, how many have it? It begins with the share in the model's test set."),
        )
        found = worth.worth(finding.operating_point, per_cent / 100)
        if found is None:
            said.html(f'<p class="ks-soft">{escape(_("Its sensitivity and specificity were not measured."))}</p>')
        else:
            said.html(markup.worth(found, name))


def model_card(card: ModelCard) -> None:
    """The card as a page, the training file folded away."""
    st.html(cards.page(card))
    if card.training.config:
        with st.expander(_("Training file")):
            st.code(cards.training_config(card), language="json")
