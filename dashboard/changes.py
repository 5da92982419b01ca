"""What differs between two cards of one model. Pure: cards in, rows of text out."""

from __future__ import annotations

from collections.abc import Iterator

from dashboard import words
from dashboard.i18n import _
from zoo.cards import ModelCard


def between(old: ModelCard, new: ModelCard) -> list[list[str]]:
    """What differs between two cards of one model: its name, the old value, the new value; identifiers left out."""
    before, after = dict(_facts(old)), dict(_facts(new))
    names = dict.fromkeys([*before, *after])
    return [[n, before.get(n, ""), after.get(n, "")] for n in names if before.get(n, "") != after.get(n, "")]


def _facts(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield _("Backbone"), card.backbone
    yield _("Pictures seen at"), f"{card.input.height} x {card.input.width} x {card.input.channels}"
    yield _("Data set"), f"{card.data.name} {card.data.fingerprint[:12]}"
    yield _("Images"), ", ".join(f"{split} {count}" for split, count in card.data.images.items())
    yield _("Intended use"), card.intended_use
    yield _("Not for"), card.not_for
    yield _("Licence"), card.licence
    yield _("Calibration"), card.calibration.method
    yield _("Made"), card.created
    for label in card.labels:
        name, point, metrics = words.spoken(label.name), label.operating_point, label.metrics
        yield f"{name}: {_('operating point')}", f"{point.threshold:.3f}" if point else _("none")
        if metrics:
            for title, value in (
                ("AUROC", metrics.auroc),
                (_("Sensitivity"), metrics.sensitivity),
                (_("Specificity"), metrics.specificity),
            ):
                yield f"{name}: {title}", words.measured(value)
