"""Answer back: what a person says of each finding, kept by the gateway's store; and the report as files."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from dashboard import cautions, export, gateway, markup, panels, session, words
from dashboard.i18n import _, n_
from dashboard.studies import Study
from serving.client import Decision, Review
from zoo import errors
from zoo.cards import ModelCard
from zoo.results import Analysis, Finding, Verdict

DECISIONS = {
    Decision.ACCEPT: n_("Accept"),
    Decision.REJECT: n_("Reject"),
    Decision.CORRECT: n_("Correct"),
    Decision.COMMENT: n_("Comment"),
}
CORRECTIONS = {Verdict.PRESENT: n_("It is present"), Verdict.ABSENT: n_("It is absent")}


def tab(study: Study, analysis: Analysis, card: ModelCard) -> None:
    """A row per finding, a signature, what was said so far, and the report to take away."""
    key = analysis.provenance.analysis_id
    st.html(f'<p class="ks-soft">{escape(_("Say what you think of each finding. Only what you choose is sent."))}</p>')
    if analysis.caution is not None:
        st.html(cautions.mark(analysis))
    with st.container(key="answers", gap="xsmall"):
        for finding in words.in_order(analysis.findings):
            _row(finding, card, f"{key}-{finding.label}")
    st.checkbox(_("I sign this as my own reading"), key=f"sign-{key}")
    if st.button(_("Send the answer"), type="primary", key="send-answer"):
        _send(study, analysis, key)
    _told(study, analysis)
    _files(study, analysis, card)


def _row(finding: Finding, card: ModelCard, key: str) -> None:
    name = words.spoken(finding.label)
    st.html(markup.chip(finding, exclusive=card.kind.exclusive, name=name))
    decision = st.segmented_control(
        name,
        list(DECISIONS),
        format_func=lambda each: _(DECISIONS[each]),
        key=f"decision-{key}",
        label_visibility="collapsed",
    )
    if decision is None:
        return
    first, second = st.columns([0.36, 0.64], gap="small")
    if decision is Decision.CORRECT:
        first.selectbox(
            _("What it should be"),
            list(CORRECTIONS),
            index=int(finding.verdict is Verdict.PRESENT),
            format_func=lambda each: _(CORRECTIONS[each]),
            key=f"correction-{key}",
            label_visibility="collapsed",
        )
    second.text_input(
        _("Comment on {finding}").format(finding=name.lower()),
        key=f"comment-{key}",
        max_chars=1000,
        placeholder=_("Comment"),
        label_visibility="collapsed",
    )


def _send(study: Study, analysis: Analysis, key: str) -> None:
    """Sends every decision that was made; one that fails is told and the rest is not sent."""
    user = session.user()
    chosen = [f for f in analysis.findings if st.session_state.get(f"decision-{key}-{f.label}") is not None]
    if not user or not chosen:
        lacking = (
            _("Give your name first, on the left.") if not user else _("Choose what you think of a finding first.")
        )
        st.html(markup.warnings([lacking]))
        return
    for finding in chosen:
        review = _review(
            analysis, finding, f"{key}-{finding.label}", user, signed=bool(st.session_state[f"sign-{key}"])
        )
        said = gateway.attempt(lambda review=review: gateway.review(review))  # type: ignore[misc]
        if isinstance(said, errors.BadConfig):  # a gateway without a store
            study.reviews.append(review)
        elif isinstance(said, errors.KerascopeError):
            panels.trouble(said)
            return


def _review(analysis: Analysis, finding: Finding, key: str, user: str, *, signed: bool) -> Review:
    decision: Decision = st.session_state[f"decision-{key}"]
    return Review(
        analysis_id=analysis.provenance.analysis_id,
        decision=decision,
        user=user,
        finding=finding.label,
        correction=st.session_state[f"correction-{key}"] if decision is Decision.CORRECT else None,
        comment=str(st.session_state.get(f"comment-{key}") or "").strip(),
        signed=signed,
    )


def reviews(study: Study, analysis: Analysis) -> tuple[list[Review], bool]:
    """What was said of an analysis, oldest first, and whether a store keeps it."""
    stored = gateway.attempt(lambda: gateway.client().analysis(analysis.provenance.analysis_id))
    if isinstance(stored, errors.KerascopeError):
        own = [each for each in study.reviews if each.analysis_id == analysis.provenance.analysis_id]
        return own, False
    return list(stored.reviews), True


def _told(study: Study, analysis: Analysis) -> None:
    said, kept = reviews(study, analysis)
    if not said:
        return
    rows = [
        [
            words.spoken(each.finding) if each.finding else _("All of it"),
            _(DECISIONS[each.decision]) + (f": {_(CORRECTIONS[each.correction])}" if each.correction else ""),
            each.user + (_(" (signed)") if each.signed else ""),
            each.comment,
        ]
        for each in said
    ]
    head = [_("Finding"), _("Said"), _("By"), _("Comment")]
    st.html(
        f'<div class="ks-card"><h2>{escape(_("Said so far"))}</h2>{markup.table(_("Said so far"), head, rows)}</div>'
    )
    if not kept:
        told = _("This gateway keeps no answers (it has no store): they live in this session and in what you export.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')


def _files(study: Study, analysis: Analysis, card: ModelCard) -> None:
    st.html(f'<div class="ks-card"><h2>{escape(_("Take the report away"))}</h2></div>')
    held = export.Report(study=study, analysis=analysis, card=card, reviews=tuple(reviews(study, analysis)[0]))
    offers: list[tuple[str, str, str, Callable[[], bytes], str]] = [
        ("PDF", "pdf", "application/pdf", held.pdf, export.lacking(dicom=False, study=study)),
        ("DICOM SR", "dcm", "application/dicom", held.structured, export.lacking(dicom=True, study=study)),
        ("FHIR", "json", "application/fhir+json", held.fhir, export.lacking(dicom=False, study=study)),
        ("PNG", "png", "image/png", held.png, ""),
        ("CSV", "csv", "text/csv", held.csv, ""),
    ]
    with st.container(horizontal=True, key="exports", gap="small"):
        for name, ending, kind, made, why_not in offers:
            st.download_button(
                name,
                made,
                file_name=f"kerascope-{analysis.provenance.analysis_id}.{ending}",
                mime=kind,
                key=f"export-{ending}",
                disabled=bool(why_not),
                help=why_not or None,
                on_click="ignore",
            )
