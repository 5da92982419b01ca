"""Windows to choose from."""

from __future__ import annotations

from dashboard.i18n import _, n_
from dashboard.viewer.pixels import Slice, Window

# Centre and width in Hounsfield units, as reading rooms use them (https://radiopaedia.org/articles/windowing-ct).
CT = {
    n_("Lung"): Window(centre=-600, width=1500),
    n_("Mediastinum"): Window(centre=50, width=350),
    n_("Soft tissue"): Window(centre=50, width=400),
    n_("Bone"): Window(centre=400, width=1800),
    n_("Brain"): Window(centre=40, width=80),
    n_("Liver"): Window(centre=30, width=150),
}


def offered(picture: Slice) -> list[tuple[str, Window]]:
    """Names and windows, each window once, the one to begin with first."""
    own = [(_("As stored") + (f" {at}" if at > 1 else ""), window) for at, window in enumerate(picture.windows, 1)]
    more = [(_(name), window) for name, window in CT.items()] if picture.unit == "HU" else []
    every = [*own, *more, (_("Percentiles"), picture.percentiles), (_("Full range"), picture.full)]
    named = {window: name for name, window in reversed(every)}
    return [(name, window) for name, window in every if named[window] == name]
