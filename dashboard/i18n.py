"""The words of the dashboard in the user's language: gettext, chosen per session."""

from __future__ import annotations

import gettext
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

LOCALE = Path(__file__).with_name("locale")
LANGUAGES = {"en": "English", "de": "Deutsch"}
KEY = "language"


def language() -> str:
    """The session's language: the one chosen, else the browser's own; English where that is neither, or no session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    chosen = st.session_state.get(KEY) or (st.context.locale or "").partition("-")[0]
    return chosen if chosen in LANGUAGES else "en"


def choose(title: str) -> None:
    """Offers the languages."""
    codes = list(LANGUAGES)
    st.selectbox(title, codes, index=codes.index(language()), format_func=LANGUAGES.__getitem__, key=KEY)


@cache
def _translations(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()
    return gettext.translation("dashboard", LOCALE, languages=[code], fallback=True)


def _(text: str) -> str:
    """A text in the session's language; the text itself is its English."""
    return _translations(language()).gettext(text)


def n_(text: str) -> str:
    """Marks a text that is translated later, where it is shown."""
    return text
