"""Which extra of the package brings a module that is not installed, read from the package's own metadata.

A command imports what it needs when it is called. Where that fails, `missing` separates a package that an extra brings,
which the user can install, from any other, which is a bug.
"""

from __future__ import annotations

from importlib import metadata
from importlib.util import find_spec

from zoo.errors import MissingExtra

PACKAGE = "kerascope"
# Modules by the name of their distribution, where more than case, `-` and `_` differ.
DISTRIBUTIONS = {
    "dicomanonymizer": "dicom-anonymizer",
    "fhir": "fhir.resources",
    "grpc_reflection": "grpcio-reflection",
    "jwt": "pyjwt",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "tensorflow_serving": "tensorflow-serving-api",
}
# Whose commands need which extra, where several bring the same; else the first in pyproject.toml.
USUAL = {"serving.hospital": "hospital", "serving": "serve"}


def need(module: str, who: str, asking: str = "") -> None:
    """Makes sure that a module is installed, without importing it.

    Args:
        module: its top-level name.
        who: needs it, as the message is to begin: "`kerascope dashboard`".
        asking: the module of ours that needs it.

    Raises:
        MissingExtra: it is not installed; the message says how to install it.
    """
    if find_spec(module) is None:
        raise _message(module, who, asking) or ModuleNotFoundError(f"No module named {module!r}", name=module)


def missing(error: ModuleNotFoundError, who: str, asking: str = "") -> MissingExtra | None:
    """What a user is told of a failed import; None where no extra would help, which is a bug.

    Args:
        error: as Python raised it.
        who, asking: as of `need`.
    """
    module = (error.name or "").partition(".")[0]
    return None if not module or find_spec(module) else _message(module, who, asking)


def bringing(module: str) -> list[str]:
    """The extras that bring a module, as pyproject.toml orders them; none where the package itself is not installed."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    wanted = canonicalize_name(DISTRIBUTIONS.get(module, module))
    try:
        package = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        return []
    stated = [each for each in map(Requirement, package.requires or ()) if canonicalize_name(each.name) == wanted]
    markers = [each.marker for each in stated if each.marker and not each.marker.evaluate({"extra": ""})]
    provided = package.metadata.get_all("Provides-Extra") or []
    return [extra for extra in provided if any(marker.evaluate({"extra": extra}) for marker in markers)]


def _message(module: str, who: str, asking: str) -> MissingExtra | None:
    extras = bringing(module)
    if not extras:
        return None
    usual = [extra for package, extra in USUAL.items() if f"{asking}.".startswith(f"{package}.")]
    extra = next(each for each in [*usual, *extras] if each in extras)
    return MissingExtra(f"{who} needs {module}, which is not installed. Install it: pip install '{PACKAGE}[{extra}]'")
