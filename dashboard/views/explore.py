"""Explore: the pictures a model was measured on, with this one among them; its hits and misses; what came since."""

from __future__ import annotations

from html import escape

import streamlit as st

from dashboard import cases, charts, gateway, listed, panels, session, words
from dashboard.cases import Kind
from dashboard.i18n import _, n_
from dashboard.views import over_time, shown_cases
from zoo import errors
from zoo.cards import ModelCard
from zoo.reference_set import ReferenceSet
from zoo.results import Analysis

PLANE, CASES, TIME = n_("Reference set"), n_("Hits and misses"), n_("Over time")
TSNE, PCA = "t-SNE", "PCA"
MOST_SHOWN = 12


def page() -> None:
    """The page for the model of the question at the side."""
    frame = session.frame()
    if frame.model is None:
        panels.trouble(frame.error or errors.ModelNotReady("The gateway answers, but it has no model to offer."))
        return
    model = frame.model
    card = gateway.attempt(lambda: gateway.card(model.name, model.version))
    if isinstance(card, errors.KerascopeError):
        panels.trouble(card, "again")
        return
    reference = gateway.attempt(lambda: gateway.reference_set(card.name, card.version))
    st.html(f'<p class="ks-question">{escape(card.question)}</p>')
    with st.container(key="split-head"):
        first, second = st.columns([0.62, 0.38], gap="medium", vertical_alignment="bottom")
    part = first.segmented_control(
        _("What to look at"), [PLANE, CASES, TIME], default=PLANE, format_func=_, key="explore", required=True
    )
    label = second.selectbox(_("Finding"), card.label_names, format_func=words.spoken, key=f"explored-{card.name}")
    if part == TIME:
        over_time.show(card, reference if isinstance(reference, ReferenceSet) else None, label)
    elif isinstance(reference, errors.KerascopeError):
        panels.trouble(reference)
    elif part == CASES:
        _cases(card, reference, label)
    else:
        _plane(card, reference, label)


def _current(card: ModelCard) -> Analysis | None:
    """What this model said of the picture that is open, if it was asked."""
    study = session.current()
    outcome = study.outcomes.get((study.scan.sha256, card.name, card.version)) if study else None
    return outcome if isinstance(outcome, Analysis) and outcome.embedding is not None else None


def _plane(card: ModelCard, reference: ReferenceSet, label: str) -> None:
    current = _current(card)
    with st.container(key="split-plane"):
        left, right = st.columns([0.62, 0.38], gap="medium")
    with left:
        way = st.segmented_control(_("Plane"), [TSNE, PCA], default=TSNE, key="plane", required=True)
        chosen = _chart(card, reference, label, current, way or TSNE)
        st.html(f'<p class="ks-soft">{escape(_told(reference, current, way or TSNE))}</p>')
    with right:
        _chosen(card, reference, label, current, chosen)


def _chart(card: ModelCard, reference: ReferenceSet, label: str, current: Analysis | None, way: str) -> int | None:
    """Draws the plane; gives the number of the picture that was clicked on."""
    rows, groups = _rows(card, reference, label, way)
    here = _("this picture") if current is not None else ""
    if current is not None and current.embedding is not None:
        x, y = reference.on_tsne(current.embedding) if way == TSNE else reference.on_pca(current.embedding)
        said = next(f for f in current.findings if f.label == label)
        rows.append(_row(0, (x, y), here, said.probability))
    axes = ("", "") if way == TSNE else _pca_axes(reference)
    title = _("The pictures of the test set by what the model sees in them, coloured by {label}").format(
        label=words.spoken(label).lower()
    )
    state = panels.chart(charts.plane(title, rows, groups, here, axes), key=f"plane-{card.name}-{label}-{way}")
    numbers = [each.get("number") for each in state.selection.get(charts.SELECTED) or []]
    return int(numbers[0]) if numbers and numbers[0] else None


def _pca_axes(reference: ReferenceSet) -> tuple[str, str]:
    first, second = (f"{100 * share:.0f} %" for share in reference.explained)
    text = _("{share} of the variance")
    return text.format(share=first), text.format(share=second)


def _rows(card: ModelCard, reference: ReferenceSet, label: str, way: str) -> tuple[list[charts.Row], list[str]]:
    column, points = card.label_index(label), reference.tsne if way == TSNE else reference.pca
    rows = [
        _row(place + 1, points[place], shown_cases.truth(card, reference, place, column), probability)
        for place, probability in enumerate(reference.probability[:, column])
    ]
    present = {row["group"] for row in rows}
    return rows, [name for name in shown_cases.truths(card, label) if name in present]


def _row(number: int, place: tuple[float, float], group: str, probability: float) -> charts.Row:
    return {
        "number": number,
        "x": round(float(place[0]), 3),
        "y": round(float(place[1]), 3),
        "group": group,
        "answer": words.percent(float(probability)),
    }


def _told(reference: ReferenceSet, current: Analysis | None, way: str) -> str:
    said = [_("{count} of the {all} pictures of the test set.").format(count=len(reference), all=reference.of)]
    if way == TSNE:
        said.append(_("Neighbours are alike; the axes, and distances between groups, mean nothing."))
    if current is None:
        said.append(_("Open a picture and ask this model about it, and it is shown among them."))
    elif way == TSNE:
        said.append(_("This picture is put among the five it is most like."))
    return " ".join(said)


def _chosen(
    card: ModelCard, reference: ReferenceSet, label: str, current: Analysis | None, clicked: int | None
) -> None:
    """The picture that was clicked on, or whose number was given; else those most like the current one."""
    number = st.number_input(
        _("Picture number (or click on one)"),
        min_value=1,
        max_value=len(reference),
        value=clicked,
        placeholder=_("none chosen"),
        key=f"case-{card.name}-{label}-{clicked}",
    )
    if number is not None:
        st.html(listed.cases([shown_cases.case(card, reference, number - 1, label, current)]))
    elif current is not None:
        st.html(f"<p><b>{escape(_('Most like this picture'))}</b></p>")
        st.html(listed.cases(shown_cases.nearest(card, reference, label, current, 4)))


def _cases(card: ModelCard, reference: ReferenceSet, label: str) -> None:
    """Pictures of one kind, each with the model's evidence."""
    every = {kind: cases.of_kind(reference, card, label, kind) for kind in Kind}
    kind = st.segmented_control(
        _("Kind"),
        list(Kind),
        default=Kind.MISSED,
        format_func=lambda each: f"{_(each.value)} ({len(every[each])})",
        key="kind",
        required=True,
    )
    if card.labels[card.label_index(label)].operating_point is None:
        told = _("No operating point has been set for {findings}.").format(findings=words.spoken(label).lower())
        st.html(f'<p class="ks-soft">{escape(told)}</p>')
        return
    places = every[kind or Kind.MISSED]
    taken = places[:MOST_SHOWN] if kind and kind.wrong else cases.evenly(places, MOST_SHOWN)
    st.html(f'<p class="ks-soft">{escape(_what(kind or Kind.MISSED, len(taken), len(places), reference))}</p>')
    st.html(listed.cases(shown_cases.case(card, reference, int(place), label) for place in taken))


def _what(kind: Kind, count: int, of: int, reference: ReferenceSet) -> str:
    order = _("the worst first") if kind.wrong else _("evenly taken")
    said = [_("{count} of {all}, {order}.").format(count=count, all=of, order=order)]
    said.append(_("All maps share one scale, so that weak evidence looks weak."))
    if not reference.has_pictures:
        said.append(_("This bundle holds no pictures, only the maps (kerascope export --pictures)."))
    return " ".join([*said, _(words.NOT_AN_OUTLINE)])
