"""What stands before every call: who asks, whether they may, and not too often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import grpc

from serving.audit.access import audited
from serving.audit.trail import Audit
from serving.security.limits import Limiter, address_of
from serving.security.roles import check_role, set_caller, set_pace
from serving.security.tokens import Verifier
from serving.status import abort_on_error
from zoo import errors

log = logging.getLogger(__name__)

OPEN = "/grpc.health.v1.Health/"  # whoever starts and stops gateways must ask it, and it tells of no patient
MAKERS = {
    "unary_unary": grpc.unary_unary_rpc_method_handler,
    "unary_stream": grpc.unary_stream_rpc_method_handler,
    "stream_unary": grpc.stream_unary_rpc_method_handler,
    "stream_stream": grpc.stream_stream_rpc_method_handler,
}


class Guard(grpc.ServerInterceptor):
    """Lets calls through, or ends them as UNAUTHENTICATED, PERMISSION_DENIED or RESOURCE_EXHAUSTED.

    Args:
        verifier: of tokens; None where anyone may ask anything.
        limiter: of calls; None for as many as they like.
        audit: is told of calls that a role may not make.
    """

    def __init__(self, verifier: Verifier | None, limiter: Limiter | None, audit: Audit | None) -> None:
        self._verifier, self._limiter, self._audit = verifier, limiter, audit

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler of a call, with the guard before it (grpc.ServerInterceptor)."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(OPEN):
            return handler
        kind = next(name for name in MAKERS if getattr(handler, name))
        method = handler_call_details.method.rpartition("/")[2]
        return MAKERS[kind](
            partial(self._answer, method, getattr(handler, kind)),
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    def _answer(
        self, method: str, answer: Callable[[Any, Any], object], request: Any, context: grpc.ServicerContext
    ) -> object:
        with abort_on_error(context):
            self._admit(method, context)
        return answer(request, context)

    def _admit(self, method: str, context: grpc.ServicerContext) -> None:
        if self._verifier is None:
            return self._count(address_of(context.peer()), context)
        try:
            caller = self._verifier.caller(dict(context.invocation_metadata()).get("authorization", ""))
        except errors.Unauthenticated:
            log.warning("%s without a valid token, from %s", method, context.peer())
            self._count(address_of(context.peer()), context)
            raise
        set_caller(context, caller)
        self._count(f"subject:{caller.subject}", context)
        try:
            check_role(caller, method)
        except errors.Forbidden as error:
            with audited(self._audit, context, "deny") as access:
                access.subject = f"method:{method}"
                raise error

    def _count(self, client: str, context: grpc.ServicerContext) -> None:
        """One call; the further images of a stream are counted where they are read, as calls of the same client."""
        if self._limiter is not None:
            self._limiter.take(client)
            set_pace(context, partial(self._limiter.wait_s, client))
