"""Which models can be asked: the registry's verified bundles, and which of them the model server answers for."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Protocol

from zoo import errors, signing
from zoo.bundles import Bundle, Registry
from zoo.signing import Trust

log = logging.getLogger(__name__)

STABLE = "stable"

Stamp = tuple[tuple[str, int, int], ...]
Look = Bundle | errors.BadBundle


class Status(Protocol):
    """What tells which versions are served: a `tfserving.ModelServer`."""

    def available(self, name: str) -> frozenset[int]: ...

    def labelled(self, name: str, label: str) -> int | None: ...


class Catalogue:
    """A snapshot of the registry, taken again at every `refresh` and whenever something unknown is asked for.

    A bundle is verified once for as long as its files stay the same. One that does not match its checksums, or bears
    no signature of those that are trusted, is logged, never listed and never used. Safe to use from many threads.
    """

    def __init__(self, registry: Path, server: Status, trust: Trust | None = None) -> None:
        self._registry = Registry(registry)
        self._server = server
        self._trust = trust
        self._lock = threading.Lock()
        self._looks: dict[Path, tuple[Stamp, Look]] = {}
        self._bundles: dict[str, dict[int, Look]] = {}
        self._ready: dict[str, frozenset[int]] = {}
        self._stable: dict[str, int | None] = {}

    def refresh(self) -> None:
        """Looks at the registry, and asks the model server which versions it answers for."""
        self._scan()
        try:
            self._ready = {name: self._server.available(name) for name in self.names()}
            self._stable = {name: self._labelled_stable(name) for name in self.names()}
        except errors.ModelNotReady:
            self._ready = {}

    def names(self) -> list[str]:
        """The models with a verified bundle, in alphabetical order."""
        return [name for name in sorted(self._bundles) if self.versions(name)]

    def versions(self, name: str) -> list[int]:
        """The verified versions of a model, oldest first."""
        looks = self._bundles.get(name, {})
        return sorted(version for version, look in looks.items() if isinstance(look, Bundle))

    def is_ready(self, name: str, version: int) -> bool:
        """Whether the model server answered for this version at the last `refresh`."""
        return version in self._ready.get(name, frozenset())

    def bundle(self, name: str, version: int = 0) -> Bundle:
        """One verified bundle; for version 0 the one that the model server's configuration labels `stable`, else the
        newest that the model server answers for, else the newest.

        Raises:
            UnknownModel: no such model or version.
            BadBundle: it does not match its checksums.
        """
        look = self._find(name, version)
        if look is None:
            self._scan()
            look = self._find(name, version)
        if look is None:
            look = self._registry.bundle(name, version or None)  # says what is near
            raise errors.UnknownModel(f"{name} has no version that can be used now; the gateway's log has the cause.")
        if isinstance(look, errors.BadBundle):
            raise errors.BadBundle(str(look))
        return look

    def _find(self, name: str, version: int) -> Look | None:
        return self._bundles.get(name, {}).get(version or self._usual(name))

    def _usual(self, name: str) -> int:
        verified = self.versions(name)
        ready = [version for version in verified if self.is_ready(name, version)]
        stable = self._stable.get(name)
        return stable if stable in ready else max(ready or verified, default=0)

    def _labelled_stable(self, name: str) -> int | None:
        """Of several versions that answer, a canary say, which is the one to ask."""
        return self._server.labelled(name, STABLE) if len(self._ready[name]) > 1 else None

    def _scan(self) -> None:
        with self._lock:
            self._bundles = {
                name: {version: self._look(name, version) for version in self._registry.versions(name)}
                for name in self._registry.names()
            }

    def _look(self, name: str, version: int) -> Look:
        """The bundle, or what is wrong with it; remembered until one of its files changes."""
        bundle = Bundle(self._registry.root / name / str(version))
        stamp = _stamp(bundle)
        known = self._looks.get(bundle.path)
        if known is None or known[0] != stamp:
            known = self._looks[bundle.path] = (stamp, _verified(bundle, self._trust))
        return known[1]


def _stamp(bundle: Bundle) -> Stamp:
    """Changes whenever a file of the bundle does, so that one still being copied is looked at again."""
    try:
        facts = [(str(path), path.stat()) for path in sorted(bundle.path.rglob("*"))]
    except OSError:  # a file vanished meanwhile
        return ()
    return tuple((path, fact.st_mtime_ns, fact.st_size) for path, fact in facts)


def _verified(bundle: Bundle, trust: Trust | None) -> Look:
    try:
        signing.verify(bundle, trust)
        bundle.card  # noqa: B018 - read now, so that a bad card is a bad bundle
    except errors.BadBundle as error:
        log.error("refused bundle: %s", error)
        return error
    except OSError as error:
        return errors.BadBundle(f"{bundle.path} cannot be read: {error.strerror}. Look again when it is complete.")
    log.info("bundle %s version %d verified", bundle.name, bundle.version)
    return bundle
