"""Python, the packages and the extras that are installed."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata

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
_REQUIREMENT = re.compile(r"(?P<name>[\w.-]+)(\[.*?\])?(?P<version>[^;]*)(;(?P<marker>.*))?")


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


def extras(requirements: list[str]) -> Check:
    """Which extras are complete, and how to install the others."""
    wanted = {name: _names(requirements, name) for name in EXTRAS}
    if not any(wanted.values()):
        return Check(PART, "kerascope", "run from its sources, not installed; its extras cannot be told")
    lacking = [name for name, needs in wanted.items() if not all(installed(need) for need in needs)]
    there = ", ".join(name for name in EXTRAS if name not in lacking) or "none"
    found = f"{installed('kerascope')} with extras: {there}"
    for name in lacking:
        found += f"; without {name} ({EXTRAS[name]}): pip install 'kerascope[{name}]'"
    return Check(PART, "kerascope", found)


def wrong_versions(requirements: list[str]) -> Iterator[Check]:
    """A check for each package that is installed in another version than Kerascope asks for."""
    from packaging.requirements import Requirement

    for each in map(Requirement, requirements):
        version = installed(each.name)
        if version and not each.specifier.contains(version, prereleases=True) and _applies(each.marker):
            fix = f"pip install '{each.name}{each.specifier}'"
            yield Check(PART, each.name, f"{version}; Kerascope asks for {each.specifier}", State.WRONG, fix)


def _applies(marker: object) -> bool:
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in EXTRAS)  # type: ignore[attr-defined]


def _requirements() -> list[str]:
    try:
        return metadata.requires("kerascope") or []
    except metadata.PackageNotFoundError:
        return []


def _names(requirements: list[str], extra: str) -> list[str]:
    found = (match for text in requirements if (match := _REQUIREMENT.match(text)))
    return [match["name"] for match in found if re.search(rf"extra == ['\"]{extra}['\"]", match["marker"] or "")]
