"""A model card as a page a clinician can read. Pure: card in, HTML out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

from dashboard import words
from dashboard.i18n import _
from dashboard.markup import definitions, table
from zoo.cards import Label, LabelMetrics, ModelCard


def what(card: ModelCard) -> str:
    """What it is for and how well it does it, the most important things first."""
    return _page(_what(card))


def how(card: ModelCard) -> str:
    """What it confuses, for whom it works, and how it was made."""
    return _page(_how(card))


def _page(sections: Iterator[tuple[str, str]]) -> str:
    """Sections without content are left out."""
    body = "".join(f"<h2>{escape(title)}</h2>{content}" for title, content in sections if content)
    return f'<div class="ks-card">{body}</div>'


def training_config(card: ModelCard) -> str:
    """The training file as it was run, as indented JSON."""
    return json.dumps(card.training.config, indent=2, ensure_ascii=False, default=str)


def _what(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield _("Intended use"), f"<p>{escape(_sentence(card.intended_use))}</p>"
    yield _("Not for"), f"<p>{escape(_sentence(card.not_for))}</p>"
    yield _("What it answers"), _question(card)
    yield _("Trained on"), _data(card)
    yield _("How well it finds each label, on the test set"), _metrics(card)


def _how(card: ModelCard) -> Iterator[tuple[str, str]]:
    yield _("What it confused, on the test set"), _confusion(card)
    yield _("Calibration"), _calibration(card)
    yield _("Where it looks, against the lesions' masks"), _localisation(card)
    yield _("How far its explanations can be trusted"), audits(card)
    yield _("For whom it works how well, on the test set"), _subgroups(card)
    yield _("Pictures that are unusual for it"), _gate(card)
    yield _("Training"), _training(card)
    yield _("Provenance"), _provenance(card)


def _sentence(text: str) -> str:
    """Begins with a capital and ends with a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")


def _question(card: ModelCard) -> str:
    colours = _("grey") if card.input.channels == 1 else _("colour")
    size = _("{height} x {width} pixels").format(height=card.input.height, width=card.input.width) + f", {colours}"
    relation = _("exactly one of them holds") if card.kind.exclusive else _("any number of them may hold")
    answers = ", ".join(words.spoken(name) for name in card.label_names)
    return definitions(
        [
            (_("Question"), card.question),
            (_("Answers"), f"{answers} ({relation})" if len(card.labels) > 1 else answers),
            (_("DICOM modalities"), ", ".join(card.input.modalities) or _("any")),
            (_("Pictures seen at"), size),
        ]
    )


def _data(card: ModelCard) -> str:
    patients = card.data.patients
    splits = [
        _("{split}: {count} images").format(split=split, count=count)
        + (_(" of {count} patients").format(count=patients[split]) if split in patients else "")
        for split, count in card.data.images.items()
    ]
    apart = "patient" if card.data.grouped_by == "patient_id" else card.data.grouped_by.replace("_", " ")
    return definitions(
        [
            (_("Data set"), card.data.name),
            (_("Splits"), "; ".join(splits)),
            (_("Kept apart by"), apart),
            (_("Fingerprint"), card.data.fingerprint),
        ]
    )


def _gate(card: ModelCard) -> str:
    """What the gate promises, and what it did with the test set."""
    known = card.gate
    if known is None or not known.limits:
        return f'<p class="ks-soft">{escape(_("This model has no limits: it answers every picture."))}</p>'
    patients = min(limits.patients for limits in known.limits)
    rows = [
        (_("Answered with a caution or refused, at most"), _share(known.caution_share)),
        (_("Refused, at most"), _share(known.refusal_share)),
        (_("Fewest patients that a limit rests on"), str(patients)),
    ]
    if (tested := known.tested) is not None:
        told = _("{refused} of {count} refused, {cautioned} with a caution")
        done = told.format(refused=tested.refused, count=tested.images, cautioned=tested.cautioned)
        rows.append((_("On the test set"), done))
    said = _("Of pictures of new patients, of the kind that the model learnt from.")
    return definitions(rows) + f'<p class="ks-soft">{escape(said)}</p>'


def _share(share: float | None) -> str:
    return _("not promised") if share is None else f"{100 * share:.1f} %"


def _metrics(card: ModelCard) -> str:
    head = [
        *(_("Label"), "AUROC", _("Sensitivity"), _("Specificity"), "AUPRC", "F1"),
        *(_("Positive / negative"), _("Operating point")),
    ]
    rows = [_metrics_row(label, label.metrics) for label in card.labels if label.metrics]
    if not rows:
        return ""
    said = _("In brackets: 95 %\u00a0intervals. Sensitivity, specificity and F1 at the operating point.")
    note = f'<p class="ks-soft">{escape(said)}</p>'
    return table(_("Metrics"), head, rows) + _accuracy(card) + note


