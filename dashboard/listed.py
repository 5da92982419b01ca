"""What stands in rows and grids, as HTML: worklist lines, similar cases, small pictures, a method's reliability."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from dashboard import cautions, words
from dashboard.i18n import _
from dashboard.markup import CLASSES, table
from dashboard.rows import STATUSES, Row
from serving.client import StoredAnalysis
from zoo.cards import ModelCard
from zoo.results import Method


def reliability(card: ModelCard, method: Method, label: str) -> str:
    """What the model's card says of a method, in the order of importance; or that it says nothing."""
    audited = next((each for each in card.explanations if each.method == method.value), None)
    if audited is None:
        return f'<p class="ks-reliability">{escape(_("This method was not audited with this model."))}</p>'
    found = next((each for each in audited.localisation if each.label == label), None)
    said = []
    if audited.sanity_passed is not None:
        said.append(_("depends on what was learnt") if audited.sanity_passed else _("FAILED the sanity check"))
    if found is not None:
        text = _("peaks inside the lesion in {share} (a guess at the centre: {centre})")
        said.append(text.format(share=words.measured(found.pointing), centre=f"{found.pointing_centre:.2f}"))
    if audited.insertion is not None and audited.insertion_random is not None:
        text = _("insertion {insertion:.2f} (random {random:.2f})")
        said.append(text.format(insertion=audited.insertion, random=audited.insertion_random))
    if audited.stability is not None:
        said.append(_("stability {stability:.2f}").format(stability=audited.stability))
    failed = " ks-failed" if audited.sanity_passed is False else ""
    text = _("On the card: {measurements}.").format(measurements="; ".join(said) or _("nothing measured"))
    return f'<p class="ks-reliability{failed}">{escape(text)}</p>'


def similar(found: Sequence[tuple[float, StoredAnalysis]]) -> str:
    """Similar cases as a table: how alike, when, what the model found, what people said."""
    if not found:
        return f'<p class="ks-soft">{escape(_("The store holds no other picture of this model and version."))}</p>'
    rows = []
    for alike, stored in found:
        answer, last = stored.analysis, stored.reviews[-1] if stored.reviews else None
        leading = (
            f"{words.spoken(answer.leading.label)} ({words.percent(answer.leading.probability)})" if answer else ""
        )
        if answer and answer.caution:
            leading += f". {_(words.UNUSUAL)}"
        rows.append(
            [
                f"{alike:.3f}",
                f"{stored.created:%Y-%m-%d %H:%M}",
                leading,
                f"{last.decision.value}, {last.user}" if last else _("no review"),
                stored.analysis_id,
            ]
        )
    head = [_("Cosine"), _("Analysed (UTC)"), _("The model's leading finding"), _("People said"), _("Analysis")]
    return f'<div class="ks-card">{table(_("Similar cases"), head, rows)}</div>'


@dataclass(frozen=True, kw_only=True)
class Case:
    """A small picture with what is said of it.

    Attributes:
        source: a `data:` address.
        title: in bold.
        lines: below it.
    """

    source: str
    title: str
    lines: tuple[str, ...]


def cases(found: Iterable[Case]) -> str:
    """Small pictures side by side, as many as fit."""
    figures = "".join(
        f'<figure><img src="{escape(case.source)}" alt="{escape(case.title)}"><figcaption><b>{escape(case.title)}</b>'
        f"{''.join(f'<span>{escape(line)}</span>' for line in case.lines)}</figcaption></figure>"
        for case in found
    )
    return f'<div class="ks-cases">{figures}</div>'


def line(row: Row) -> str:
    """One line of the worklist: what, when, by which model, and what came of it."""
    if row.analysis is not None:
        leading = row.analysis.leading
        said = (
            f'<span class="ks-chip {CLASSES[leading.verdict]}">{escape(_(words.VERDICTS[leading.verdict]))}</span> '
            f"<b>{escape(words.spoken(leading.label))}</b> {escape(words.percent(leading.probability))} "
            f"{cautions.mark(row.analysis)}"
        )
    else:
        status = _(STATUSES[row.status])
        said = f'<span class="ks-chip ks-unrated">{escape(status)}</span> {escape(row.reason)}'
    people = _("Answers: {count}").format(count=row.said) if row.said else ""
    return (
        f'<div class="ks-row"><span>{escape(row.title)}</span><span>{row.when:%Y-%m-%d %H:%M}</span>'
        f"<span>{escape(row.model)}</span><span>{said}</span><span>{escape(people)}</span></div>"
    )
