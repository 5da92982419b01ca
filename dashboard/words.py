"""What the dashboard says, in words: a result or an error in, sentences out. No widget, no markup."""

from __future__ import annotations

from collections.abc import Iterable

from dashboard.i18n import _, n_
from zoo.cards import Interval, ModelCard
from zoo.results import Analysis, Caution, Finding, Measure, Method, Verdict

ORDER = {Verdict.PRESENT: 0, Verdict.NOT_SURE: 1, Verdict.UNRATED: 2, Verdict.ABSENT: 3}

VERDICTS = {
    Verdict.PRESENT: n_("Present"),
    Verdict.NOT_SURE: n_("Not sure"),
    Verdict.UNRATED: n_("Not rated"),
    Verdict.ABSENT: n_("Absent"),
}
# Of answers that exclude each other one cannot say "normal: present".
EXCLUSIVE_VERDICTS = VERDICTS | {Verdict.PRESENT: n_("Supported"), Verdict.ABSENT: n_("Not supported")}

METHODS = {
    Method.GRAD_CAM: "Grad-CAM",
    Method.GRAD_CAM_PLUS_PLUS: "Grad-CAM++",
    Method.SCORE_CAM: "Score-CAM",
    Method.LAYER_CAM: "Layer-CAM",
    Method.SALIENCY: "Saliency",
    Method.SMOOTH_GRAD: "SmoothGrad",
    Method.FASTER_SCORE_CAM: "Faster Score-CAM",
    Method.GUIDED_BACKPROPAGATION: "Guided backpropagation",
    Method.DECONVNET: "DeconvNet",
    Method.INTEGRATED_GRADIENTS: "Integrated gradients",
    Method.OCCLUSION: "Occlusion",
}

UNUSUAL = n_("Unusual for this model")
BELOW = n_("This finding is below its operating point: a map of something absent misleads.")
NOT_AN_OUTLINE = n_("It shows where the model looked. It is not an outline of anything.")


# The nine places of `zoo.results.Finding.place`, to be translated.
PLACES = (
    *(n_("upper left"), n_("upper centre"), n_("upper right"), n_("middle left"), n_("centre"), n_("middle right")),
    *(n_("lower left"), n_("lower centre"), n_("lower right")),
)


def spoken(label: str) -> str:
    """A label as a person writes it: `No_findings` becomes "No findings"."""
    words = label.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def verdict(finding: Finding, *, exclusive: bool) -> str:
    """A finding's verdict in words: "Present", or "Supported" where the answers exclude each other."""
    return _((EXCLUSIVE_VERDICTS if exclusive else VERDICTS)[finding.verdict])


def percent(probability: float) -> str:
    """A probability in whole per cent; never "0 %" or "100 %", which no model can know."""
    if probability < 0.01:
        return "< 1 %"
    return "> 99 %" if probability > 0.99 else f"{100 * probability:.0f} %"


def measured(interval: Interval | None) -> str:
    """A measured number with its 95 % interval, "0.91 (0.85 to 0.95)"; "not measured" where there is none."""
    if interval is None or interval.value is None:
        return _("not measured")
    if interval.low is None or interval.high is None:
        return f"{interval.value:.2f}"
    return _("{value:.2f} ({low:.2f} to {high:.2f})").format(value=interval.value, low=interval.low, high=interval.high)


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """The findings to read first come first: by verdict, then by probability."""
    return sorted(findings, key=lambda finding: (ORDER[finding.verdict], -finding.probability))


def above(finding: Finding) -> bool:
    """True where the probability reaches the operating point; False where there is none to reach."""
    point = finding.operating_point
    return point is not None and finding.probability >= point.threshold