def _accuracy(card: ModelCard) -> str:
    """Of the whole answer, with what a model that knows nothing would score."""
    if card.accuracy is None:
        return ""
    named = _("All findings of a picture right: {value}.") if _several(card) else _("Accuracy {value}.")
    said = named.format(value=words.measured(card.accuracy))
    if card.accuracy_baseline is not None:
        floor = _("The same answer for every picture ({answer}) would reach {value}.")
        told = card.accuracy_baseline
        said += " " + floor.format(answer=told.answer, value=f"{told.accuracy:.2f}")
    return f"<p>{escape(said)}</p>"


def _several(card: ModelCard) -> bool:
    """Whether any number of labels may hold at once, so that an answer is right where all of them are."""
    return len(card.labels) > 1 and not card.kind.exclusive


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
        f"{point.threshold:.2f}, {point.chosen_by}" if point else _("none"),
    ]


def _confusion(card: ModelCard) -> str:
    if card.confusion is None:
        return ""
    names = [words.spoken(name) for name in card.label_names]
    rows = [[name, *map(str, counts)] for name, counts in zip(names, card.confusion, strict=True)]
    return table(
        _("Confusion matrix"),
        [_("True label"), *(_("Answered {label}").format(label=name.lower()) for name in names)],
        rows,
    )


def _calibration(card: ModelCard) -> str:
    made = card.calibration
    ways = {
        "none": _("none: raw outputs"),
        "temperature": _("temperature scaling"),
        "platt": _("Platt scaling"),
    }
    error = ""
    if made.ece_before is not None and made.ece_after is not None:
        error = _("{before:.3f} before, {after:.3f} after").format(before=made.ece_before, after=made.ece_after)
    return definitions(
        [
            (_("Method"), ways[made.method]),
            (_("Temperature"), ", ".join(f"{value:.2f}" for value in made.temperature)),
            (_("Expected calibration error"), error),
        ]
    )


def _localisation(card: ModelCard) -> str:
    head = [
        *(_("Label"), _("Evidence peaks inside the mask"), _("A guess at the centre")),
        *(_("Mask's share of the picture"), _("Images")),
    ]
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
    return table(_("Localisation"), head, rows) if rows else ""


def _subgroups(card: ModelCard) -> str:
    right = _("All findings right") if _several(card) else _("Accuracy")
    head = [_("Group"), _("Images"), _("Patients"), right, _("Mean AUROC")]
    rows = [
        [
            f"{group.by}: {group.value}",
            str(group.images),
            str(group.patients),
            words.measured(group.accuracy),
            words.measured(group.macro_auroc),
        ]
        for group in card.subgroups
    ]
    return table(_("Subgroups"), head, rows) if rows else ""


def audits(card: ModelCard) -> str:
    """Every explanation method that was audited with this model; empty where none was."""
    head = [
        *(_("Method"), _("Depends on what was learnt"), _("Peaks inside the lesion"), _("A guess at the centre")),
        *(_("Insertion (random)"), _("Deletion (random)"), _("Stability"), _("Seconds a map")),
    ]
    rows = [
        [
            each.title,
            {True: _("yes"), False: _("NO"), None: _("not tested")}[each.sanity_passed],
            "; ".join(f"{words.spoken(found.label)} {words.measured(found.pointing)}" for found in each.localisation),
            "; ".join(f"{found.pointing_centre:.2f}" for found in each.localisation),
            _against(each.insertion, each.insertion_random),
            _against(each.deletion, each.deletion_random),
            "" if each.stability is None else f"{each.stability:.2f}",
            f"{each.seconds:.2f}",
        ]
        for each in card.explanations
    ]
    return table(_("Explanation methods"), head, rows) if rows else ""


def _against(value: float | None, floor: float | None) -> str:
    return "" if value is None else f"{value:.2f}" + (f" ({floor:.2f})" if floor is not None else "")


def _training(card: ModelCard) -> str:
    made = card.training
    scores = [(_("Frozen backbone"), made.probe_score), (_("Weights kept"), made.score)]
    return definitions(
        [
            (_("Backbone"), f"{card.backbone}, {card.parameters / 1e6:.2f} " + _("million parameters")),
            *(
                (name, f"{made.score_name} {score:.3f}, " + _("validation"))
                for name, score in scores
                if score is not None
            ),
            (_("Code"), made.code_revision),
            (_("Packages"), ", ".join(f"{name} {version}" for name, version in made.packages.items())),
        ]
    )


def _provenance(card: ModelCard) -> str:
    return definitions(
        [
            (_("Model"), _("{name}, version {version}").format(name=card.name, version=card.version)),
            (_("Made"), card.created),
            (_("Licence"), card.licence),
            (_("Evidence from layer"), f"{card.evidence_layer}, {card.evidence_grid[0]} x {card.evidence_grid[1]}"),
            (_("Weights' SHA-256"), card.weights_sha256),
        ]
    )
