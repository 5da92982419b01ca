"""Bundles on disk: finding them, and refusing the damaged ones. Needs no TensorFlow.

<registry>/<model>/<version>/            a TensorFlow Serving base path as it stands
    saved_model.pb, variables/
    assets.extra/card.json
    assets.extra/model.keras
    assets.extra/tf_serving_warmup_requests
    assets.extra/reference_set.npz       the test split as the model saw it (zoo/reference_set.py); may be missing
    assets.extra/SHA256SUMS              as `sha256sum` writes it, paths relative to the version folder
    assets.extra/SHA256SUMS.sig          if somebody has signed it: zoo/signing.py
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zoo import errors
from zoo.cards import ModelCard

EXTRA = "assets.extra"
CHECKSUMS = f"{EXTRA}/SHA256SUMS"
SIGNATURE = f"{CHECKSUMS}.sig"
REFERENCE_SET = f"{EXTRA}/reference_set.npz"
WEIGHTS = "variables/variables.data-00000-of-00001"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    apart = (folder / CHECKSUMS, folder / SIGNATURE)
    return (path for path in sorted(folder.rglob("*")) if path.is_file() and path not in apart)


def write_checksums(folder: Path) -> None:
    """Writes `assets.extra/SHA256SUMS` over every other file of a bundle."""
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder)]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


@dataclass(frozen=True)
class Bundle:
    """One version of one model.

    Attributes:
        path: `<registry>/<model>/<version>`.
    """

    path: Path

    @property
    def name(self) -> str:
        """The model's name: the folder above."""
        return self.path.parent.name

    @property
    def version(self) -> int:
        """The version: the folder's own name."""
        return int(self.path.name)

    @property
    def keras_path(self) -> Path:
        """The same network as a Keras file, for tf-keras-vis and further fine-tuning."""
        return self.path / EXTRA / "model.keras"

    @cached_property
    def card(self) -> ModelCard:
        """The model card.

        Raises:
            BadBundle: missing, unreadable, or of another name or version than the folders say.
        """
        card = ModelCard.read(self.path / EXTRA / "card.json")
        if (card.name, card.version) != (self.name, self.version):
            raise errors.BadBundle(
                f"The card in {self.path} is of {card.name} version {card.version}. A bundle lives in "
                "<registry>/<model>/<version>; move it there or export it again."
            )
        return card

    def reference_set(self) -> bytes:
        """The file of the test split as the model saw it.

        Raises:
            UnknownRecord: there is none.
        """
        try:
            return (self.path / REFERENCE_SET).read_bytes()
        except OSError:
            raise errors.UnknownRecord(
                f"The bundle of {self.name} version {self.version} holds no reference set. Measure its run again and "
                "export it: `kerascope evaluate --force`, then `kerascope export`."
            ) from None

    def verify(self) -> None:
        """Compares every file with its checksum.

        Raises:
            BadBundle: a file is missing, changed or not listed, or there is no list.
        """
        listed = self._listed()
        present = {path.relative_to(self.path).as_posix() for path in _files(self.path)}
        faults = [f"{name} is missing" for name in sorted(listed.keys() - present)]
        faults += [f"{name} is not listed" for name in sorted(present - listed.keys())]
        faults += [
            f"{name} has changed"
            for name in sorted(listed.keys() & present)
            if sha256_of(self.path / name) != listed[name]
        ]
        if faults:
            raise errors.BadBundle(
                f"{self.name} version {self.version} does not match its {CHECKSUMS}: {'; '.join(faults[:5])}. "
                "Copy or export the bundle again."
            )

    def _listed(self) -> dict[str, str]:
        try:
            lines = (self.path / CHECKSUMS).read_text(encoding="utf-8").splitlines()
            return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
        except (OSError, ValueError):
            raise errors.BadBundle(
                f"{self.path} has no readable {CHECKSUMS}. Is it a bundle, and complete? Copy or export it again."
            ) from None


@dataclass(frozen=True)
class Registry:
    """A folder of bundles, read afresh at each call so that new versions are seen.

    Attributes:
        root: the folder; it need not exist yet.
    """

    root: Path

    def names(self) -> list[str]:
        """The models that have at least one version, in alphabetical order."""
        if not self.root.is_dir():
            return []
        return sorted(folder.name for folder in self.root.iterdir() if folder.is_dir() and self.versions(folder.name))

    def versions(self, name: str) -> list[int]:
        """The complete versions of a model, oldest first; empty if there are none."""
        folder = self.root / name
        if not name or name.startswith(".") or "/" in name or not os.path.isdir(folder):  # a name too long, too
            return []
        found = (child for child in folder.iterdir() if child.name.isascii() and child.name.isdigit())
        return sorted(int(child.name) for child in found if (child / "saved_model.pb").is_file())

    def next_version(self, name: str) -> int:
        """One more than the newest version; 1 for a new model."""
        return max(self.versions(name), default=0) + 1

    def bundle(self, name: str, version: int | None = None) -> Bundle:
        """One version of a model, the newest where none is asked for.

        Raises:
            UnknownModel: no such model or version; the message names what is near.
        """
        versions = self.versions(name)
        if not versions:
            raise errors.UnknownModel(self._no_model(name))
        if version and version not in versions:
            raise errors.UnknownModel(f"{name} has no version {version}. It has: {', '.join(map(str, versions))}.")
        return Bundle(self.root / name / str(version or versions[-1]))

    def _no_model(self, name: str) -> str:
        names = self.names()
        if not names:
            return (
                f"No model is called {name!r}; the registry is empty. `kerascope export` puts a model there, and "
                "`kerascope zoo list` shows what `kerascope zoo pull` can bring."
            )
        near = difflib.get_close_matches(name, names, n=3) or names[:5]
        return f"No model is called {name!r}. Near it: {', '.join(near)}. `kerascope zoo list` prints all {len(names)}."
