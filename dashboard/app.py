"""The clinicians' dashboard: the frame around every page. Run by `kerascope dashboard`."""

from __future__ import annotations

import logging
import traceback
import uuid
from collections.abc import Callable

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard import account, gateway, i18n, markup, panels, samples, session, theme
from dashboard.i18n import _
from dashboard.views import compare, explore, models, study, worklist
from serving.client import ModelSummary
from zoo import errors
from zoo.cards import RESEARCH_USE_ONLY

log = logging.getLogger("kerascope.dashboard")

LOOK_EVERY_S = 4


def main() -> None:
    """Draws the page; a bug of ours ends as a panel with a reference, never as a traceback."""
    st.set_page_config(page_title="Kerascope", page_icon=theme.icon(), layout="wide")
    # Before any widget: the browser forgets what was clicked before it knows the pages.
    offered = pages()
    st.session_state[session.STUDY_PAGE] = offered[0]
    around(st.navigation(offered, position="top" if account.inside() else "hidden").run)


def around(page: Callable[[], None]) -> None:
    """A page with what stands around every page."""
    st.html(theme.STYLE)
    st.html(markup.header())
    st.html(markup.notice(_(RESEARCH_USE_ONLY)))
    try:
        if not let_in():
            return
        frame()
        if accepted():
            page()
    except Exception as error:
        _report(error)


def let_in() -> bool:
    """Whether this person may go on: anybody at their own machine, else who is logged in; draws the door if not."""
    who = account.current()
    if account.inside():
        if who is not None:
            account.only(who.subject)
        return True
    account.forget()
    with st.container(key="door"):
        st.html(markup.door(expired=who is not None))
        st.button(_("Log in"), key="log-in", type="primary", on_click=st.login, width="stretch")
    return False


def pages() -> list[StreamlitPage]:
    """What the dashboard has."""
    return [
        st.Page(study.page, title=_("Study"), icon=":material/radiology:", default=True),
        st.Page(worklist.page, title=_("Worklist"), icon=":material/view_list:", url_path="worklist"),
        st.Page(explore.page, title=_("Explore"), icon=":material/scatter_plot:", url_path="explore"),
        st.Page(models.page, title=_("Models"), icon=":material/fact_check:", url_path="models"),
    ]


def accepted() -> bool:
    """Whether the user has read what this is for; once per session, and the notice stays in sight ever after."""
    if st.session_state.get(session.ACCEPTED):
        return True
    st.html(markup.terms())
    st.button(
        _("I have read this"),
        key="accept",
        type="primary",
        on_click=st.session_state.__setitem__,
        args=(session.ACCEPTED, True),
    )
    return False


def frame() -> None:
    """What stands around every page: the gateway's state, the picture, the question, the user."""
    look = gateway.look()
    st.session_state["look"] = look
    offered = samples.offered()
    with st.sidebar:
        _state()
        _picture(offered)
        models = gateway.remembered(look)
        model = _question(models)
        compare.choose(model)
        _user()
    session.set_frame(session.Frame(error=look.error, models=models, model=model, samples=bool(offered)))


def _user() -> None:
    who = account.current()
    if who is None:
        st.text_input(
            _("Your name"),
            key=session.USER,
            max_chars=100,
            help=_("It stands beside what you answer back, and in the gateway's audit trail."),
        )
    else:
        st.html(markup.who(who.name, who.roles))
        st.button(_("Log out"), key="log-out", on_click=st.logout, width="stretch")
    i18n.choose(_("Language"))


@st.fragment(run_every=LOOK_EVERY_S)
def _state() -> None:
    """Whether the gateway answers; looks again by itself, and redraws the page when that has changed."""
    who = account.current()
    if who is not None and who.expired:
        st.rerun()  # the whole page: it ends the session
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
        told = _("Gateway away ({address}). This page looks again every {seconds} s.")
        return told.format(address=gateway.address(), seconds=LOOK_EVERY_S), False
    if look.error is not None:
        return _("Gateway in trouble: {error}").format(error=look.error), False
    if not any(model.ready for model in look.models):
        return _("Gateway ready, but no model answers. This page looks again by itself."), False
    return _("Gateway ready ({address})").format(address=gateway.address()), True


def _picture(offered: list[samples.Sample]) -> None:
    st.file_uploader(
        _("Upload pictures"),
        accept_multiple_files=True,
        key=session.uploader_key(),
        on_change=session.uploaded,
        help=_(
            "DICOM, PNG or JPEG, whatever a file's name ends in; several files, a series, or a zip of them. "
            "They are kept for this session only."
        ),
    )
    if offered:
        st.selectbox(
            _("Or take a sample"),
            [sample.title for sample in offered],
            index=None,
            placeholder=_("Choose a sample"),
            key=session.SAMPLE,
            on_change=session.sampled,
            args=(offered,),
        )


def _question(models: tuple[ModelSummary, ...]) -> ModelSummary | None:
    if not models:
        return None
    known = {model.name: model for model in models}
    session.begin_with(models)
    name = st.radio(
        _("Question"),
        list(known),
        format_func=lambda name: known[name].question,
        captions=[_caption(model) for model in models],
        key=session.QUESTION,
        on_change=session.question_chosen,
    )
    return known.get(name or "")


def _caption(model: ModelSummary) -> str:
    said = _("{name}, version {version}").format(name=model.name, version=model.version)
    return said if model.ready else said + _(" (not answering now)")


def _report(error: Exception) -> None:
    """Tells the person a reference; the log gets where it happened, not the message, which may quote a patient."""
    reference = uuid.uuid4().hex[:8]
    where = "".join(traceback.format_tb(error.__traceback__))
    log.error("internal error %s: %s\n%s", reference, type(error).__name__, where)
    panels.trouble(errors.InternalError(f"Internal error {reference}; the dashboard's log has where it happened."))


if __name__ == "__main__":
    main()
