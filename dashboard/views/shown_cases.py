"""Pictures of a reference set as they are shown: the picture under its map, the truth, and what the model said."""

from __future__ import annotations

import numpy as np

from dashboard import cases, pictures, words
from dashboard.i18n import _
from dashboard.listed import Case
from zoo.cards import ModelCard
from zoo.reference_set import UNKNOWN, ReferenceSet
from zoo.results import Analysis


def truths(card: ModelCard, label: str) -> list[str]:
    """What the truth can be, in words: one of the labels where they exclude each other, else there or not."""
    if card.kind.exclusive:
        return [words.spoken(name) for name in card.label_names]
    name = words.spoken(label)
    return [
        _("{finding} is there").format(finding=name),
        _("{finding} is not there").format(finding=name),
        _("unknown"),
    ]


def truth(card: ModelCard, reference: ReferenceSet, place: int, column: int) -> str:
    """The truth of one picture, one of `truths`."""
    names = truths(card, card.label_names[column])
    if card.kind.exclusive:
        return names[int(np.argmax(reference.truth[place]))]
    known = int(reference.truth[place, column])
    return names[2] if known == UNKNOWN else names[1 - known]


def case(card: ModelCard, reference: ReferenceSet, place: int, label: str, current: Analysis | None = None) -> Case:
    """One picture with the map of a label."""
    column = card.label_index(label)
    heat = cases.heat(reference, place, column, cases.full_strength(reference, column))
    said = [
        truth(card, reference, place, column),
        _("the model: {percent}").format(percent=words.percent(float(reference.probability[place, column]))),
    ]
    if current is not None and current.embedding is not None:
        alike = reference.similarity(current.embedding)[place]
        said.append(_("cosine {value} to this picture").format(value=f"{alike:.3f}"))
    return Case(
        source=pictures.of_case(reference.pixels[place], heat),
        title=_("Picture {number}").format(number=place + 1),
        lines=tuple(said),
    )


def nearest(card: ModelCard, reference: ReferenceSet, label: str, current: Analysis, count: int) -> list[Case]:
    """The pictures whose features are most like those of the current one, most alike first."""
    if current.embedding is None:
        return []
    order = np.argsort(-reference.similarity(current.embedding), kind="stable")[:count]
    return [case(card, reference, int(place), label, current) for place in order]
