"""Who is on the other side of a DICOM node, as its file says: where results go, where images are fetched, and TLS."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from zoo.loopback import is_loopback

Result = Literal["structured-report", "overlay", "map", "pdf"]
RESULTS: tuple[Result, ...] = ("structured-report", "overlay", "map", "pdf")


def title(text: str) -> str:
    """An AE title: 1 to 16 printable characters, no backslash, not only spaces (PS3.5 section 6.2, AE)."""
    if not re.fullmatch(r"[ -\[\]-~]{1,16}", text) or not text.strip():
        raise ValueError("an AE title has 1 to 16 characters of ASCII and no backslash")
    return text.strip()


Title = Annotated[str, AfterValidator(title)]


class Part(BaseModel):
    """What the parts of the file share: an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def beside(self, folder: Path) -> Part:
        """The same with its relative paths in `folder`."""
        return self.model_copy(update={name: folder / path for name, path in self._paths()})

    def _paths(self) -> Iterator[tuple[str, Path]]:
        yield from ((name, value) for name, value in self if isinstance(value, Path))


class Tls(Part):
    """TLS of DICOM (PS3.15 B.1) and DICOMweb: version 1.2 or newer. Files in PEM.

    Attributes:
        certificate: this node's, with those between it and its authority.
        key: its private key, not encrypted, readable by the node alone.
        authority: who signs those that may connect, and the PACS' own; without it anybody may connect.
    """

    certificate: Path
    key: Path
    authority: Path | None = None


class Web(Part):
    """Receiving by STOW-RS (PS3.18 section 10.5) at /dicomweb/studies, with `[tls]` and tokens of role system or admin.

    Attributes:
        port: to listen on; 0 takes a free one.
        token_secret: file with 32 bytes or more; senders bring tokens signed with it (HS256).
        token_jwks: file of public keys (JWKS); senders bring tokens signed with one of them (RS256, ES256).
        token_audience: the `aud` that a token must have; empty refuses tokens that have one.
        insecure: starts without TLS and tokens, for this machine alone: `host` must then be a loopback address.
        max_megabytes: larger requests are refused.
    """

    port: int = Field(8443, ge=0, le=65535)
    token_secret: Path | None = None
    token_jwks: Path | None = None
    token_audience: str = ""
    insecure: bool = False
    max_megabytes: float = Field(1024.0, gt=0)

    def check(self, host: str, tls: Tls | None) -> None:
        """Returns if the node may receive so.

        Raises:
            ValueError: it may not; the message says what is missing.
        """
        if self.token_secret is not None and self.token_jwks is not None:
            raise ValueError("[web] has token_secret and token_jwks; tokens come by one way")
        if self.insecure and not is_loopback(host):
            raise ValueError(f"[web] is insecure, so `host` must be 127.0.0.1, and it is {host}")
        tokens = self.token_secret or self.token_jwks
        if not self.insecure and (tls is None or tokens is None):
            raise ValueError(
                "[web] needs [tls], and token_secret or token_jwks; on one machine, to try it out, `insecure = true`"
            )


class WebService(Part):
    """A DICOMweb service that is asked (PS3.18).

    Attributes:
        url: where its studies are, without `/studies`.
        authority: file of who signed its certificate, PEM; the system's own authorities if left out.
        token_file: a file with a bearer token, read anew each time.
        user: for HTTP's basic authentication, in place of a token.
        password_file: a file with that user's password.
    """

    url: str = Field("", pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$")
    authority: Path | None = None
    token_file: Path | None = None
    user: str = ""
    password_file: Path | None = None

    @model_validator(mode="after")
    def _credentials(self) -> WebService:
        if bool(self.user) != bool(self.password_file):
            raise ValueError("`user` and `password_file` go together")
        if self.user and self.token_file:
            raise ValueError("there is a token and a password; one of them is enough")
        if "@" in urlsplit(self.url).netloc:
            raise ValueError("the url holds a password; name `user` and `password_file` instead")
        plain = self.url.startswith("http://") and not is_loopback(self.where)
        if plain and (self.user or self.token_file):
            raise ValueError("the password or token would travel for all to read; the url must begin with https://")
        return self

    @property
    def where(self) -> str:
        """The service's host."""
        return urlsplit(self.url).hostname or ""


class Archive(WebService):
    """A PACS that `kerascope dicom-pull` fetches images from, by QIDO-RS and WADO-RS.

    Attributes:
        name: by which the command names it.
        url: where its studies are, without `/studies`.
        authority: file of who signed its certificate, PEM; the system's own authorities if left out.
        token_file: a file with a bearer token, read anew each time.
        user: for HTTP's basic authentication, in place of a token.
        password_file: a file with that user's password.
    """

    name: str = Field(min_length=1, max_length=64)
    url: str = Field(pattern=r"^https?://[^\s/?#]+[^\s?#]*$")


class Destination(WebService):
    """A PACS that gets the results: by C-STORE at `host` and `port`, or by STOW-RS at `url`.

    Attributes:
        ae_title: its AE title; with `url`, any name of that form.
        host: its name or address.
        port: its DICOM port.
        tls: speaks TLS, with the certificates of `[tls]`.
        url: of its DICOMweb service, without `/studies`.
        authority: file of who signed the service's certificate, PEM; the system's own authorities if left out.
        token_file: a file with a bearer token for it, read anew each time.
        user: for HTTP's basic authentication, in place of a token.
        password_file: a file with that user's password.
        results: which of structured-report, overlay, map, pdf; all if left out.
    """

    ae_title: Title
    host: str = ""
    port: int = Field(0, ge=0, le=65535)
    tls: bool = False
    results: tuple[Result, ...] = RESULTS

    @model_validator(mode="after")
    def _one_way(self) -> Destination:
        if self.url and (self.host or self.port or self.tls):
            raise ValueError("a url takes the place of `host`, `port` and `tls`")
        if not self.url and not (self.host and self.port):
            raise ValueError("name `host` and `port`, or a `url`")
        if not self.url and (self.authority or self.token_file or self.user):
            raise ValueError("`authority`, `token_file` and `user` go with a `url`")
        return self

    @property
    def address(self) -> str:
        """The host that results go to, for the audit trail."""
        return self.host or self.where
