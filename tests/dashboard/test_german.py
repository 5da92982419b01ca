"""Every text of the dashboard has a German one, with the same places to fill in."""

from __future__ import annotations

import ast
import io
import re
from pathlib import Path

import pytest

from dashboard.i18n import LOCALE
from zoo.cards import RESEARCH_USE_ONLY

DASHBOARD = LOCALE.parent
CATALOGUE = LOCALE / "de" / "LC_MESSAGES" / "dashboard.po"
FIELDS = re.compile(r"\{[^}]*\}")


def marked() -> set[str]:
    """Every text within `_(...)` and `n_(...)`."""
    calls = (node for path in DASHBOARD.rglob("*.py") for node in ast.walk(ast.parse(path.read_text())))
    found = {
        call.args[0].value
        for call in calls
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Name)
        and call.func.id in ("_", "n_")
        and isinstance(call.args[0], ast.Constant)
    }
    return {str(text) for text in found} | {RESEARCH_USE_ONLY}


@pytest.fixture(scope="module")
def german() -> dict[str, str]:
    pofile = pytest.importorskip("babel.messages.pofile", reason="babel is not installed")
    with CATALOGUE.open("rb") as file:
        return {message.id: message.string for message in pofile.read_po(file) if message.id}


def test_every_text_is_translated_and_no_translation_is_left_over(german):
    assert german.keys() == marked()
    assert all(german.values())


def test_a_translation_has_the_places_of_its_text(german):
    for text, said in german.items():
        assert sorted(FIELDS.findall(text)) == sorted(FIELDS.findall(said)), text


def test_the_compiled_catalogue_is_that_of_the_readable_one():
    pofile = pytest.importorskip("babel.messages.pofile", reason="babel is not installed")
    mofile = pytest.importorskip("babel.messages.mofile")
    with CATALOGUE.open("rb") as file:
        catalogue = pofile.read_po(file)
    compiled = io.BytesIO()
    mofile.write_mo(compiled, catalogue)
    shipped = Path(CATALOGUE).with_suffix(".mo").read_bytes()
    assert compiled.getvalue() == shipped, "run: pybabel compile -D dashboard -d dashboard/locale"
