"""What `kubectl kustomize FOLDER` would print, for the parts of kustomize that deploy/ uses; an error for any other.

https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/ (resources, configMapGenerator, images, patches)
and, for strategic merge patches, the Kubernetes API conventions: maps merge, `containers` and `env` merge by name,
`args` and other lists of plain values are replaced.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]
KNOWN = {
    "apiVersion",
    "kind",
    "namespace",
    "resources",
    "generatorOptions",
    "configMapGenerator",
    "images",
    "patches",
}
MERGED_BY_NAME = {"containers", "env", "volumes", "volumeMounts"}


def build(folder: Path) -> list[Resource]:
    """Every resource of a kustomization, patched."""
    said = yaml.safe_load((folder / "kustomization.yaml").read_text())
    assert said.keys() <= KNOWN, f"{folder}: this reader does not know {said.keys() - KNOWN}"
    found: list[Resource] = []
    for name in said.get("resources", ()):
        place = folder / name
        found += build(place) if place.is_dir() else [r for r in yaml.safe_load_all(_inside(folder, name)) if r]
    found += [_config_map(folder, generator, said) for generator in said.get("configMapGenerator", ())]
    for patch in said.get("patches", ()):
        _apply(folder, patch, found)
    for resource in found:
        if said.get("namespace") and resource["kind"] != "Namespace":
            resource["metadata"]["namespace"] = said["namespace"]
        _tag(resource, said.get("images", ()))
    return found


def _inside(folder: Path, name: str) -> str:
    assert ".." not in name, f"{folder}: kustomize reads no file outside its folder, such as {name}"
    return (folder / name).read_text()


def _config_map(folder: Path, generator: dict[str, Any], said: dict[str, Any]) -> Resource:
    assert said["generatorOptions"] == {"disableNameSuffixHash": True}, "names with a hash are not made here"
    data = {name: _inside(folder, name) for name in generator["files"]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}


def _apply(folder: Path, patch: dict[str, Any], resources: list[Resource]) -> None:
    if "path" in patch:
        change = yaml.safe_load(_inside(folder, patch["path"]))
        wanted = (change["kind"], change["metadata"]["name"])
    else:
        wanted = (patch["target"]["kind"], patch["target"]["name"])
    hits = [number for number, one in enumerate(resources) if (one["kind"], one["metadata"]["name"]) == wanted]
    assert len(hits) == 1, f"{folder}: a patch is for {wanted}, of which there are {len(hits)}"
    if "path" in patch:
        resources[hits[0]] = merged(resources[hits[0]], change)
    else:
        for operation in yaml.safe_load(patch["patch"]):
            _operate(resources[hits[0]], operation)


def merged(old: Any, new: Any, key: str = "") -> Any:
    """A strategic merge."""
    if isinstance(old, dict) and isinstance(new, dict):
        return {name: merged(old.get(name), new[name], name) if name in new else old[name] for name in {**old, **new}}
    if isinstance(old, list) and key in MERGED_BY_NAME:
        names = {entry["name"]: entry for entry in old}
        for entry in new:
            names[entry["name"]] = merged(names.get(entry["name"]), entry)
        return list(names.values())
    return copy.deepcopy(new)


def _operate(resource: Any, operation: dict[str, Any]) -> None:
    """RFC 6902: `replace` where there is something, `add` to the end of a list."""
    *path, last = operation["path"].removeprefix("/").split("/")
    for step in path:
        resource = resource[int(step) if step.isdecimal() else step]
    if operation["op"] == "add" and last == "-":
        resource.append(operation["value"])
    else:
        assert operation["op"] == "replace", operation
        assert last in resource, f"there is no {operation['path']} to replace"
        resource[last] = operation["value"]


def _tag(resource: Resource, images: Any) -> None:
    if resource["kind"] == "Deployment":
        for container in resource["spec"]["template"]["spec"]["containers"]:
            for image in images:
                if container["image"] == image["name"]:
                    container["image"] = f"{image['name']}:{image['newTag']}"
