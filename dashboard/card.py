"""A model card as a page a clinician can read. Pure: card in, HTML out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from dashboard import words
from dashboard.markup import definitions, table
from zoo.cards import Label, LabelMetrics, ModelCard


def page(card: ModelCard) -> str:
    """The whole card, most important things first; sections without content are left out."""
    body = "".join(f"<h3>{escape(title)}</h3>{content}" for title, content in _sections(card) if content)
    return f'<div class="ks-card">{body}</div>'


def training_config(card: ModelCard) -> str:
    """The training file as it was run, as indented JSON."""
    return json.dumps(card.training.config, indent=2, ensure_ascii=False, default=str)


def _sections(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield "Intended use", f"<p>{escape(_sentence(card.intended_use))}</p>"
    yield "Not for", f"<p>{escape(_sentence(card.not_for))}</p>"
    yield "What it answers", _question(card)
    yield "Trained on", _data(card)
    yield "How well it finds each label, on the test set", _metrics(card)
    yield "What it confused, on the test set", _confusion(card)
    yield "Calibration", _calibration(card)
    yield "Where it looks, against the lesions' masks", _localisation(card)
    yield "Training", _training(card)
    yield "Provenance", _provenance(card)


def _sentence(text: str) -> str:
    """Begins with a capital and ends with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")


def _question(card: ModelCard) -> str:
    size = f"{card.input.height} x {card.input.width} pixels, {'grey' if card.input.channels == 1 else 'colour'}"
    relation = "exactly one of them holds" if card.kind.exclusive else "any number of them may hold"
    answers = ", ".join(words.spoken(name) for name in card.label_names)
    return definitions(
        [
            ("Question", card.question),
            ("Answers", f"{answers} ({relation})" if len(card.labels) > 1 else answers),
            ("DICOM modalities", ", ".join(card.input.modalities) or "any"),
            ("Pictures seen at", size),
        ]
    )


def _data(card: ModelCard) -> str:
    patients = card.data.patients
    splits = [
        f"{split}: {count} images" + (f" of {patients[split]} patients" if split in patients else "")
        for split, count in card.data.images.items()
    ]
    apart = "patient" if card.data.grouped_by == "patient_id" else card.data.grouped_by.replace("_", " ")
    return definitions(
        [
            ("Data set", card.data.name),
            ("Splits", "; ".join(splits)),
            ("Kept apart by", apart),
            ("Fingerprint", card.data.fingerprint),
        ]
    )


def _metrics(card: ModelCard) -> str:
    head = ["Label", "AUROC", "Sensitivity", "Specificity", "AUPRC", "F1", "Positive / negative", "Operating point"]
    rows = [_metrics_row(label, label.metrics) for label in card.labels if label.metrics]
    if not rows:
        return ""
    accuracy = f"<p>Accuracy {words.measured(card.accuracy)}.</p>" if card.accuracy else ""
    note = '<p class="ks-soft">In brackets: 95 % intervals. Sensitivity, specificity and F1 at the operating point.</p>'
    return table("Metrics", head, rows) + accuracy + note


def _metrics_row(label: Label, metrics: LabelMetrics) -> list[str]:
    point = label.operating_point
    return [
        words.spoken(label.name),
        words.measured(metrics.auroc),
        words.measured(metrics.sensitivity),
        words.measured(metrics.specificity),
        words.measured(metrics.auprc),
        words.measured(metrics.f1),
        f"{metrics.positives} / {metrics.negatives}",
        f"{point.threshold:.2f}, {point.chosen_by}" if point else "none",
    ]


def _confusion(card: ModelCard) -> str:
    if card.confusion is None:
        return ""
    names = [words.spoken(name) for name in card.label_names]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, card.confusion, strict=True)]
    return table("Confusion matrix", ["True label", *(f"Answered {name.lower()}" for name in names)], rows)


def _calibration(card: ModelCard) -> str:
    made = card.calibration
    ways = {"none": "none: raw outputs", "temperature": "temperature scaling", "platt": "Platt scaling"}
    error = ""
    if made.ece_before is not None and made.ece_after is not None:
        error = f"{made.ece_before:.3f} before, {made.ece_after:.3f} after"
    return definitions(
        [
            ("Method", ways[made.method]),
            ("Temperature", ", ".join(f"{value:.2f}" for value in made.temperature)),
            ("Expected calibration error", error),
        ]
    )


def _localisation(card: ModelCard) -> str:
    head = ["Label", "Evidence peaks inside the mask", "A guess at the centre", "Mask's share of the picture", "Images"]
    rows = [
        [
            words.spoken(label.name),
            words.measured(label.metrics.pointing_game),
            "" if label.metrics.pointing_centre is None else f"{label.metrics.pointing_centre:.2f}",
            "" if label.metrics.pointing_mask_area is None else f"{label.metrics.pointing_mask_area:.2f}",
            str(label.metrics.pointing_images),
        ]
        for label in card.labels
        if label.metrics and label.metrics.pointing_game
    ]
    return table("Localisation", head, rows) if rows else ""


def _training(card: ModelCard) -> str:
    made = card.training
    scores = [("Frozen backbone", made.probe_score), ("Weights kept", made.score)]
    return definitions(
        [
            ("Backbone", f"{card.backbone}, {card.parameters / 1e6:.2f} million parameters"),
            *((name, f"{made.score_name} {score:.3f}, validation") for name, score in scores if score is not None),
            ("Code", made.code_revision),
            ("Packages", ", ".join(f"{name} {version}" for name, version in made.packages.items())),
        ]
    )


def _provenance(card: ModelCard) -> str:
    return definitions(
        [
            ("Model", f"{card.name}, version {card.version}"),
            ("Made", card.created),
            ("Licence", card.licence),
            ("Evidence from layer", f"{card.evidence_layer}, {card.evidence_grid[0]} x {card.evidence_grid[1]}"),
            ("Weights' SHA-256", card.weights_sha256),
        ]
    )
