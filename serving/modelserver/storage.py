"""Which versions of a model are on disk, and which of them its policy asks for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tensorflow_serving.config.file_system_storage_path_source_pb2 import FileSystemStoragePathSourceConfig

_LARGEST_VERSION = 2**63 - 1
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")


def versions_on_disk(base_path: Path) -> dict[int, Path]:
    """Version -> folder, in rising order. Only whole ones: named by a number, and with a saved_model.pb.

    `tf.saved_model.save` writes that file last, so a folder without it is still being written.

    Raises:
        FileNotFoundError: there is no such base path (now).
    """
    found = {}
    for folder in sorted(base_path.iterdir()):
        is_version = folder.name.isascii() and folder.name.isdigit() and int(folder.name) <= _LARGEST_VERSION
        if is_version and any((folder / name).is_file() for name in _SAVED_MODEL):
            found[int(folder.name)] = folder
    return dict(sorted(found.items()))


def aspired(
    found: Mapping[int, Path], policy: FileSystemStoragePathSourceConfig.ServableVersionPolicy
) -> dict[int, Path]:
    """Those of the versions that the policy asks for, the highest first; without a policy, the latest one."""
    falling = sorted(found, reverse=True)
    if policy.HasField("specific"):
        chosen = [version for version in falling if version in set(policy.specific.versions)]
    elif policy.HasField("all"):
        chosen = falling
    else:
        chosen = falling[: max(policy.latest.num_versions, 1)]
    return {version: found[version] for version in chosen}


def stamp(folder: Path) -> frozenset[tuple[str, int, int]]:
    """Changes whenever a file in the folder does: its path, size and time of writing."""
    stamps = set()
    for path in folder.rglob("*"):
        try:
            facts = path.stat()
        except FileNotFoundError:  # removed between the listing and the look
            continue
        stamps.add((str(path.relative_to(folder)), facts.st_size, facts.st_mtime_ns))
    return frozenset(stamps)
