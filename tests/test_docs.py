"""The documentation says what is so: links lead somewhere, commands parse, generated pages are current.

A page's commands are the lines that begin with `$ ` in its `console` blocks; tests/test_docs_run.py types them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"])
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LATER = {"docs/images/dashboard.png"}  # taken by `make screenshots`


class Block(NamedTuple):
    """A fenced block, and the file its text says it should be saved as."""

    language: str
    text: str
    saved_as: str | None


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for match in FENCE.finditer(text):
        before = re.search(r"Save this as\s+`([^`]+)`:\s*$", text[: match.start()])
        found.append(Block(match[1], match[2], before[1] if before else None))
    return found


def commands(page: Path) -> list[str]:
    """The lines a reader types, in order."""
    lines = [line.strip() for block in blocks(page) if block.language == "console" for line in block.text.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def mentioned(page: Path) -> Iterator[str]:
    """Every `kerascope ...` and `make ...` in a block or between backticks."""
    text = page.read_text()
    for line in [*commands(page), *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", text))]:
        yield from (part for part in re.split(r" (?:\||&&) ", line) if part.startswith(("kerascope ", "make ")))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def pages_of(words: str) -> list[Any]:
    return [pytest.param(page, id=shown(page)) for page in PAGES if any(m.startswith(words) for m in mentioned(page))]


@pytest.mark.parametrize(
    "name",
    [
        "command.md",
        "card.md",
        "training-config.md",
        "gateway-api.md",
        "errors.md",
        "settings.md",
        "data-sets.md",
        "dicom-node.md",
        "tasks.md",
        "backbones.md",
    ],
)
def test_a_reference_page_is_what_the_code_says(name):
    from docs import generate

    assert set(generate.PAGES) == {
        "command.md",
        "card.md",
        "training-config.md",
        "gateway-api.md",
        "errors.md",
        "settings.md",
        "data-sets.md",
        "dicom-node.md",
        "tasks.md",
        "backbones.md",
    }
    assert (DOCS / "reference" / name).read_text() == generate.PAGES[name](), "The code has changed: run `make docs`."


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists() or shown(there) in LATER, f"{target} is not there"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in slugs, f"{target}: no such heading"


@pytest.mark.parametrize("page", pages_of("kerascope"))
def test_every_command_is_one_that_kerascope_knows(page):
    import kerascope

    root = typer.main.get_command(kerascope.app)
    for line in mentioned(page):
        if line.startswith("kerascope "):
            parse(root, [word for word in shlex.split(line.split(" > ")[0])[1:] if not word.startswith("...")], line)


def parse(root: Any, words: list[str], line: str) -> None:
    """Finds the command and checks its options; a command named alone, without its arguments, is fine in prose."""
    command = root
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"`{line}`: no command {words[0]}"
        command = command.commands[words.pop(0)]
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    for word in words:
        assert not word.startswith("--") or word.split("=")[0] in options, f"`{line}`: no option {word}"
    if len(words) > 1 and not hasattr(command, "commands"):
        with command.make_context("kerascope", list(words), resilient_parsing=False):
            pass


@pytest.mark.parametrize("page", pages_of("make"))
def test_every_make_target_named_is_there(page):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in mentioned(page):
        if line.startswith("make "):
            named = {word for word in line.split()[1:] if re.fullmatch(r"[a-z-]+", word)}
            assert named <= targets, f"`{line}`"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_file_of_the_repository_that_is_named_is_there(page):
    tops = "zoo|training|serving|dashboard|deploy|docs|tests|benchmarks"
    for name in re.findall(rf"`((?:{tops})/[\w./-]+)`", page.read_text()):
        assert (ROOT / name).exists() or name in LATER, f"{name} is not there"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_python_in_the_docs_is_python(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.text, shown(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_training_files_in_the_docs_are_accepted(page, tmp_path):
    from training.config import RunConfig

    for block in blocks(page):
        if block.language == "toml" and "name =" in block.text and "[[archive]]" not in block.text:
            (tmp_path / "config.toml").write_text(block.text)
            assert RunConfig.load(tmp_path / "config.toml").stage


@pytest.mark.parametrize("page", [DOCS / "README.md", ROOT / "README.md"], ids=shown)
def test_research_use_only_is_said(page):
    assert "research use only" in page.read_text().lower()


def test_every_page_is_reached_from_the_map():
    linked = {
        (DOCS / target).resolve() for target in re.findall(r"\]\(([\w/.-]+\.md)\)", (DOCS / "README.md").read_text())
    }
    assert linked == {page for page in DOCS.rglob("*.md") if page != DOCS / "README.md"}


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_a_row_of_a_table_is_one_line(page):
    rows = [line for line in FENCE.sub("", page.read_text()).splitlines() if line.startswith("|")]
    assert [row for row in rows if not row.endswith("|")] == []
