"""Errors of TensorFlow to gRPC status: the codes are the same numbers; the texts are cut to what a caller can use."""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import tensorflow as tf

log = logging.getLogger(__name__)

STATUS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

# Around the message of a failing operation, TensorFlow's Python tells where in the *server's* code it was built.
_BEFORE = re.compile(r"\A(?:.*?<stack traces unavailable>\n|Graph execution error:\s*)", re.DOTALL)
_AFTER = re.compile(r"\s*\[\[\{\{node .*\Z|\s*\[Op:[^\]]*\].*\Z", re.DOTALL)


def message(error: tf.errors.OpError) -> str:
    """What went wrong, without where in the graph."""
    return _AFTER.sub("", _BEFORE.sub("", error.message))


def code_and_message(error: Exception) -> tuple[int, str]:
    """The code (of google.rpc.Code) and the text under which an error is kept in GetModelStatus."""
    if isinstance(error, tf.errors.OpError):
        return error.error_code, message(error)
    return tf.errors.INTERNAL, f"{type(error).__name__}: {error}"


@contextmanager
def abort_on_error(context: grpc.ServicerContext) -> Iterator[None]:
    """Ends the call with a status. TensorFlow's messages go out; anyone else's stay in the log."""
    try:
        yield
    except tf.errors.OpError as error:
        context.abort(STATUS.get(error.error_code, grpc.StatusCode.UNKNOWN), message(error))
    except MemoryError:
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "The request takes more memory than the server can have.")
    except Exception:
        reference = uuid.uuid4().hex[:8]
        log.exception("internal error %s", reference)
        context.abort(grpc.StatusCode.INTERNAL, f"Internal error {reference}; the server log has the cause.")
