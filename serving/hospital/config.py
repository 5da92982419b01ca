"""A DICOM node's file, TOML: who may send, which model is asked about what, and where results go."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator

from serving.hospital.endpoints import Archive, Destination, Part, Title, Tls, Web, title
from serving.hospital.header import Header
from zoo import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

STORE, AUDIT = "KERASCOPE_STORE", "KERASCOPE_AUDIT"


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"no regular expression: {error}") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Rule(Part):
    """Which images a model is asked about: those that fit every line given. Several rules may choose one image.

    An image that says nothing of its view, say, fits no rule that names views.

    Attributes:
        model: the model's name at the gateway.
        modality: DICOM Modality (0008,0060), any of these; all if left out.
        body_part: Body Part Examined (0018,0015), likewise.
        view: View Position (0018,5101), likewise.
        description: a regular expression, found anywhere in study description, series description or protocol name,
            whatever the capitals.
    """

    model: str = Field(min_length=1)
    modality: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    view: tuple[str, ...] = ()
    description: Pattern = ""

    def fits(self, header: Header) -> bool:
        """Whether the model is to be asked about this image."""
        named = ((self.modality, header.modality), (self.body_part, header.body_part), (self.view, header.view))
        if any(allowed and value not in {each.upper() for each in allowed} for allowed, value in named):
            return False
        return re.search(self.description, header.description, re.IGNORECASE) is not None


class NodeConfig(Part):
    """What a DICOM node is told. Paths are relative to the file.

    Attributes:
        ae_title: this node's; a caller must name it.
        host: address to listen on; 0.0.0.0 for every interface.
        port: to listen on; 0 takes a free one.
        allow: AE titles that may connect.
        allow_any: lets any AE title connect, in place of `allow`.
        gateway: host:port of the gateway that is asked.
        store: SQLAlchemy URL of the store, the gateway's own if it has one; KERASCOPE_STORE if left out.
        spool: folder for received files; beside SQLite's file if left out.
        audit: file for the audit trail; KERASCOPE_AUDIT if left out, none if that is not set.
        retention_days: what came earlier is removed, looked at once an hour; 0 keeps it for ever.
        workers: images asked about at once.
        associations: senders at once; more are turned away, and try again.
        request_timeout_s: longest wait for the gateway's answer.
        keep: what is kept of an image once it is answered and its results are sent, until `retention_days` are over:
            deidentified, a copy by PS3.15's Basic Profile; original, the file as it came; or nothing.
        uid_secret: file of 32 bytes or more that the copies' new UIDs are made with, so that studies stay linked; made
            beside the spool, as `<spool>.uid-secret`, if left out.
        tls: see Tls; without it connections are in the clear.
        web: see Web; without it nothing is received by DICOMweb.
        rule: see Rule; at least one.
        destination: see Destination; without one nothing is sent.
        archive: see Archive; what `kerascope dicom-pull` may fetch from.
    """

    ae_title: Title = "KERASCOPE"
    host: str = "127.0.0.1"
    port: int = Field(11112, ge=0, le=65535)
    allow: tuple[str, ...] = ()
    allow_any: bool = False
    gateway: str = Field("localhost:50051", pattern=r"^\S+:\d+$")
    store: str = ""
    spool: Path | None = None
    audit: Path | None = None
    retention_days: float = Field(30.0, ge=0)
    workers: int = Field(2, ge=1, le=64)
    associations: int = Field(10, ge=1, le=256)
    request_timeout_s: float = Field(60.0, gt=0)
    keep: Literal["deidentified", "original", "nothing"] = "deidentified"
    uid_secret: Path | None = None
    tls: Tls | None = None
    web: Web | None = None
    rule: tuple[Rule, ...] = Field(min_length=1)
    destination: tuple[Destination, ...] = ()
    archive: tuple[Archive, ...] = ()

    @field_validator("allow")
    @classmethod
    def _titles(cls, titles: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(title(each) for each in titles)

    @model_validator(mode="after")
    def _consistent(self) -> NodeConfig:
        if bool(self.allow) == self.allow_any:
            raise ValueError("name in `allow` who may connect, or let anybody with `allow_any = true`; one of the two")
        if any(each.tls for each in self.destination) and (self.tls is None or self.tls.authority is None):
            raise ValueError("a destination speaks TLS, so [tls] with `authority` is needed")
        titles = [each.ae_title for each in self.destination]
        if len(set(titles)) != len(titles):
            raise ValueError("two destinations have the same ae_title")
        if len({each.name for each in self.archive}) != len(self.archive):
            raise ValueError("two archives have the same name")
        if self.web is not None:
            self.web.check(self.host, self.tls)
        return self

    @classmethod
    def load(cls, path: Path) -> NodeConfig:
        """Reads a node's file.

        Raises:
            BadConfig: it cannot be read, or says something unknown or impossible; the message names it.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise errors.BadConfig(f"The node's file {path} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise errors.BadConfig(f"The node's file {path} is no TOML: {error}.") from None
        for name, variable in (("store", STORE), ("audit", AUDIT)):
            if os.environ.get(variable):
                values.setdefault(name, os.environ[variable])
        try:
            config = cls.model_validate(values)
        except ValidationError as error:
            raise errors.BadConfig(f"The node's file {path}: {_faults(error)}") from None
        if not config.store:
            raise errors.BadConfig(f"The node's file {path} names no `store`, and {STORE} is not set. Set one of them.")
        return config.beside(path.parent)

    def beside(self, folder: Path) -> NodeConfig:
        """The same with its relative paths in `folder`; SQLite's URL keeps its own rule, relative to the process."""
        parts = {name: part.beside(folder) for name, part in self if isinstance(part, Part)}
        lists = {
            name: tuple(part.beside(folder) for part in getattr(self, name)) for name in ("destination", "archive")
        }
        paths = {name: folder / path for name, path in self if isinstance(path, Path)}
        return self.model_copy(update=parts | lists | paths)

    def summary(self) -> str:
        """What the file says, in a line."""
        senders = "any AE title" if self.allow_any else ", ".join(self.allow)
        receivers = ", ".join(each.ae_title for each in self.destination) or "nobody"
        web = f" and by STOW-RS on port {self.web.port}" if self.web else ""
        return f"{self.ae_title} on port {self.port}: images from {senders}{web}, results to {receivers}."

    def archive_named(self, name: str) -> Archive:
        """The archive that has this name.

        Raises:
            BadConfig: none has.
        """
        found = [each for each in self.archive if each.name == name]
        if not found:
            known = ", ".join(each.name for each in self.archive) or "none"
            raise errors.BadConfig(f"The node's file names no [[archive]] {name!r}; it names {known}. Add it.")
        return found[0]

    def models(self, header: Header) -> list[str]:
        """The models to ask about an image, in the order of the rules, each once."""
        return list(dict.fromkeys(rule.model for rule in self.rule if rule.fits(header)))


def _faults(error: ValidationError) -> str:
    """Every fault in one sentence each, with the place in the file."""
    sentences = []
    for fault in error.errors():
        place = ".".join(str(part + 1 if isinstance(part, int) else part) for part in fault["loc"])
        said = "is no key that is known" if fault["type"] == "extra_forbidden" else fault["msg"]
        sentences.append(f"{place}: {said}." if place else f"{said}.")
    return " ".join(sentences)
