"""Errors of ours <-> gRPC statuses, both ways, by one table.

Beside status and message travel two trailing metadata: `kerascope-error`, the class in zoo.errors, and, where a
picture was turned away, `kerascope-reason`. Needs no TensorFlow.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from zoo import errors

log = logging.getLogger(__name__)

ERROR_KEY = "kerascope-error"
REASON_KEY = "kerascope-reason"
# With a call, and only for the audit trail: who asks, as the caller says.
USER_KEY = "kerascope-user"

STATUS: dict[type[errors.KerascopeError], grpc.StatusCode] = {
    errors.BadImage: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ImageRefused: grpc.StatusCode.INVALID_ARGUMENT,
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.TooManyRequests: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.UnknownModel: grpc.StatusCode.NOT_FOUND,
    errors.ModelNotReady: grpc.StatusCode.UNAVAILABLE,
    errors.BackendTimeout: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.BadBundle: grpc.StatusCode.FAILED_PRECONDITION,
    errors.BadConfig: grpc.StatusCode.FAILED_PRECONDITION,
    errors.MissingExtra: grpc.StatusCode.FAILED_PRECONDITION,
    errors.BadManifest: grpc.StatusCode.FAILED_PRECONDITION,
    errors.BadRun: grpc.StatusCode.FAILED_PRECONDITION,
    errors.StoreNotReady: grpc.StatusCode.UNAVAILABLE,
    errors.UnknownRecord: grpc.StatusCode.NOT_FOUND,
    errors.BrokenAudit: grpc.StatusCode.DATA_LOSS,
    errors.InternalError: grpc.StatusCode.INTERNAL,
}

_NAMES = {kind.__name__: kind for kind in STATUS}


@contextmanager
def abort_on_error(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends the call with a status. Our messages go out; anyone else's stay in the log under a reference."""
    try:
        yield
    except Exception as error:
        _abort(context, told(error))


def told(error: Exception) -> errors.KerascopeError:
    """What a caller hears of an error: one of ours as it is, for anyone else's a reference into the log."""
    if isinstance(error, errors.KerascopeError):
        log.info("refused: %s", " ".join(value for _, value in metadata_of(error)))
        return error
    reference = uuid.uuid4().hex[:8]
    log.error("internal error %s", reference, exc_info=error)
    return errors.InternalError(f"Internal error {reference}; the gateway's log has the cause.")


def _abort(context: grpc.ServicerContext, error: errors.KerascopeError) -> None:
    context.set_trailing_metadata(metadata_of(error))
    context.abort(STATUS[type(error)], str(error))


def metadata_of(error: errors.KerascopeError) -> tuple[tuple[str, str], ...]:
    """The trailing metadata that let a client raise the same error."""
    named = ((ERROR_KEY, type(error).__name__),)
    if isinstance(error, (errors.BadImage, errors.ImageRefused)):
        return (*named, (REASON_KEY, error.reason.value))
    return named


def error_of(call: grpc.RpcError, address: str) -> errors.KerascopeError:
    """The error a failed call stands for: the one the gateway raised, or what its silence means.

    Args:
        call: as grpc raised it.
        address: of the gateway, for the message.
    """
    metadata = {key: value for key, value in call.trailing_metadata() or ()}
    name, details = str(metadata.get(ERROR_KEY)), call.details() or ""
    if name not in _NAMES:
        return _foreign(call.code(), details, address)
    return named(name, str(metadata.get(REASON_KEY)), details)


def named(name: str, reason: str, details: str) -> errors.KerascopeError:
    """The error that a gateway named; a newer gateway's, unknown here, becomes an internal error."""
    kind = _NAMES.get(name, errors.InternalError)
    if issubclass(kind, (errors.BadImage, errors.ImageRefused)):
        return _turned(kind, details, reason)
    return kind(details)


def _turned(
    kind: type[errors.BadImage] | type[errors.ImageRefused], details: str, reason: str
) -> errors.KerascopeError:
    """A refusal with its reason; a reason of a newer gateway, unknown here, becomes a plain bad request."""
    if reason in errors.Reason.__members__:
        return kind(details, errors.Reason[reason])
    return errors.BadRequest(details)


def _foreign(code: grpc.StatusCode, details: str, address: str) -> errors.KerascopeError:
    """A status that gRPC itself made, or something else that listens there."""
    if code is grpc.StatusCode.UNAVAILABLE:
        return errors.ModelNotReady(f"No gateway answers at {address}; start one with `kerascope gateway`.")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.BackendTimeout(f"The gateway at {address} did not answer in time. Ask again, or allow longer.")
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return errors.BadImage(
            f"The file is larger than the gateway at {address} takes. Send one image, not a whole series.",
            errors.Reason.TOO_LARGE,
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return errors.BadConfig(f"What answers at {address} is no Kerascope gateway, or another version. Check it.")
    return errors.InternalError(f"The call of {address} failed with {code.name}: {details}")
