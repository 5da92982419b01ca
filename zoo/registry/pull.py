"""From an index into a registry: fetched, compared, unpacked beside it, verified, and only then given its name."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo import bundles, disk, errors, signing
from zoo.bundles import Bundle
from zoo.registry import archive, index, transfer
from zoo.registry.index import Entry, Index
from zoo.registry.transfer import Told
from zoo.signing import Trust

DOWNLOADS = ".downloads"


def installed(entry: Entry, registry: Path) -> bool:
    """Whether this very bundle is in the registry: the same list of checksums under the same name and version."""
    listed = registry / entry.name / str(entry.version) / bundles.CHECKSUMS
    return listed.is_file() and bundles.sha256_of(listed) == entry.checksums_sha256


def pull(
    entry: Entry, offered: Index, registry: Path, *, trust: Trust | None = None, told: Told = lambda done: None
) -> Bundle:
    """Puts a bundle into a registry, all of it or nothing.

    What has come when a download breaks off or is stopped stays in `<registry>/.downloads`, and the next try goes on
    from there.

    Args:
        entry: which.
        offered: the index that names it.
        registry: the folder of bundles; made where it is missing.
        trust: whose signature it must bear; None for no matter whose.
        told: hears how many bytes of the archive are there.

    Returns:
        The bundle; one that is there already is verified and returned.

    Raises:
        BadBundle: what came is not what the index promises, or no bundle. Nothing is installed.
        BackendTimeout: the server does not answer.
        BadConfig: the registry cannot be written, is full, or has another bundle under this name and version.
    """
    target = registry / entry.name / str(entry.version)
    if installed(entry, registry):
        signing.verify(Bundle(target), trust)
        return Bundle(target)
    if target.exists():
        raise errors.BadConfig(
            f"{target} is another bundle than version {entry.version} of {entry.name} in the index. "
            "Move it away, or name another folder with --registry."
        )
    with disk.draft(registry) as draft, disk.alone(registry), _downloads(registry) as downloads:
        _check_space(entry, registry)
        packed = _fetch(entry, index.place_of(entry, offered), downloads, told)
        try:
            bundle = _unpacked(packed, draft, entry, trust)
        finally:
            packed.unlink()
        return _install(bundle, target)


@contextmanager
def _downloads(registry: Path) -> Iterator[Path]:
    """Where half a download waits for the next try; not there while none does."""
    folder = registry / DOWNLOADS
    folder.mkdir(exist_ok=True)
    try:
        yield folder
    finally:
        with suppress(OSError):
            folder.rmdir()


def _check_space(entry: Entry, registry: Path) -> None:
    wanted, free = entry.bytes + entry.unpacked_bytes, shutil.disk_usage(registry).free
    if wanted > free:
        raise errors.BadConfig(
            f"{registry} has {free >> 20} MB free and {entry.name} needs {(wanted >> 20) + 1} MB. "
            "Make room, or name another folder with --registry."
        )


def _fetch(entry: Entry, place: str, folder: Path, told: Told) -> Path:
    partial = folder / f"{entry.name}-{entry.version}-{entry.sha256[:16]}.part"
    if index.is_address(place):
        transfer.fetch(place, partial, size=entry.bytes, sha256=entry.sha256, told=told)
        return partial
    try:
        shutil.copyfile(place, partial)
    except OSError as error:
        raise errors.BadBundle(
            f"{place}, which the index names, cannot be read: {error.strerror}. Publish it again."
        ) from None
    transfer.check(partial, size=entry.bytes, sha256=entry.sha256, source=place)
    told(entry.bytes)
    return partial


def _unpacked(packed: Path, draft: Path, entry: Entry, trust: Trust | None) -> Bundle:
    bundle = archive.unpack(packed, draft, name=entry.name, version=entry.version, most_bytes=entry.unpacked_bytes)
    signing.verify(bundle, trust)
    if (bundle.card.name, bundle.card.version) != (entry.name, entry.version) or not installed(entry, draft):
        raise errors.BadBundle(
            f"The archive of {entry.name} version {entry.version} holds another bundle than the index says. "
            "Nothing was installed. Tell whoever publishes the index."
        )
    return bundle


def _install(bundle: Bundle, target: Path) -> Bundle:
    disk.flush(bundle.path)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        bundle.path.rename(target)
    except OSError as error:
        raise errors.BadConfig(f"{target} cannot be made: {error.strerror}. Is something there already?") from None
    disk.flush_folder(target.parent)
    return Bundle(target)
