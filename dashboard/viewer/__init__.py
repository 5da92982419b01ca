"""A picture or a series in the browser: window, zoom, pan, flip and overlay without asking the server.

A Streamlit component of our own (`st.components.v2`): plain canvas, nothing fetched but the pixels, which the browser
gets once, from Streamlit's own store of media.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import streamlit as st
from streamlit import runtime

from dashboard.i18n import _
from dashboard.viewer import presets
from dashboard.viewer.pixels import Slice

NAME = "kerascope_viewer"
SCRIPTS = ("pixels.js", "overlay.js", "viewer.js", "hands.js", "link.js")
AHEAD, AHEAD_SCRIPTS = "kerascope_ahead", ("pixels.js", "ahead.js")
OCTETS = "application/octet-stream"


@dataclass(frozen=True, kw_only=True, eq=False)
class Map:
    """What speaks for a finding over one slice.

    Attributes:
        label: the finding's.
        heat: float32 [rows, columns] in [0, 1], covering the whole picture.
        title: the switch's label.
        strength: the raw strength in words.
        note: what the map is not.
        on: how the switch stands to begin with.
    """

    label: str
    heat: npt.NDArray[np.float32]
    title: str
    strength: str
    note: str
    on: bool


@dataclass(frozen=True, kw_only=True)
class Link:
    """Two viewers side by side, which flip, window, zoom and move together where they show the same kind of thing.

    Attributes:
        pair: the same for both.
        end: 0 for the first, 1 for the one beside it.
        on: whether they begin linked; what the user switched is kept while the page is open.
    """

    pair: str
    end: int
    on: bool


def show(
    slices: Sequence[Slice],
    *,
    key: str,
    study: str,
    asked: int = 0,
    map: Map | None = None,
    on_ask: Callable[[int], None] | None = None,
    link: Link | None = None,
) -> None:
    """Draws the viewer; without slices an empty screen of the same size.

    Args:
        slices: in their order.
        key: of the widget.
        study: of what is shown; what was set by hand is kept under it while the page is open.
        asked: the slice that `map` belongs to, from 0; the first to be shown.
        map: the evidence to lay over it.
        on_ask: called with the number of a slice, from 0, that the model is to be asked about, before the page is
            drawn again; None offers no such button.
        link: to the viewer beside this one; None where there is none.
    """
    data: dict[str, Any] = {
        "key": study,
        "slices": [_sent(each, f"{key}-{at}") for at, each in enumerate(slices)],
        "presets": [
            {"name": name, "centre": window.centre, "width": window.width}
            for name, window in (presets.offered(slices[asked]) if slices else [])
        ],
        "asked": asked,
        "askable": on_ask is not None,
        "map": _map(map) if map else None,
        "link": asdict(link) if link else None,
        "words": _words(),
    }

    def told() -> None:
        number = st.session_state[key].get("ask")
        if on_ask is not None and isinstance(number, int) and 0 <= number < len(slices):
            on_ask(number)

    _component()(key=key, data=data, on_ask_change=told)


def ahead(picture: Slice | None) -> None:
    """Has the browser fetch what the viewer is to show, while the model still looks at it; nothing is to be seen."""
    component = st.components.v2.component(AHEAD, js="\n".join(map(_read, AHEAD_SCRIPTS)))
    with st.container(key="ahead"):  # style.css hides it
        component(key=AHEAD, data={"slice": _sent(picture, AHEAD) if picture else None})


@cache
def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _component() -> Any:
    """Registered anew on each run, as Streamlit asks: its register belongs to the server, and a test has several."""
    script = "\n".join(map(_read, SCRIPTS))
    return st.components.v2.component(NAME, html=_read("viewer.html"), css=_read("viewer.css"), js=script)


def _sent(picture: Slice, place: str) -> dict[str, Any]:
    """A slice's facts, its pixels handed to Streamlit's store of media, which drops them when no page shows them.

    The store tells two of more than a MiB apart by their first, middle and last 64 KiB and by their name alone.
    """
    manager = runtime.get_instance().media_file_mgr
    return {
        "url": manager.add(picture.data, OCTETS, f"{NAME}-{place}", file_name=picture.sha256),
        "kind": picture.kind,
        "width": picture.width,
        "height": picture.height,
        "slope": picture.slope,
        "intercept": picture.intercept,
        "unit": picture.unit,
        "shape": picture.shape,
        "range": picture.full.width,
        "inverted": picture.inverted,
        "aspect": picture.aspect,
        "marks": picture.marks,
    }


def _map(shown: Map) -> dict[str, Any]:
    rows, columns = shown.heat.shape
    return {
        "label": shown.label,
        "title": shown.title,
        "strength": shown.strength,
        "note": shown.note,
        "on": shown.on,
        "rows": rows,
        "columns": columns,
        "values": np.round(shown.heat, 5).ravel().tolist(),
    }


def _words() -> dict[str, str]:
    return {
        "tools": _("Picture"),
        "dragging": _("What dragging does"),
        "window": _("Drag: window and level"),
        "pan": _("Drag: move the picture (or hold Shift)"),
        "zoom": _("Drag: zoom (or the right button)"),
        "invert": _("Invert (I)"),
        "actual": _("One pixel of the picture on one of the screen (1)"),
        "reset": _("Reset (0)"),
        "linked": _("Linked"),
        "linking": _("Linked: the other picture follows this one (L)"),
        "presets": _("Window"),
        "own": _("By hand"),
        "level": _("L"),
        "width": _("W"),
        "screen": _(
            "The picture. Drag to window, wheel to zoom or to flip through a series; keys: arrows, plus, minus, "
            "I inverts, 1 shows each pixel, 0 resets, O switches the evidence."
        ),
        "empty": _("The picture will be shown here."),
        "lost": _("The picture could not be fetched. Reload the page."),
        "slice": _("Slice"),
        "previous": _("Previous slice"),
        "next": _("Next slice"),
        "ask": _("Ask about slice {n}"),
        "elsewhere": _("The findings are those of slice {n}."),
        "evidence": _("Evidence"),
        "opacity": _("Opacity"),
        "threshold": _("From"),
        "mode": _("As"),
        "heat": _("Heat"),
        "contour": _("Contour"),
        "box": _("Box"),
        "colours": _("Colours"),
    }
