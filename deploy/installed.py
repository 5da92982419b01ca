"""What a user installs: Kerascope's dependencies with its extras, as this environment has them."""

from __future__ import annotations

from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# All but `gpu`, which is NVIDIA's own libraries and half of a disk, and `dev`, which no user installs.
EXTRAS = ("train", "serve", "dashboard", "hospital", "openvino", "onnx")


def closure(name: str = "kerascope", extras: tuple[str, ...] = EXTRAS) -> dict[str, metadata.Distribution]:
    """A distribution and everything that it requires, and so on, by canonical name.

    Raises:
        PackageNotFoundError: one that is required is not installed.
    """
    found: dict[str, metadata.Distribution] = {}
    asked: dict[str, set[str]] = {}
    todo = [(name, frozenset(extras))]
    while todo:
        wanted, more = todo.pop()
        key = canonicalize_name(wanted)
        if key in found and more <= asked[key]:
            continue
        found[key] = metadata.distribution(wanted)
        asked.setdefault(key, set()).update(more)
        todo += [(each.name, frozenset(each.extras)) for each in required(found[key], asked[key])]
    return dict(sorted(found.items()))


def required(distribution: metadata.Distribution, extras: set[str]) -> list[Requirement]:
    """What it requires on this machine, with these extras."""
    requirements = [Requirement(text) for text in distribution.requires or ()]
    return [each for each in requirements if _applies(each, extras)]


def licence(distribution: metadata.Distribution) -> str:
    """What a distribution says of its licence: by expression (PEP 639), by classifiers, in words, or in a file."""
    said = distribution.metadata
    classifiers = [each for each in said.get_all("Classifier") or () if each.startswith("License ::")]
    words = (said.get("License") or "").strip().partition("\n")[0]
    return said.get("License-Expression") or "; ".join(classifiers) or words or _licence_file(distribution)


def _applies(requirement: Requirement, extras: set[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def _licence_file(distribution: metadata.Distribution) -> str:
    files = [each for each in distribution.files or () if each.name.upper().startswith(("LICEN", "COPYING"))]
    return " ".join(files[0].read_text().split()) if files else ""
