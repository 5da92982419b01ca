"""Results to HTML. Pure text in, text out; whatever comes from outside is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dashboard import troubles, words
from dashboard.i18n import _
from dashboard.worth import Worth
from zoo.cards import Interval
from zoo.reference_set import Alike
from zoo.results import Analysis, Finding, Verdict

CLASSES = {
    Verdict.PRESENT: "ks-present",
    Verdict.NOT_SURE: "ks-not-sure",
    Verdict.ABSENT: "ks-absent",
    Verdict.UNRATED: "ks-unrated",
}


def header() -> str:
    """The name and what it is for."""
    what = _("What a model finds in a medical image, where it looked, and how far to trust it.")
    return f'<div class="ks-head"><h1>Kerascope</h1><p>{escape(what)}</p></div>'


def notice(text: str) -> str:
    """The notice that is never out of sight."""
    return f'<div class="ks-notice" role="note">{escape(text)}</div>'


def terms() -> str:
    """What the user is to read once."""
    points = [
        _("This is research software, not a medical device. No result here may guide the care of a patient."),
        _("A number is shown with what it is worth: read the warnings and the model's card before the number."),
        _("A map shows where a model looked. It is not an outline of anything."),
        _("Files stay in this session and go to the gateway named on the left, which may keep its answers."),
    ]
    items = "".join(f"<li>{escape(point)}</li>" for point in points)
    return f'<div class="ks-welcome ks-terms"><h2>{escape(_("Before you begin"))}</h2><ul>{items}</ul></div>'


def door(*, expired: bool) -> str:
    """What stands where nobody is logged in."""
    told = (
        _("Your login has ended. What was open has been closed; log in again to go on.")
        if expired
        else _("This dashboard is for people it knows. You log in at your organisation's own page and come back here.")
    )
    return f'<div class="ks-door"><h2>{escape(_("Log in"))}</h2><p>{escape(told)}</p></div>'


def who(name: str, roles: Sequence[str]) -> str:
    """Who is logged in, and as what."""
    return f'<div class="ks-who"><b>{escape(name)}</b><span>{escape(", ".join(roles) or _("no role"))}</span></div>'


def definitions(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values as a definition list; an empty value is left out."""
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts if value)
    return f'<dl class="ks-list">{rows}</dl>'


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows; wide ones scroll by themselves."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    named = f'aria-label="{escape(caption)}"'
    return (
        f'<div class="ks-scroll" tabindex="0" role="region" {named}><table {named}><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def viewer(source: str, alternative: str, caption: str = "") -> str:
    """A picture on a black screen of fixed shape, so that nothing moves when pictures change.

    Args:
        source: a `data:` address; empty shows `alternative` as text instead.
        alternative: the picture in words.
        caption: HTML, already escaped.
    """
    inside = (
        f'<img src="{escape(source)}" alt="{escape(alternative)}">'
        if source
        else f'<p class="ks-empty">{escape(alternative)}</p>'
    )
    foot = f"<figcaption>{caption}</figcaption>" if caption else ""
    return f'<figure class="ks-viewer"><div class="ks-screen">{inside}</div>{foot}</figure>'


def headline(text: str) -> str:
    """The answer in a sentence."""
    return f'<div class="ks-headline" role="status">{escape(text)}</div>'


def finding(result: Finding, *, exclusive: bool, alike: Alike | None = None) -> str:
    """One finding: verdict in words, probability on a bar with its operating point, and what that point is worth.

    Args:
        alike: how many of the test pictures of about that probability had it: an interval under the bar.
    """
    return (
        '<div class="ks-finding"><div class="ks-line">'
        f'<span class="ks-chip {CLASSES[result.verdict]}">{escape(words.verdict(result, exclusive=exclusive))}</span>'
        f'<span class="ks-value">{escape(words.percent(result.probability))}</span></div>'
        f'{_bar(result, alike)}<p class="ks-worth">{_worth(result)}</p></div>'
    )


def _bar(result: Finding, alike: Alike | None) -> str:
    zone = tick = ""
    said = _("{finding}: calibrated probability {probability:.2f}").format(
        finding=words.spoken(result.label), probability=result.probability
    )
    if point := result.operating_point:
        low, high = point.not_sure
        if low < high:
            zone = f'<span class="ks-zone" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></span>'
            said += "; " + _("not sure from {low:.2f} to {high:.2f}").format(low=low, high=high)
        tick = f'<span class="ks-tick" style="left:{100 * point.threshold:.1f}%"></span>'
        said += "; " + _("operating point {threshold:.2f}").format(threshold=point.threshold)
    span, told = _span(alike)
    said += told
    fill = f'<span class="ks-fill {CLASSES[result.verdict]}" style="width:{100 * result.probability:.1f}%"></span>'
    named = f'aria-label="{escape(said)}" title="{escape(said)}"'
    return f'<div class="ks-bar" role="img" {named}>{zone}{fill}{tick}{span}</div>'


def _span(alike: Alike | None) -> tuple[str, str]:
    """The interval's mark, and the same in words."""
    if alike is None or alike.had_it.low is None or alike.had_it.high is None:
        return "", ""
    low, high = alike.had_it.low, alike.had_it.high
    told = _("of the {count} test pictures nearest in probability, {share} had it").format(
        count=alike.pictures, share=_in_percent(alike.had_it)
    )
    return f'<span class="ks-span" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></span>', f"; {told}"


def _worth(result: Finding) -> str:
    point = result.operating_point
    if point is None:
        return escape(_("The card has no operating point for this label."))
    return escape(
        _("Operating point {threshold:.2f}: sensitivity {sensitivity}, specificity {specificity}").format(
            threshold=point.threshold,
            sensitivity=words.measured(point.sensitivity),
            specificity=words.measured(point.specificity),
        )
    )


def chip(result: Finding, *, exclusive: bool, name: str) -> str:
    """A finding's name with its verdict."""
    return (
        f'<div class="ks-line"><b>{escape(name)}</b><span class="ks-chip {CLASSES[result.verdict]}">'
        f"{escape(words.verdict(result, exclusive=exclusive))}</span></div>"
    )


def worth(found: Worth, name: str) -> str:
    """Both predictive values in words first."""
    rows = [
        (_("Where it says present, {finding} is there in {value} (PPV)."), found.ppv),
        (_("Where it says absent, it is truly absent in {value} (NPV)."), found.npv),
    ]
    said = "".join(f"<li>{escape(text.format(finding=name, value=_in_percent(value)))}</li>" for text, value in rows)
    note = _(
        "By Bayes' theorem from sensitivity and specificity; in brackets from the ends of their 95 %\u00a0intervals."
    )
    return f'<ul class="ks-bayes">{said}</ul><p class="ks-worth">{escape(note)}</p>'


def _in_percent(interval: Interval) -> str:
    if interval.value is None:
        return _("no such case")
    said = words.percent(interval.value)
    if interval.low is None or interval.high is None:
        return said
    return _("{value} ({low} to {high})").format(
        value=said, low=words.percent(interval.low), high=words.percent(interval.high)
    )


def legend() -> str:
    """What the bars' marks mean."""
    marks = [
        ("ks-l-fill", _("calibrated probability, 0 to 100 %")),
        ("ks-l-tick", _("operating point")),
        ("ks-l-zone", _("not sure")),
        (
            "ks-l-span",
            _("how many of the test pictures nearest in probability had it, where known (95 %\u00a0interval)"),
        ),
    ]
    said = "".join(f'<span><i class="{mark}"></i>{escape(text)}</span>' for mark, text in marks)
    brackets = _("in brackets: 95 %\u00a0interval, on the test set")
    return f'<div class="ks-legend">{said}<span>{escape(brackets)}</span></div>'


def warnings(said: Sequence[str]) -> str:
    """What must be known before the answer is read; nothing where there is nothing."""
    items = "".join(f"<li>{escape(each)}</li>" for each in said)
    return f'<ul class="ks-warnings" role="alert">{items}</ul>' if said else ""


def trouble(told: troubles.Trouble) -> str:
    """Why there is no result: the reason's code, what was found, what was expected, what to do."""
    facts = [
        (_("What was found"), told.found),
        (_("What was expected"), told.expected),
        (_("What to do"), told.action),
    ]
    return (
        f'<div class="ks-trouble" role="alert"><h2>{escape(told.title)}</h2>{definitions(facts)}'
        f'<p class="ks-code">{escape(told.code)}</p></div>'
    )


def welcome(*, samples: bool) -> str:
    """What to do first."""
    take = _("Upload pictures on the left, or take a sample.") if samples else _("Upload pictures on the left.")
    steps = [
        take + " " + _("DICOM, PNG and JPEG are read, single, as a series, or packed in a zip."),
        _("Choose the question to ask of it."),
        _("Read the findings, look at where the evidence for each lies, and answer back."),
    ]
    items = "".join(f"<li>{escape(step)}</li>" for step in steps)
    return f'<div class="ks-welcome"><h2>{_("How to begin")}</h2><ol>{items}</ol></div>'


def state(text: str, *, ready: bool) -> str:
    """A dot and a word on whether the gateway answers."""
    kind = "ks-dot" if ready else "ks-dot ks-away"
    return f'<div class="ks-state" role="status"><span class="{kind}"></span><span>{escape(text)}</span></div>'


def provenance(analysis: Analysis) -> str:
    """Which model answered, what it was given, and where the time went."""
    made, image, took = analysis.provenance, analysis.image, analysis.timings
    return definitions(
        [
            (
                _("Model"),
                _("{name}, version {version}").format(name=made.model, version=made.version) + f" ({made.backbone})",
            ),
            (
                _("Picture"),
                " ".join(filter(None, [image.format, image.modality, f"{image.width} x {image.height} pixels"])),
            ),
            (_("Reading the file"), f"{took.decode_ms:.0f} ms"),
            (_("Resizing"), f"{took.preprocess_ms:.0f} ms"),
            (_("Model"), f"{took.model_ms:.0f} ms"),
            (_("In all"), f"{took.total_ms:.0f} ms"),
            (_("Analysis"), made.analysis_id),
            (_("Picture's SHA-256"), made.image_sha256),
            (_("Weights' SHA-256"), made.weights_sha256),
            (_("Gateway"), f"Kerascope {made.gateway_version}"),
        ]
    )
