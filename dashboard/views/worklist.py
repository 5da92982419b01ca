"""The worklist: what came, what the models found in it, what was refused and why; it looks again by itself."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from html import escape
from typing import TypeVar

import streamlit as st

from dashboard import gateway, listed, markup, panels, rows, session, troubles, words
from dashboard.i18n import _, n_
from dashboard.rows import Order, Row
from serving.client import StoredAnalysis
from zoo import errors
from zoo.results import Verdict

LOOK_EVERY_S = 5
PAGE = 50
LOOKED_AT = "looked-at"
GO = "go"
OPENED = "opened-line"
PERIODS = {
    n_("Any time"): None,
    n_("The last hour"): timedelta(hours=1),
    n_("The last day"): timedelta(days=1),
    n_("The last week"): timedelta(days=7),
}
Choice = TypeVar("Choice")


def page() -> None:
    """Filters, then the lines."""
    if st.session_state.pop(GO, False):
        st.switch_page(st.session_state[session.STUDY_PAGE])
    _lines()
    _stored()


@st.fragment(run_every=LOOK_EVERY_S)
def _lines() -> None:
    if st.session_state.pop(OPENED, False):
        st.rerun()  # the whole page: a fragment draws only itself
    fetched = gateway.attempt(gateway.worklist)
    stored = [] if isinstance(fetched, errors.KerascopeError) else rows.of_store(fetched)
    every = rows.merged(rows.of_session(session.opened()), stored)
    with st.container(key="filters"):
        order, shown = _filters(every)
    if isinstance(fetched, errors.BadConfig):
        told = _("This gateway has no store: only what you opened in this session is listed.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
    elif isinstance(fetched, errors.KerascopeError):
        panels.trouble(fetched)
    count = _("{shown} of {all} lines, times in UTC").format(shown=min(len(shown), PAGE), all=len(every))
    st.html(f'<p class="ks-soft" role="status">{escape(count)}</p>')
    if not every:
        st.html(markup.welcome(samples=session.frame().samples))
    with st.container(key="lines", gap="xsmall"):
        for row in rows.ordered(shown, order)[:PAGE]:
            _line(row)


def _filters(every: list[Row]) -> tuple[Order, list[Row]]:
    labels = sorted({finding.label for row in every if row.analysis for finding in row.analysis.findings})
    cells = st.columns(6, gap="small")
    order = cells[0].selectbox(_("Order"), list(Order), format_func=lambda each: _(each.value), key="order")
    with cells[1]:
        model = _one_of(_("Model"), sorted({row.model for row in every if row.model}), "model")
    with cells[2]:
        finding = _one_of(_("Finding"), labels, "finding", {label: words.spoken(label) for label in labels})
    with cells[3]:
        verdict = _one_of(_("Verdict"), list(Verdict), "verdict", {v: _(words.VERDICTS[v]) for v in Verdict})
    with cells[4]:
        states = {status: _(name) for status, name in rows.STATUSES.items()}
        status = _one_of(_("Status"), list(states), "status", states)
    period = cells[5].selectbox(_("When"), list(PERIODS), format_func=_, key="filter-period")
    shown = rows.filtered(
        every,
        model=model,
        finding=finding,
        verdict=verdict,
        status=status,
        within=PERIODS[period],
        now=datetime.now(timezone.utc),
    )
    return order, shown


def _one_of(title: str, choices: list[Choice], key: str, names: dict[Choice, str] | None = None) -> Choice | None:
    """A choice, or None for all; a place in the list, as Streamlit takes None for nothing chosen."""
    place = st.selectbox(
        title,
        range(len(choices) + 1),
        format_func=lambda at: (names or {}).get(choices[at - 1], str(choices[at - 1])) if at else _("All"),
        key=f"filter-{key}",
    )
    return choices[place - 1] if place else None


def _line(row: Row) -> None:
    with st.container(key=f"line-{row.key}"):
        open_it, said = st.columns([0.1, 0.9], gap="small", vertical_alignment="center")
        open_it.button(
            _("Open"),
            key=f"open-{row.key}",
            width="stretch",
            disabled=row.study is None and row.stored is None,
            on_click=_open,
            args=(row,),
        )
        said.html(listed.line(row))


def _open(row: Row) -> None:
    """Shows a line: on the study page where this user has the picture, else below the list."""
    study = row.study or _own(row.stored)
    st.session_state[OPENED] = True
    st.session_state[LOOKED_AT] = None
    if study is None:
        st.session_state[LOOKED_AT] = row.stored
        return
    session.look_at(study)
    if row.model in {model.name for model in session.frame().models}:
        session.choose_question(row.model)
    st.session_state[GO] = True


def _own(stored: StoredAnalysis | None) -> session.Study | None:
    """The study of this session that holds the picture of a stored answer."""
    for study in session.opened():
        for at, scan in enumerate(study.scans):
            if stored is not None and scan.sha256 == stored.image_sha256:
                study.asked = at
                return study
    return None


def _stored() -> None:
    """A stored answer whose picture this user does not have."""
    stored: StoredAnalysis | None = st.session_state.get(LOOKED_AT)
    if stored is None:
        return
    told = _("The gateway keeps answers, not pictures: upload the picture to see it with its evidence.")
    st.html(f'<div class="ks-card"><h2>{escape(_("Stored answer"))}</h2><p class="ks-soft">{escape(told)}</p></div>')
    if stored.analysis is None:
        st.html(markup.trouble(troubles.refused(stored.reason, stored.detail)))
        return
    card = gateway.attempt(lambda: gateway.card(stored.model, stored.version))
    if isinstance(card, errors.KerascopeError):
        panels.trouble(card)
    else:
        reference = gateway.known_reference_set(card.name, card.version)
        panels.findings(stored.analysis, card, f"chosen-{stored.analysis_id}", [], reference)
        if gateway.fetch_reference_set(card.name, card.version):
            st.rerun()
