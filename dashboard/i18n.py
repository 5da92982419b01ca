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
    """The session's language; English outside a session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return "en"
    chosen = st.session_state.get(KEY, "en")
    return chosen if chosen in LANGUAGES else "en"


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
