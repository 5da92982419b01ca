"""The benchmark's tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from benchmarks.gate.counting import STRANGERS_REFUSED, Counted, Judged, Measured


def own_images(found: Sequence[Measured]) -> Table:
    """One row a set: what happens to held-out images of the kind."""
    drawn = _table(
        "Held-out images of the kind, all folds, in percent; 95 % intervals of Clopper and Pearson",
        ("Model of",),
        ("Images", "Groups", "Folds", "Refused", "Promised", "Or cautioned", "Promised"),
    )
    for one in found:
        own, service = one.service.own, one.service
        drawn.add_row(
            one.name,
            *map(str, (own.images, one.patients, one.folds)),
            _measured(own, own.refused),
            f"{100 * service.refusals:.1f}",
            _measured(own, own.caught),
            f"{100 * service.cautions:.1f}",
        )
    return drawn


def strangers(found: Sequence[Measured]) -> Table:
    """One row a stranger, one column a model: refused / refused or cautioned, as the gateway does it."""
    drawn = _table(
        f"Strangers in service: refused / refused or cautioned; * of another modality, {STRANGERS_REFUSED} / 1 wanted",
        ("Sent to a model of",),
        [one.name for one in found],
    )
    for name in dict.fromkeys(name for one in found for name in one.service.strangers):
        drawn.add_row(name, *(_met(one, name) for one in found))
    return drawn


def methods(found: Sequence[Measured]) -> Table:
    """One row a set and score: what each does at the same promise to strangers of another modality."""
    drawn = _table(
        "Scores alone at one promise in percent; mean and least share of the strangers of another modality",
        ("Model of", "Score"),
        ("Promised", "Own refused", "Strangers refused", "Least", "Or cautioned", "Least"),
    )
    for one in found:
        drawn.add_section()
        for place, judged in enumerate(one.methods):
            drawn.add_row((one.name, one.embedding, *[""] * len(one.methods))[place], judged.name, *_judged(judged))
    return drawn


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    drawn = Table(title=title)
    for heading in words:
        drawn.add_column(heading)
    for heading in numbers:
        drawn.add_column(heading, justify="right")
    return drawn


def _measured(own: Counted, count: int) -> str:
    low, high = own.interval(count)
    return f"{100 * own.share(count):.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _met(one: Measured, name: str) -> str:
    met = one.service.strangers.get(name)
    if met is None:
        return ""
    text = f"{_rounded_down(met.share(met.refused))} / {_rounded_down(met.share(met.caught))}"
    return f"{text} *" if name in one.others else text


def _rounded_down(share: float) -> str:
    """To three digits; 1.000 means all of them."""
    return f"{int(share * 1000) / 1000:.3f}"


def _judged(judged: Judged) -> list[str]:
    met = judged.strangers.values()
    percent = [f"{100 * share:.1f}" for share in (judged.refusals, judged.own.share(judged.own.refused))]
    for shares in ([one.share(one.refused) for one in met], [one.share(one.caught) for one in met]):
        percent += [_rounded_down(sum(shares) / max(len(shares), 1)), _rounded_down(min(shares, default=0.0))]
    return percent
