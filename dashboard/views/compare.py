"""What stands beside the picture: another study that is open, the patient's priors first, or another method's map."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from dashboard import cautions, panels, session, viewer, words
from dashboard.i18n import _
from dashboard.studies import Study
from serving.client import ModelSummary
from zoo.cards import ModelCard
from zoo.results import Analysis, Explanation, Finding

KEY = "beside"
WIDGET = "viewer-beside"


@dataclass(frozen=True, kw_only=True, eq=False)
class Beside:
    """One thing to compare with.

    Attributes:
        key: for the widget.
        title: what it is called.
        study: its picture or series.
        explanation: the map of another method, of the same picture.
        related: whether it is of the same patient, so that the two are looked at together.
    """

    key: str
    title: str
    study: Study
    explanation: Explanation | None = None
    related: bool = True


def offered(study: Study, model: ModelSummary) -> list[Beside]:
    """What there is: the same patient's studies, newest first, then maps of this picture, then what else is open."""
    others = sorted(
        (s for s in session.opened() if s is not study and s.refusal is None), key=lambda s: s.when, reverse=True
    )
    known = [
        Beside(key=f"study-{s.key}", title=_named(s, study), study=s, related=s.same_patient(study)) for s in others
    ]
    own = [beside for beside in known if beside.related]
    maps = [
        Beside(key=f"{method.value}-{label}", title=_of_method(made), study=study, explanation=made)
        for (sha256, name, version, label, method), made in study.explanations.items()
        if (sha256, name, version) == (study.scan.sha256, model.name, model.version)
    ]
    return [*own, *maps, *(beside for beside in known if not beside.related)]


def _named(other: Study, study: Study) -> str:
    said = _("Prior, {date}") if other.when < study.when else _("Same patient, {date}")
    return said.format(date=f"{other.when:%Y-%m-%d}") if other.same_patient(study) else other.title


def _of_method(made: Explanation) -> str:
    return _("{method} for {finding}").format(
        method=words.METHODS[made.method], finding=words.spoken(made.label).lower()
    )


def choose(model: ModelSummary | None) -> None:
    """The choice, where there is something to compare with."""
    study = session.current()
    every = offered(study, model) if study and model else []
    if every:
        titles = {each.key: each.title for each in every}
        st.selectbox(
            _("Compare with"),
            list(titles),
            index=None,
            format_func=lambda key: titles.get(key, key),
            key=KEY,
            placeholder=_("Nothing"),
            help=_("A prior, another method's map, or what else is open, side by side."),
        )


def chosen(study: Study | None, model: ModelSummary | None) -> Beside | None:
    """What was chosen, if it is still there."""
    wanted = st.session_state.get(KEY)
    if study is None or model is None or wanted is None:
        return None
    return next((each for each in offered(study, model) if each.key == wanted), None)


def link(study: Study, beside: Beside | None, end: int) -> viewer.Link | None:
    """What links the picture, end 0, and what stands beside it, end 1; on to begin with where they belong together."""
    return viewer.Link(pair=f"{study.key} {beside.key}", end=end, on=beside.related) if beside else None


def show(study: Study, beside: Beside, label: str, card: ModelCard) -> None:
    """The second viewer, with the same finding's evidence in it."""
    outcome = session.analysis(beside.study, card.name, card.version)
    answer = outcome if isinstance(outcome, Analysis) else None
    st.html(cautions.beside(beside.title, answer))
    linked = link(study, beside, 1)
    if beside.explanation is not None:
        shown = panels.explained(beside.explanation)
        panels.picture(beside.study, shown, key=beside.key, widget=WIDGET, link=linked)
        return
    found = next((f for f in answer.findings if f.label == label), None) if answer else None
    own = panels.evidence(found) if found else None
    key = f"{beside.key}-{card.name}-{card.version}"
    panels.picture(beside.study, own, key=key, widget=WIDGET, link=linked)


def past(study: Study, label: str, card: ModelCard) -> list[tuple[str, Finding]]:
    """The finding in each study of this patient that is open, the oldest first, with the study's date."""
    every = session.priors(study)
    if len(every) < 2:
        return []
    answers = [(each, session.analysis(each, card.name, card.version)) for each in every]
    return [
        (f"{each.when:%Y-%m-%d}", finding)
        for each, answer in answers
        if isinstance(answer, Analysis)
        for finding in answer.findings
        if finding.label == label
    ]
