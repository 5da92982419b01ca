"""What the reference pages are made of: docstrings, pydantic classes and a proto file, as Markdown."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; `|` in a cell is escaped, and a cell of several lines becomes one."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.splitlines()).replace("|", "\\|")


def page(title: str, source: str, *parts: str) -> str:
    """A page with its origin on top, as a comment."""
    head = f"<!-- Written by docs/generate.py from {source}: change that, then `make docs`. -->\n\n# {title}\n"
    return "\n".join([head, *parts]).rstrip() + "\n"


def described(owner: type) -> dict[str, str]:
    """What the `Attributes:` of a docstring say, by name; `a, b: text` says it of both."""
    found: dict[str, str] = {}
    names: list[str] = []
    section = (inspect.getdoc(owner) or "").partition("Attributes:\n")[2]
    for line in section.split("\n\n")[0].splitlines():
        start = re.match(r"    ([a-z_][\w, ]*): (.*)", line)
        if start and not line.startswith("     "):
            names = [name.strip() for name in start[1].split(",")]
            found |= dict.fromkeys(names, start[2])
        elif names:
            found |= {name: f"{found[name]} {line.strip()}" for name in names}
    return found


def preamble(owner: type) -> str:
    """A docstring without its sections; code blocks and line breaks as they are."""
    text = inspect.getdoc(owner) or ""
    return re.split(r"\n\n(?:Attributes|Args|Raises):", text)[0] + "\n"


def type_of(field: FieldInfo) -> str:
    """A field's type as a reader of Python writes it."""
    text = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
    bare = re.sub(r"\b(?:typing|pathlib|(?:zoo|training|serving)(?:\.[a-z_]\w*)+)\.", "", text)
    optional = re.fullmatch(r"Optional\[(.+)\]", bare)
    return f"`{optional[1]} | None`" if optional else f"`{bare}`"


def default_of(field: FieldInfo) -> str:
    """A field's default, or that there is none."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    return "its own defaults" if isinstance(value, BaseModel) or _models(value) else f"`{_plain(value)}`"


def _models(value: object) -> bool:
    return isinstance(value, tuple) and any(isinstance(part, BaseModel) for part in value)


def _plain(value: object) -> str:
    return f'"{value}"' if isinstance(value, str | Path) else str(value)


def fields(owner: type[BaseModel], *, also: type | None = None) -> str:
    """A table of a pydantic class: field, type, default, meaning."""
    meanings = (described(also) if also else {}) | described(owner)
    rows = [
        (f"`{name}`", type_of(field), default_of(field), meanings.get(name) or _see(field))
        for name, field in owner.model_fields.items()
    ]
    return table(("Field", "Type", "Default", "Meaning"), rows)


def _see(field: FieldInfo) -> str:
    """Where a field without a sentence of its own is a part with its own table, that."""
    inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
    names = [kind.__name__ for kind in inner if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return f"see {names[0]} on this page" if names else ""


Block = tuple[str, str, str, list[tuple[str, str]]]


def proto_blocks(text: str) -> tuple[list[str], list[Block]]:
    """The file's first comment, then each service, message and enum with its members and their comments.

    Args:
        text: of a proto file in the shape of ours: one member a line, comments above.
    """
    comment = (line.removeprefix("//").rstrip() for line in text.partition("syntax")[0].splitlines())
    head = [f"- {line.strip()}" if line.startswith("   ") else line.strip() for line in comment]
    blocks: list[Block] = []
    said: list[str] = []
    for line in (line.strip() for line in text.partition("package")[2].splitlines()[1:]):
        opened = re.match(r"(service|message|enum) (\w+) \{", line)
        if line.startswith("//"):
            said.append(line.removeprefix("//").strip())
            continue
        if opened:
            blocks.append((opened[1], opened[2], " ".join(said), []))
        elif line.endswith(";") and not line.startswith("option "):
            blocks[-1][3].append((line.removesuffix(";"), " ".join(said)))
        said = []
    return head, blocks
