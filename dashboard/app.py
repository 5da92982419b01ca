"""The clinicians' dashboard: the frame around every page. Run by `kerascope dashboard`."""

from __future__ import annotations

import logging
import traceback
import uuid

import streamlit as st

from dashboard import gateway, markup, panels, samples, session, theme
from dashboard.views import study
from serving.client import ModelSummary
from zoo import errors
from zoo.cards import RESEARCH_USE_ONLY

log = logging.getLogger("kerascope.dashboard")

LOOK_EVERY_S = 4


def main() -> None:
    """Draws the page; a bug of ours ends as a panel with a reference, never as a traceback."""
    st.set_page_config(page_title="Kerascope", page_icon=theme.icon(), layout="wide")
    # Before any widget: the browser forgets what was clicked before it knows the pages.
    page = st.navigation([st.Page(study.page, title="Kerascope", default=True)], position="hidden")
    st.html(theme.STYLE)
    st.html(markup.HEADER)
    st.html(markup.notice(RESEARCH_USE_ONLY))
    try:
        frame()
        page.run()
    except Exception as error:
        _report(error)


def frame() -> None:
    """What stands around every page: the gateway's state, the picture, the question."""
    look = gateway.look()
    st.session_state["look"] = look
    offered = samples.offered()
    with st.sidebar:
        _state()
        _picture(offered)
        model = _question(gateway.remembered(look))
    session.set_frame(session.Frame(error=look.error, model=model, samples=bool(offered)))


@st.fragment(run_every=LOOK_EVERY_S)
def _state() -> None:
    """Whether the gateway answers; looks again by itself, and redraws the page when that has changed."""
    fresh: gateway.Look | None = st.session_state.pop("look", None)
    look = fresh or gateway.look()
    text, ready = _in_words(look)
    st.html(markup.state(text, ready=ready))
    if fresh is None and (st.session_state.get("signature") != look.signature or (ready and _waiting())):
        st.rerun()
    st.session_state["signature"] = look.signature


def _waiting() -> bool:
    return bool(st.session_state.pop(session.WAITING, False))


def _in_words(look: gateway.Look) -> tuple[str, bool]:
    if isinstance(look.error, errors.ModelNotReady):
        return f"Gateway away ({gateway.address()}). This page looks again every {LOOK_EVERY_S} s.", False
    if look.error is not None:
        return f"Gateway in trouble: {look.error}", False
    if not any(model.ready for model in look.models):
        return "Gateway ready, but no model answers. This page looks again by itself.", False
    return f"Gateway ready ({gateway.address()})", True


def _picture(offered: list[samples.Sample]) -> None:
    st.file_uploader(
        "Upload a picture",
        key=session.uploader_key(),
        on_change=session.uploaded,
        help="DICOM, PNG or JPEG; whatever the file's name ends in. It is kept for this session only.",
    )
    if offered:
        st.selectbox(
            "Or take a sample",
            [sample.title for sample in offered],
            index=None,
            placeholder="Choose a sample",
            key=session.SAMPLE,
            on_change=session.sampled,
            args=(offered,),
        )


def _question(models: tuple[ModelSummary, ...]) -> ModelSummary | None:
    if not models:
        return None
    known = {model.name: model for model in models}
    name = st.radio(
        "Question",
        list(known),
        format_func=lambda name: known[name].question,
        captions=[_caption(model) for model in models],
        key="question",
    )
    return known.get(name or "")


def _caption(model: ModelSummary) -> str:
    return f"{model.name}, version {model.version}" + ("" if model.ready else " (not answering now)")


def _report(error: Exception) -> None:
    """Tells the person a reference; the log gets where it happened, not the message, which may quote a patient."""
    reference = uuid.uuid4().hex[:8]
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("internal error %s: %s\n%s", reference, type(error).__name__, where)
    panels.trouble(errors.InternalError(f"Internal error {reference}; the dashboard's log has where it happened."))


if __name__ == "__main__":
    main()
