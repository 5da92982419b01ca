"""Results to HTML. Pure text in, text out; whatever comes from outside is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from dashboard import words
from zoo.results import Analysis, Finding, Verdict

CLASSES = {
    Verdict.PRESENT: "ks-present",
    Verdict.NOT_SURE: "ks-not-sure",
    Verdict.ABSENT: "ks-absent",
    Verdict.UNRATED: "ks-unrated",
}


HEADER = (
    '<div class="ks-head"><h1>Kerascope</h1>'
    "<p>What a model finds in a medical image, where it looked, and how far to trust it.</p></div>"
)


def notice(text: str) -> str:
    """The notice that is never out of sight."""
    return f'<div class="ks-notice" role="note">{escape(text)}</div>'


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
    return (
        f'<div class="ks-scroll"><table aria-label="{escape(caption)}"><thead><tr>{titles}</tr></thead>'
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


def finding(result: Finding, *, exclusive: bool) -> str:
    """One finding: verdict in words, probability on a bar with its operating point, and what that point is worth."""
    return (
        '<div class="ks-finding"><div class="ks-line">'
        f'<span class="ks-chip {CLASSES[result.verdict]}">{words.verdict(result, exclusive=exclusive)}</span>'
        f'<span class="ks-value">{escape(words.percent(result.probability))}</span></div>'
        f'{_bar(result)}<p class="ks-worth">{_worth(result)}</p></div>'
    )


def _bar(result: Finding) -> str:
    zone = tick = ""
    said = f"{words.spoken(result.label)}: calibrated probability {result.probability:.2f}"
    if point := result.operating_point:
        low, high = point.not_sure
        if low < high:
            zone = f'<span class="ks-zone" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></span>'
            said += f"; not sure from {low:.2f} to {high:.2f}"
        tick = f'<span class="ks-tick" style="left:{100 * point.threshold:.1f}%"></span>'
        said += f"; operating point {point.threshold:.2f}"
    fill = f'<span class="ks-fill {CLASSES[result.verdict]}" style="width:{100 * result.probability:.1f}%"></span>'
    return f'<div class="ks-bar" role="img" aria-label="{escape(said)}" title="{escape(said)}">{zone}{fill}{tick}</div>'


def _worth(result: Finding) -> str:
    point = result.operating_point
    if point is None:
        return "The card has no operating point for this label."
    return (
        f"Operating point {point.threshold:.2f}: sensitivity {words.measured(point.sensitivity)}, "
        f"specificity {words.measured(point.specificity)}"
    )


LEGEND = (
    '<div class="ks-legend"><span><i class="ks-l-fill"></i>calibrated probability, 0 to 100 %</span>'
    '<span><i class="ks-l-tick"></i>operating point</span><span><i class="ks-l-zone"></i>not sure</span>'
    "<span>in brackets: 95 % interval, on the test set</span></div>"
)


def trouble(told: words.Trouble) -> str:
    """Why there is no result: the reason's code, what was found, what was expected, what to do."""
    facts = [("What was found", told.found), ("What was expected", told.expected), ("What to do", told.action)]
    return (
        f'<div class="ks-trouble" role="alert"><h3>{escape(told.title)}</h3>{definitions(facts)}'
        f'<p class="ks-code">{escape(told.code)}</p></div>'
    )


def welcome(*, samples: bool) -> str:
    """What to do first."""
    take = "Upload a picture on the left, or take a sample." if samples else "Upload a picture on the left."
    return (
        '<div class="ks-welcome"><h3>How to begin</h3><ol>'
        f"<li>{take} DICOM, PNG and JPEG are read.</li><li>Choose the question to ask of it.</li>"
        "<li>Read the findings, and look at where the evidence for each lies.</li></ol></div>"
    )


def state(text: str, *, ready: bool) -> str:
    """A dot and a word on whether the gateway answers."""
    kind = "ks-dot" if ready else "ks-dot ks-away"
    return f'<div class="ks-state" role="status"><span class="{kind}"></span><span>{escape(text)}</span></div>'


def provenance(analysis: Analysis) -> str:
    """Which model answered, what it was given, and where the time went."""
    made, image, took = analysis.provenance, analysis.image, analysis.timings
    return definitions(
        [
            ("Model", f"{made.model}, version {made.version} ({made.backbone})"),
            (
                "Picture",
                " ".join(filter(None, [image.format, image.modality, f"{image.width} x {image.height} pixels"])),
            ),
            ("Reading the file", f"{took.decode_ms:.0f} ms"),
            ("Resizing", f"{took.preprocess_ms:.0f} ms"),
            ("Model", f"{took.model_ms:.0f} ms"),
            ("In all", f"{took.total_ms:.0f} ms"),
            ("Analysis", made.analysis_id),
            ("Picture's SHA-256", made.image_sha256),
            ("Weights' SHA-256", made.weights_sha256),
            ("Gateway", f"Kerascope {made.gateway_version}"),
        ]
    )
