"""`python -m deploy.sbom FILE`: the software bill of materials of what a user installs, CycloneDX 1.6 as JSON.

Each package with version, licence, package URL and what it requires, as the environment has them that runs this; `make
check` writes build/sbom.cdx.json from the versions of constraints.txt. https://cyclonedx.org/docs/1.6/json
"""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from deploy import installed

LONGEST_LICENCE = 120


def bill() -> Bom:
    """Kerascope as the subject, and everything that it brings."""
    packages = installed.closure()
    components = {name: _component(name, package) for name, package in packages.items()}
    bom = Bom()
    bom.metadata.component = components["kerascope"]
    bom.components.update(each for name, each in components.items() if name != "kerascope")
    for name, package in packages.items():
        every = set(package.metadata.get_all("Provides-Extra") or ()) if name != "kerascope" else set(installed.EXTRAS)
        names = {canonicalize_name(each.name) for each in installed.required(package, every)}
        bom.register_dependency(components[name], [components[each] for each in sorted(names & components.keys())])
    return bom


def main(path: Path) -> int:
    """Writes it."""
    bom = bill()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(JsonV1Dot6(bom).output_as_string(indent=2) + "\n")
    print(f"{path}: Kerascope and the {len(bom.components)} packages that its users install")
    return 0


def _component(name: str, package: metadata.Distribution) -> Component:
    said = installed.licence(package)[:LONGEST_LICENCE]
    return Component(
        name=name,
        version=package.version,
        type=ComponentType.APPLICATION if name == "kerascope" else ComponentType.LIBRARY,
        bom_ref=f"{name}=={package.version}",
        purl=PackageURL("pypi", name=name, version=package.version),
        licenses=[LicenseFactory().make_from_string(said)] if said else [],
    )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
