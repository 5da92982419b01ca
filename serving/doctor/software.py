"""Python, the packages and the extras that are installed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import Requirement

from serving.doctor.checks import Check, State

PART = "software"
SHOWN = (
    "tensorflow",
    "keras",
    "tf-keras-vis",
    "tensorflow-serving-api",
    "numpy",
    "grpcio",
    "protobuf",
    "pydicom",
    "pillow",
    "streamlit",
    "openvino",
)
EXTRAS = {
    "train": "training and evaluation",
    "serve": "model server and gateway",
    "dashboard": "the dashboard",
    "hospital": "store, DICOM node, results for a PACS",
    "openvino": "serving by OpenVINO",
    "onnx": "export to ONNX",
}


def examine() -> Iterator[Check]:
    """One check each."""
    yield python(sys.version_info[:2])
    yield Check(PART, "system", platform.platform())
    yield Check(PART, "packages", ", ".join(f"{name} {version}" for name in SHOWN if (version := installed(name))))
    yield extras(_requirements())
    yield from wrong_versions(_requirements())


def python(version: tuple[int, int]) -> Check:
    """Python's version, and whether it is one of ours."""
    found = f"{platform.python_implementation()} {platform.python_version()}"
    if (3, 10) <= version <= (3, 13):
        return Check(PART, "Python", found)
    return Check(PART, "Python", found, State.WRONG, "Kerascope needs Python 3.10 to 3.13.")


def installed(name: str) -> str | None:
    """The version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def extras(requirements: list[Requirement]) -> Check:
    """Which extras are complete, and how to install the others."""
    optional = [each for each in requirements if not _applies(each, "")]
    wanted = {extra: [each.name for each in optional if _applies(each, extra)] for extra in EXTRAS}
    if not any(wanted.values()):
        return Check(PART, "kerascope", "run from its sources, not installed; its extras cannot be told")
    lacking = [name for name, needs in wanted.items() if not all(installed(need) for need in needs)]
    there = ", ".join(name for name in EXTRAS if name not in lacking) or "none"
    found = f"{installed('kerascope')} with extras: {there}"
    for name in lacking:
        found += f"; without {name} ({EXTRAS[name]}): pip install 'kerascope[{name}]'"
    return Check(PART, "kerascope", found)


def wrong_versions(requirements: list[Requirement]) -> Iterator[Check]:
    """A check for each package that is installed in another version than Kerascope asks for."""
    for each in requirements:
        version = installed(each.name)
        if version and not each.specifier.contains(version, prereleases=True) and _applies(each, *EXTRAS):
            fix = f"pip install '{each.name}{each.specifier}'"
            yield Check(PART, each.name, f"{version}; Kerascope asks for {each.specifier}", State.WRONG, fix)


def _applies(requirement: Requirement, *extras: str) -> bool:
    """Whether any of the extras, or the core, asks for it here."""
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def _requirements() -> list[Requirement]:
    try:
        return [Requirement(text) for text in metadata.requires("kerascope") or []]
    except metadata.PackageNotFoundError:
        return []
