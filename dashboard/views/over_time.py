"""What came since: drift of the pictures and of the answers, and what people said of them, from the gateway's store."""

from __future__ import annotations

from datetime import timedelta
from html import escape

import streamlit as st

from dashboard import charts, drift, gateway, panels, words
from dashboard.i18n import _, n_
from serving.client import Decision
from zoo import errors
from zoo.cards import ModelCard
from zoo.reference_set import ReferenceSet

LENGTHS = {n_("hour"): timedelta(hours=1), n_("day"): timedelta(days=1), n_("week"): timedelta(weeks=1)}
DECISIONS = {
    Decision.ACCEPT: (n_("accepted"), charts.BLUE),
    Decision.CORRECT: (n_("corrected"), charts.ORANGE),
    Decision.REJECT: (n_("rejected"), charts.RED),
}


def show(card: ModelCard, reference: ReferenceSet | None, label: str) -> None:
    """Drift of pictures and of answers, and what people said, as far as the store goes back."""
    found = gateway.attempt(lambda: gateway.history(card))
    if isinstance(found, errors.BadConfig):
        told = _("This gateway keeps no analyses (it has no store), so there is nothing to compare with.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
        return
    if isinstance(found, errors.KerascopeError):
        panels.trouble(found)
        return
    names = list(LENGTHS)
    length = st.segmented_control(_("By"), names, default=names[1], format_func=_, key="length", required=True)
    periods = drift.periods(found, LENGTHS[length or names[1]])
    if not periods:
        st.html(f'<p class="ks-soft">{escape(_("The store holds no answer of this model yet."))}</p>')
        return
    with st.container(key="split-time"):
        left, right = st.columns(2, gap="medium")
    with left:
        _shifts(card, reference, label, periods)
    with right:
        _received(periods)
        _said(periods, label)


def _shifts(card: ModelCard, reference: ReferenceSet | None, label: str, periods: list[drift.Period]) -> None:
    if reference is None:
        told = _("This model's bundle holds no reference set, so that nothing can be compared with it.")
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
        return
    name = words.spoken(label).lower()
    pictures, answers = _("pictures' features"), _("answers on {label}").format(label=name)
    inputs = [(p, drift.input_shift(p, card, reference)) for p in periods]
    given = [(p, drift.answer_shift(p, card, reference, label)) for p in periods]
    limit = _("Above the dashed line, chance alone explains it in less than 5 %\u00a0of cases.")
    for heading, series, found in (
        (_("Input drift"), pictures, inputs),
        (_("Prediction drift"), answers, given),
    ):
        rows = [
            {"when": charts.stamp(p.start), "name": series, "value": round(s.distance, 3), "pictures": s.pictures}
            | {"limit": round(min(s.limit, 1), 3)}
            for p, s in found
            if s is not None
        ]
        _titled(
            heading,
            _("Kolmogorov and Smirnov's distance to the test set, version {version}. ").format(version=card.version)
            + limit,
        )
        if rows:
            panels.chart(charts.over_time(heading, rows, [series], _("distance"), limit))
        else:
            told = _("No period has {count} answers of this version or more.").format(count=drift.FEWEST)
            st.html(f'<p class="ks-soft">{escape(told)}</p>')


def _received(periods: list[drift.Period]) -> None:
    answered, unusual, refused = _("answered"), _("answered with a caution"), _("refused")
    rows = [
        {"when": _short(p, periods), "name": name, "value": count, "order": order}
        for p in periods
        for order, (name, count) in enumerate(
            ((answered, len(p.facts) - p.refused - p.cautioned), (unusual, p.cautioned), (refused, p.refused))
        )
    ]
    told = _("Unusual for the model: {unusual} of the answers. Refused: {refused} of the pictures. All versions.")
    newest = _("In the newest period: {unusual} unusual, {refused} refused.")
    _titled(_("Pictures"), f"{told.format(**_shares(periods))} {newest.format(**_shares(periods[-1:]))}")
    colours = {answered: charts.BLUE, unusual: charts.ORANGE, refused: charts.RED}
    panels.chart(charts.stacked(_("Pictures"), rows, colours, _("pictures")))


def _shares(periods: list[drift.Period]) -> dict[str, str]:
    """The shares of answers with a caution, and of pictures that were refused, in per cent."""
    pictures, refused = sum(len(p.facts) for p in periods), sum(p.refused for p in periods)
    cautioned, answered = sum(p.cautioned for p in periods), pictures - refused
    return {
        "unusual": f"{100 * cautioned / answered:.0f} %" if answered else _("none"),
        "refused": f"{100 * refused / pictures:.0f} %",
    }


def _short(period: drift.Period, periods: list[drift.Period]) -> str:
    """A period's beginning, with the hour only where they are hours."""
    whole = all(each.start.hour == 0 for each in periods)
    return f"{period.start:%m-%d}" if whole else f"{period.start:%m-%d %H:%M}"


def _said(periods: list[drift.Period], label: str) -> None:
    counts = [(p, drift.agreement(p, label)) for p in periods]
    accepted = sum(said[Decision.ACCEPT] for _p, said in counts)
    total = sum(sum(said.values()) for _p, said in counts)
    name = words.spoken(label).lower()
    if not total:
        _titled(_("Agreement"), _("Nobody has answered back on {label} yet.").format(label=name))
        return
    told = _("People accepted {accepted} of {all} findings on {label} ({share}).")
    share = f"{100 * accepted / total:.0f} %"
    _titled(_("Agreement"), told.format(accepted=accepted, all=total, label=name, share=share))
    rows = [
        {"when": _short(p, periods), "name": _(word), "value": said[decision], "order": order}
        for p, said in counts
        for order, (decision, (word, _ink)) in enumerate(DECISIONS.items())
    ]
    colours = {_(word): ink for word, ink in DECISIONS.values()}
    panels.chart(charts.stacked(_("Agreement"), rows, colours, _("findings")))


def _titled(heading: str, text: str) -> None:
    st.html(f'<div class="ks-card"><h2>{escape(heading)}</h2><p class="ks-soft">{escape(text)}</p></div>')
