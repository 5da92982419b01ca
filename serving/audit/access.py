"""One call of the gateway as one record of the trail: who asked, about what, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import grpc

from serving.audit.trail import Audit
from serving.records import StoredAnalysis
from serving.security.roles import caller_of
from serving.status import USER_KEY
from zoo import errors
from zoo.results import Provenance

SUCCESS = "success"


@dataclass(kw_only=True)
class Access:
    """What a record says beside who and when.

    Attributes:
        subject: what it was about: `sha256:` and the digest of the image's bytes, or `study:` and a UID.
        model, version: which model answered.
        analysis_id: of the answer.
    """

    subject: str = ""
    model: str = ""
    version: int = 0
    analysis_id: str = ""

    def about(self, stored: StoredAnalysis) -> None:
        """Takes over what a stored analysis says of itself."""
        self.subject, self.analysis_id = f"sha256:{stored.image_sha256}", stored.analysis_id
        self.model, self.version = stored.model, stored.version

    def answered(self, made_by: Provenance) -> None:
        """Takes over which model answered, and about which image."""
        self.subject, self.analysis_id = f"sha256:{made_by.image_sha256}", made_by.analysis_id
        self.model, self.version = made_by.model, made_by.version


@contextmanager
def audited(audit: Audit | None, context: grpc.ServicerContext, action: str) -> Iterator[Access]:
    """Writes one record at the end of the block, however it ends, before the answer leaves.

    Raises:
        StoreNotReady: the record could not be written; the answer must not leave.
    """
    access = Access()
    outcome = "failed:InternalError"
    try:
        yield access
        outcome = SUCCESS
    except errors.KerascopeError as error:
        outcome = outcome_of(error)
        raise
    finally:
        if audit is not None:
            audit.write(action=action, user=user_of(context), peer=context.peer(), outcome=outcome, **vars(access))


def outcome_of(error: errors.KerascopeError) -> str:
    """`refused:` and the reason's code, or `failed:` and the error's name."""
    if isinstance(error, (errors.BadImage, errors.ImageRefused)):
        return f"refused:{error.reason.value}"
    return f"failed:{type(error).__name__}"


def user_of(context: grpc.ServicerContext) -> str:
    """The subject of the caller's token; without one the name in its certificate, else what it calls itself."""
    if caller := caller_of(context):
        return caller.subject
    return _certified(context) or str(dict(context.invocation_metadata()).get(USER_KEY, ""))


def author(context: grpc.ServicerContext, named: str) -> str:
    """Who wrote what a caller sends as `named`'s; one whom its token or certificate names otherwise is told beside."""
    caller = caller_of(context)
    proven = (caller.name or caller.subject) if caller else _certified(context)
    if not proven or named == proven:
        return named
    return f"{named} (sent by {proven})" if named else proven


def _certified(context: grpc.ServicerContext) -> str:
    names = context.auth_context().get("x509_common_name", ())
    return str(names[0].decode("utf-8", "replace")) if names else ""