def headline(analysis: Analysis, card: ModelCard) -> str:
    """The whole answer in a sentence or two, without a number where a word will do."""
    if card.kind.exclusive:
        return _most_likely(max(analysis.findings, key=lambda finding: finding.probability))
    said = [
        _listed(_("The model finds {findings}."), analysis, Verdict.PRESENT),
        _listed(_("It is not sure about {findings}."), analysis, Verdict.NOT_SURE),
        _listed(_("No operating point has been set for {findings}."), analysis, Verdict.UNRATED),
    ]
    if absent := [f for f in analysis.findings if f.verdict is Verdict.ABSENT]:
        said.append(_absent(absent, analysis))
    return " ".join(filter(None, said))


def _most_likely(best: Finding) -> str:
    meaning = {
        Verdict.PRESENT: _("It lies above its operating point."),
        Verdict.NOT_SURE: _("The model is not sure: it lies in the zone around its operating point."),
        Verdict.ABSENT: _("But it lies below its operating point: no answer is supported."),
        Verdict.UNRATED: _("No operating point has been set for it."),
    }
    likely = _("Most likely: {finding} ({percent}).")
    return (
        likely.format(finding=spoken(best.label).lower(), percent=percent(best.probability))
        + f" {meaning[best.verdict]}"
    )


def _listed(sentence: str, analysis: Analysis, wanted: Verdict) -> str:
    names = [spoken(f.label).lower() for f in in_order(analysis.findings) if f.verdict is wanted]
    return sentence.format(findings=enumerated(names)) if names else ""


def enumerated(names: list[str]) -> str:
    """ "a, b and c"."""
    return names[0] if len(names) == 1 else _("{first} and {last}").format(first=", ".join(names[:-1]), last=names[-1])


def _absent(absent: list[Finding], analysis: Analysis) -> str:
    if len(absent) < len(analysis.findings):
        return _("Anything else it looks for is below its operating point.")
    if len(absent) == 1:
        name = spoken(absent[0].label).lower()
        return _("The model finds no {finding}: it is below its operating point.").format(finding=name)
    return _("The model finds none of the {count} things it looks for: each is below its operating point.").format(
        count=len(absent)
    )


def warnings(analysis: Analysis, card: ModelCard, others: Iterable[Analysis]) -> list[str]:
    """What must be known before the answer is read.

    Args:
        analysis: the answer.
        card: its model's.
        others: what other models and versions said of the same picture.
    """
    said = []
    if card.input.modalities and not analysis.image.modality:
        modalities = ", ".join(card.input.modalities)
        told = _("The file does not say its modality, so nothing held it against what this model reads: {modalities}.")
        said.append(told.format(modalities=modalities))
    for other in others:
        if labels := disagreements(analysis, other):
            told = _("{model}, version {version}, says the opposite of: {findings}. Look for yourself.")
            names = enumerated([spoken(label).lower() for label in labels])
            made = other.provenance
            said.append(told.format(model=made.model, version=made.version, findings=names))
    return said


def caution(said: Caution) -> tuple[str, str]:
    """What an unusual picture means for its answer; and how unusual it is, and by what."""
    measured = {
        Measure.TEXTURE: _("Compared by its grey levels and texture."),
        Measure.LAYOUT: _("Compared by where it is light and dark."),
        Measure.EMBEDDING: _("Compared by the model's own features of it."),
    }
    how = _(
        "This picture is {ratio:.2f} times as far from the training pictures as the limit, which at most {share} of "
        "pictures like them exceed."
    ).format(ratio=said.ratio, share=f"{100 * said.share:.2g} %")
    if said.refusal_ratio is not None:
        refused = _("From {refusal:.2f} times on the model refuses a picture.")
        how += " " + refused.format(refusal=said.refusal_ratio)
    read = _("Read this answer with care: sensitivity and specificity were measured on usual pictures.")
    return read, " ".join([how, *filter(None, [measured.get(said.measure)])])


def disagreements(analysis: Analysis, other: Analysis) -> list[str]:
    """The labels that one of two models finds present and the other absent."""
    opposite = {Verdict.PRESENT: Verdict.ABSENT, Verdict.ABSENT: Verdict.PRESENT}
    said = {finding.label: finding.verdict for finding in other.findings}
    return [f.label for f in analysis.findings if f.label in said and said[f.label] is opposite.get(f.verdict)]
