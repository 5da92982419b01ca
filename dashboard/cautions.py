"""An answer's caution to HTML: a banner with a bar, and a mark. Pure text in, text out."""

from __future__ import annotations

from html import escape

from dashboard import words
from dashboard.i18n import _
from zoo.results import Analysis, Caution

USUAL_WIDTH, UNUSUAL_WIDTH = 0.3, 0.5  # of the bar's first two zones, as style.css has them


def banner(said: Caution) -> str:
    """The picture is unusual for the model: how unusual, on a bar, and in words.

    Each zone has a fixed width; the mark lies in the middle one, from the limit of the caution to that of refusal, or
    to the end of the bar where no picture is refused.
    """
    told, (advice, how) = escape(_how(said)), words.caution(said)
    named = [_("usual"), _("unusual"), *([] if said.refusal_ratio is None else [_("refused")])]
    zones = "".join(f"<span>{escape(zone)}</span>" for zone in named)
    kind = "ks-gauge" if said.refusal_ratio is not None else "ks-gauge ks-open"
    place = f'<i style="left:{100 * _along(said):.1f}%"></i>'
    return (
        f'<section class="ks-caution" role="alert"><h2>{escape(_(words.UNUSUAL))}</h2>'
        f'<div class="{kind}" role="img" aria-label="{told}" title="{told}">{zones}{place}</div>'
        f'<p>{escape(advice)}</p><p class="ks-worth">{escape(how)}</p></section>'
    )


def _how(said: Caution) -> str:
    if said.refusal_ratio is None:
        return _("{ratio:.2f} times the limit").format(ratio=said.ratio)
    told = _("{ratio:.2f} times the limit; refused from {refusal:.2f} times")
    return told.format(ratio=said.ratio, refusal=said.refusal_ratio)


def _along(said: Caution) -> float:
    """Where the picture lies on the bar, in [0, 1]."""
    if said.refusal_ratio is None:
        return USUAL_WIDTH + (1 - USUAL_WIDTH) * (1 - 1 / max(said.ratio, 1.0))
    between = said.refusal_ratio - 1
    reached = min(max((said.ratio - 1) / between, 0.0), 1.0) if between > 0 else 1.0
    return USUAL_WIDTH + UNUSUAL_WIDTH * reached


def beside(title: str, answer: Analysis | None) -> str:
    """The title of one of two pictures, with a mark where it is unusual for the model."""
    return f'<p class="ks-beside">{escape(title)} {mark(answer) if answer else ""}</p>'


def mark(analysis: Analysis) -> str:
    """A mark beside an answer whose picture is unusual for the model; nothing where it is usual."""
    if analysis.caution is None:
        return ""
    return (
        f'<span class="ks-chip ks-unusual" title="{escape(_how(analysis.caution))}">{escape(_(words.UNUSUAL))}</span>'
    )
