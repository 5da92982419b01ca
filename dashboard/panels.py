"""Results in, widgets out. Nothing here calls the gateway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import streamlit as st

from dashboard import card as cards
from dashboard import cautions, charts, markup, troubles, viewer, words, worth
from dashboard.i18n import _
from dashboard.studies import Study
from zoo import errors
from zoo.cards import ModelCard
from zoo.imaging.overlay import heatmap
from zoo.reference_set import Alike, ReferenceSet
from zoo.results import Analysis, Explanation, Finding

VIEWER = "viewer"


def chart(spec: charts.Spec, key: str = "") -> Any:
    """A chart; with a key, one whose points can be chosen: its state is given back."""
    drawn = charts.inked(spec, dark=st.context.theme.type == "dark")
    if key:
        return st.vega_lite_chart(drawn, width="stretch", on_select="rerun", key=key)
    return st.vega_lite_chart(drawn, width="stretch")


def trouble(error: errors.KerascopeError, again: str = "") -> None:
    """Why there is no result and what to do.

    Args:
        again: key of a button that tries again where that may help; empty for none.
    """
    told = troubles.trouble(error)
    st.html(markup.trouble(told))
    if told.passes and again:
        st.button(_("Try again"), key=again)


def picture(
    study: Study | None,
    shown: viewer.Map | None = None,
    key: str = "",
    on_ask: Callable[[int], None] | None = None,
    widget: str = VIEWER,
    link: viewer.Link | None = None,
) -> None:
    """The viewer, with what speaks for a finding; without a picture an empty screen of the same size.

    Args:
        key: of the study and the model; what is set by hand is kept under it.
        on_ask: called with the number of the slice that the models are to be asked about.
        widget: another one's name for a second viewer on the page.
        link: between the two.
    """
    slices = study.slices if study else []
    asked = study.asked if study and slices else 0
    under = key or (study.key if study else "")
    map_ = shown if slices else None
    viewer.show(slices, key=widget, study=under, asked=asked, map=map_, on_ask=on_ask, link=link)
    if study and study.scan.facts:
        st.html(f'<p class="ks-facts">{escape(study.title)}: {escape(study.scan.facts)}</p>')


def evidence(finding: Finding) -> viewer.Map:
    """Off to begin with where the finding is below its operating point: a map of something absent misleads."""
    name, (heat, strength) = words.spoken(finding.label).lower(), heatmap(finding.evidence)
    title = _("Evidence for {finding}").format(finding=name)
    if strength <= 0:
        nothing = _("Nothing in this picture speaks for {finding} (raw strength 0).").format(finding=name)
        return viewer.Map(label=finding.label, heat=heat, title=title, strength="", note=nothing, on=False)
    below = finding.operating_point is not None and not words.above(finding)
    where = _("(in logits, at the strongest place: {place} of the picture).").format(place=_(finding.place))
    return viewer.Map(
        label=finding.label,
        heat=heat,
        title=title,
        strength=_("Raw strength {strength:.2f}").format(strength=strength),
        note=" ".join(filter(None, [where, _(words.BELOW) if below else "", _(words.NOT_AN_OUTLINE)])),
        on=words.above(finding),
    )


def explained(made: Explanation) -> viewer.Map:
    """Another method's map, switched on: it was asked for."""
    return viewer.Map(
        label=made.label,
        heat=made.heatmap,
        title=_("{method} for {finding}").format(
            method=words.METHODS[made.method], finding=words.spoken(made.label).lower()
        ),
        strength=_("Raw strength {strength}").format(strength=f"{made.strength:.3g}"),
        note=" ".join([_("(in the method's own unit)."), _(words.NOT_AN_OUTLINE)]),
        on=True,
    )


def findings(
    analysis: Analysis, card: ModelCard, chosen_key: str, warnings: list[str], reference: ReferenceSet | None
) -> None:
    """The caution, if any, the answer in a sentence, then a row per finding; choosing a row shows its evidence.

    Args:
        chosen_key: where in the session state the chosen label is kept.
        warnings: what must be known before the answer is read.
        reference: the model's, for the intervals on the bars; None where there is none, or not yet.
    """
    if analysis.caution is not None:
        st.html(cautions.banner(analysis.caution))
    if warnings:
        st.html(markup.warnings(warnings))
    st.html(markup.headline(words.headline(analysis, card)))
    with st.container(key="findings", gap="xsmall"):
        for finding in words.in_order(analysis.findings):
            alike = reference.alike(card.label_index(finding.label), finding.probability) if reference else None
            _finding_row(finding, card, chosen_key, alike)
    if card.kind.exclusive:
        told = _("The answers exclude each other: their probabilities add up to 100 %.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
    st.html(markup.legend())
    label = st.session_state.get(chosen_key, analysis.leading.label)
    _worth(next((f for f in analysis.findings if f.label == label), analysis.leading), card)
    with st.expander(_("Provenance and timings")):
        st.html(markup.provenance(analysis))


def _finding_row(finding: Finding, card: ModelCard, chosen_key: str, alike: Alike | None) -> None:
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
    bar.html(markup.finding(finding, exclusive=card.kind.exclusive, alike=alike))


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


def trend(past: Sequence[tuple[str, Finding]], card: ModelCard) -> None:
    """One finding from study to study of a patient, the oldest first; nothing for fewer than two."""
    if len(past) < 2:
        return
    now = past[-1][1]
    point, name = now.operating_point, words.spoken(now.label).lower()
    heading = _("{finding} over time").format(finding=words.spoken(now.label))
    st.html(f'<div class="ks-card"><h2>{escape(heading)}</h2></div>')
    rows = [{"study": when, "value": round(finding.probability, 4)} for when, finding in past]
    low, high = point.not_sure if point else (0.0, 0.0)
    title = _("Probability of {finding} in each study of this patient").format(finding=name)
    chart(charts.trend(title, rows, low, high, point.threshold if point else 0.0, _("probability")))
    told = _("The studies of this patient that are open here, each asked with {model}, version {version}.")
    st.html(f'<p class="ks-soft">{escape(told.format(model=card.name, version=card.version))}</p>')


def model_card(card: ModelCard, curves: Callable[[], None] | None = None) -> None:
    """The card as a page, the training file folded away.

    Args:
        curves: draws what belongs below its metrics.
    """
    st.html(cards.what(card))
    if curves is not None:
        curves()
    st.html(cards.how(card))
    if card.training.config:
        with st.expander(_("Training file")):
            st.code(cards.training_config(card), language="json")
