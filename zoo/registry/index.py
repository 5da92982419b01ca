"""The index: which bundles can be had, where each lies, how long it is and what its SHA-256 is. One JSON file.

    {"format": 1, "bundles": [{"name": "chest", "version": 1, "file": "chest-1.tar.gz", "sha256": "9f2c…", ...}]}

`file` is a path beside the index, or an http(s) address.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from zoo import errors, installation
from zoo.cards import RESEARCH_USE_ONLY, ModelCard

DEFAULT = installation.folder("releases") / "index.json"
VARIABLE = "KERASCOPE_INDEX"
MOST_BYTES = 64 << 20  # of an index
_HTTP = re.compile(r"https?://", re.IGNORECASE)


class Record(BaseModel):
    """A part of an index. Unknown keys are passed over, so that an older Kerascope reads a newer index."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Summary(Record):
    """What a card says, for somebody who has to choose.

    Attributes:
        task, question, backbone, licence, not_for: as on the card.
        labels: the labels' names.
        size: height and width of what it takes, in pixels.
        parameters: of the network.
        auroc: mean over the labels that have one, on the model's own test split; None where nothing was measured.
        test_images: how many images that split holds.
        notice: research use only.
    """

    task: str
    question: str
    backbone: str
    labels: tuple[str, ...]
    size: tuple[int, int]
    parameters: int
    licence: str
    not_for: str
    auroc: float | None = None
    test_images: int | None = None
    notice: str = RESEARCH_USE_ONLY

    @classmethod
    def of(cls, card: ModelCard) -> Summary:
        """The summary of a card."""
        found = [label.metrics.auroc.value for label in card.labels if label.metrics is not None]
        areas = [area for area in found if area is not None]
        return cls(
            task=card.task,
            question=card.question,
            backbone=card.backbone,
            labels=card.label_names,
            size=(card.input.height, card.input.width),
            parameters=card.parameters,
            licence=card.licence,
            not_for=card.not_for,
            auroc=sum(areas) / len(areas) if areas else None,
            test_images=card.data.images.get("test") if areas else None,
        )


class Entry(Record):
    """One version of one model that can be had.

    Attributes:
        name, version: the model's.
        file: its archive: a path relative to the index, or an http(s) address.
        sha256: of the archive.
        bytes: length of the archive.
        unpacked_bytes: length of all files in it together.
        checksums_sha256: of the bundle's own `assets.extra/SHA256SUMS`, which names every file in it.
        summary: what its card says.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    version: int = Field(ge=1)
    file: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int = Field(gt=0)
    unpacked_bytes: int = Field(gt=0)
    checksums_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    summary: Summary

    @field_validator("file")
    @classmethod
    def _stays_beside_the_index(cls, file: str) -> str:
        if _HTTP.match(file):
            return file
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or urlsplit(file).scheme or "\\" in file or not path.name:
            raise ValueError("must be a path beside the index, or an http(s) address")
        return file


class Index(Record):
    """What can be had.

    Attributes:
        bundles: every version of every model.
        place: where the index was read: a path or an http(s) address.
    """

    format: Literal[1] = 1
    bundles: tuple[Entry, ...] = ()
    place: str = Field(default="", exclude=True)

    def find(self, name: str, version: int | None = None) -> Entry:
        """One version of a model, the newest where none is asked for.

        Raises:
            UnknownModel: not in the index; the message names what is near.
        """
        found = {entry.version: entry for entry in self.bundles if entry.name == name}
        if not found:
            raise errors.UnknownModel(self._no_model(name))
        if version and version not in found:
            known = ", ".join(map(str, sorted(found)))
            raise errors.UnknownModel(f"{self.place} offers no version {version} of {name}. It offers: {known}.")
        return found[version or max(found)]

    def _no_model(self, name: str) -> str:
        names = sorted({entry.name for entry in self.bundles})
        if not names:
            return f"{self.place} offers no model. Name another index with --index or {VARIABLE}."
        near = difflib.get_close_matches(name, names, n=3) or names[:5]
        return f"{self.place} offers no model {name!r}. Near it: {', '.join(near)}. `kerascope zoo list` shows all."

    def with_entry(self, entry: Entry) -> Index:
        """The index with this entry in the place of an older one of the same name and version."""
        others = [one for one in self.bundles if (one.name, one.version) != (entry.name, entry.version)]
        ordered = sorted([*others, entry], key=lambda one: (one.name, one.version))
        return self.model_copy(update={"bundles": tuple(ordered)})

    def to_json(self) -> str:
        """The index as indented JSON, with a line feed at its end."""
        return self.model_dump_json(indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes, *, place: str) -> Index:
        """Reads what `to_json` wrote.

        Raises:
            BadBundle: not JSON, not an index, or of a format from the future.
        """
        try:
            values = json.loads(text)
            return cls.model_validate({**values, "place": place} if isinstance(values, dict) else values)
        except ValidationError as error:
            faults = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'index'}: {e['msg']}" for e in error.errors()[:3])
        except ValueError:
            faults = "not JSON"
        raise errors.BadBundle(f"{place} is no readable index of bundles: {faults}. Name another with --index.")


def is_address(place: str) -> bool:
    """Whether a place is to be asked over the network, not opened as a file."""
    return _HTTP.match(place) is not None


def place_of(entry: Entry, index: Index) -> str:
    """Where an entry's archive lies: an http(s) address, or a path."""
    if is_address(entry.file):
        return entry.file
    if is_address(index.place):
        return urljoin(index.place, entry.file)
    return str(Path(index.place).parent / entry.file)


def default_place() -> str:
    """The index that is meant where none is named: KERASCOPE_INDEX, else `releases/index.json` of this installation."""
    return os.environ.get(VARIABLE) or str(DEFAULT)


def read(place: str) -> Index:
    """Reads an index.

    Args:
        place: a path, or an http(s) address.

    Raises:
        BadConfig: no such file, or a kind of address that is not read.
        BadBundle: it is no index.
        BackendTimeout: its server does not answer, or says no.
    """
    if is_address(place):
        from zoo.registry.transfer import fetch_small

        return Index.from_json(fetch_small(place, most_bytes=MOST_BYTES), place=place)
    if "://" in place:
        raise errors.BadConfig(f"The index {place!r} is neither a file nor an http(s) address. Name another.")
    try:
        return Index.from_json(Path(place).read_bytes(), place=place)
    except OSError as error:
        raise errors.BadConfig(
            f"The index {place} cannot be read: {error.strerror}. Name another with --index or {VARIABLE}."
        ) from None
