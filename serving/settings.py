"""What a running gateway is told: from the environment, each setting as KERASCOPE_<NAME>."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zoo import errors
from zoo.imaging.image import MAX_BYTES, MAX_PIXELS

PREFIX = "KERASCOPE_"


class Settings(BaseModel):
    """A gateway's settings; `kerascope gateway --help` and docs/reference print these.

    Attributes:
        registry: folder of bundles, the one the model server loads from (or a copy of it).
        trusted_key: file of public keys, in PEM; bundles that none of them signed (`kerascope zoo sign`) are not used.
        model_server: host:port of TensorFlow Serving's gRPC API, or any target of gRPC's with several servers behind
            it (`dns:///name:port`, `ipv4:a:port,b:port`): they take turns.
        host: address to listen on; 0.0.0.0 for every interface.
        port: to listen on; 0 takes a free one.
        tls_certificate: file with the gateway's certificate, and any between it and its authority, in PEM.
        tls_key: file with its private key, in PEM.
        tls_client_ca: file of authorities, in PEM; callers must then show a certificate that one of them signed.
        token_secret: file with 32 bytes or more; callers then bring tokens signed with it (HS256).
        token_jwks: file of public keys (JWKS); callers then bring tokens signed with one of them (RS256, ES256).
        token_audience: the `aud` that a token must have; empty refuses tokens that have one.
        requests_per_minute: calls of one client, by its token's subject or else its address; 0 for no limit.
        burst: the most of them at once.
        insecure: starts without TLS and tokens, for this machine alone: `host` must then be a loopback address.
        metrics_port: for Prometheus, on the same address, at /metrics; 0 takes a free one. Off unless set.
        max_image_bytes: larger files are refused.
        max_image_pixels: larger pictures are refused.
        request_timeout_s: longest wait for the model server, where a caller's shorter deadline counts; and for a call's
            message to come whole.
        explain_timeout_s: longest time for one tf-keras-vis explanation.
        explainer_workers: processes that make explanations; each loads TensorFlow at its first one.
        explainer_waiting: explanations that may wait for a worker; one more is turned away.
        request_threads: images analysed at once, those of streams among them; of other calls as many again.
        requests_waiting: calls that may wait for one of those to end; one more is turned away at once.
        streams: `AnalyzeStream` and `AnalyzeStudy` calls at once; one more is turned away.
        stream_in_flight: images of one stream held at once; the sender waits.
        stream_idle_s: a stream on which nothing comes for so long is ended.
        watch_interval_s: how often the registry and the model server are looked at.
        store: where answers and reviews are kept: sqlite:///folder/store.db or postgresql://user@host/name, the
            password in PGPASSWORD or PostgreSQL's password file. Off unless set.
        spool: folder of received files, where the DICOM node keeps them elsewhere than beside SQLite's file.
        retention_days: what the store took in earlier is removed, looked at once an hour; 0 keeps it for ever.
        audit: file for the audit trail. Off unless set.
        watchers: callers that may watch for new analyses at once.
        log_level: of the gateway's own log.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    registry: Path = Path("registry")
    trusted_key: Path | None = None
    model_server: str = Field("localhost:8500", pattern=r"^\S+:\d+$")
    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(50051, ge=0, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    token_secret: Path | None = None
    token_jwks: Path | None = None
    token_audience: str = ""
    requests_per_minute: float = Field(0.0, ge=0)
    burst: int = Field(60, ge=1)
    insecure: bool = False
    metrics_port: int | None = Field(None, ge=0, le=65535)
    max_image_bytes: int = Field(MAX_BYTES, ge=1024, le=1 << 30)
    max_image_pixels: int = Field(MAX_PIXELS, ge=1024)
    request_timeout_s: float = Field(30.0, gt=0)
    explain_timeout_s: float = Field(120.0, gt=0)
    explainer_workers: int = Field(1, ge=1, le=64)
    explainer_waiting: int = Field(4, ge=0)
    request_threads: int = Field(16, ge=1, le=1024)
    requests_waiting: int = Field(32, ge=0)
    streams: int = Field(4, ge=1, le=256)
    stream_in_flight: int = Field(8, ge=1, le=1024)
    stream_idle_s: float = Field(300.0, gt=0)
    watch_interval_s: float = Field(1.0, gt=0)
    store: str = ""
    spool: Path | None = None
    retention_days: float = Field(0.0, ge=0)
    audit: Path | None = None
    watchers: int = Field(4, ge=1, le=256)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
        """Reads KERASCOPE_<NAME> for every setting.

        Args:
            environment: instead of the process's own.
            overrides: settings that count before the environment; None means not given.

        Raises:
            BadConfig: an impossible value or an unknown override; the message names the setting.
        """
        variables = os.environ if environment is None else environment
        values: dict[str, object] = {
            name: variables[PREFIX + name.upper()] for name in cls.model_fields if variables.get(PREFIX + name.upper())
        }
        values |= {name: value for name, value in overrides.items() if value is not None}
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise errors.BadConfig(_faults(error)) from None


def _faults(error: ValidationError) -> str:
    """Every wrong setting in one sentence each: what it is, what it should be, where it is set."""
    sentences = []
    for fault in error.errors():
        name = str(fault["loc"][0])
        if fault["type"] == "extra_forbidden":
            sentences.append(f"No setting is called {name!r}; there are: {', '.join(Settings.model_fields)}.")
        else:
            sentences.append(f"{name} is {fault['input']!r}: {fault['msg']}. Set {PREFIX}{name.upper()} to another.")
    return " ".join(sentences)
