"""What stands before every call: who asks, whether they may, and not too often."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import grpc

from serving.audit.access import audited
from serving.audit.trail import Audit
from serving.doorman import Doorman
from serving.security.limits import Limiter, address_of
from serving.security.roles import Caller, check_role, set_caller, set_pace
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

    A token comes with the head of a call: whoever may not make it is told so before the message is read, and has no
    place among the calls of others.

    Args:
        verifier: of tokens; None where anyone may ask anything.
        limiter: of calls; None for as many as they like.
        audit: is told of calls that a role may not make.
        doorman: ends the calls that are not let through.
    """

    def __init__(
        self, verifier: Verifier | None, limiter: Limiter | None, audit: Audit | None, doorman: Doorman
    ) -> None:
        self._verifier, self._limiter, self._audit, self._doorman = verifier, limiter, audit, doorman

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler of a call, with the guard before it (grpc.ServerInterceptor)."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(OPEN):
            return handler
        if self._verifier is None:
            return _after(self._count_address, handler)
        method = handler_call_details.method.rpartition("/")[2]
        try:
            metadata = dict(handler_call_details.invocation_metadata)
            caller = self._verifier.caller(metadata.get("authorization", ""))
        except errors.Unauthenticated as error:
            return self._doorman.turning_away(method, partial(self._turn_stranger_away, method, error))
        try:
            self._count(f"subject:{caller.subject}")
            check_role(caller, method)
        except (errors.TooManyRequests, errors.Forbidden) as error:
            return self._doorman.turning_away(method, partial(self._turn_away, method, caller, error))
        return _after(partial(self._know, caller), handler)

    def _turn_stranger_away(
        self, method: str, error: errors.Unauthenticated, context: grpc.ServicerContext
    ) -> NoReturn:
        log.warning("%s without a valid token, from %s", method, context.peer())
        self._count(address_of(context.peer()))
        raise error

    def _turn_away(
        self, method: str, caller: Caller, error: errors.KerascopeError, context: grpc.ServicerContext
    ) -> NoReturn:
        if isinstance(error, errors.Forbidden):
            set_caller(context, caller)
            with audited(self._audit, context, "deny") as access:
                access.subject = f"method:{method}"
                raise error
        raise error

    def _know(self, caller: Caller, context: grpc.ServicerContext) -> None:
        set_caller(context, caller)
        self._pace(f"subject:{caller.subject}", context)

    def _count_address(self, context: grpc.ServicerContext) -> None:
        client = address_of(context.peer())
        self._count(client)
        self._pace(client, context)

    def _count(self, client: str) -> None:
        if self._limiter is not None:
            self._limiter.take(client)

    def _pace(self, client: str, context: grpc.ServicerContext) -> None:
        """The further images of a stream are counted where they are read, as calls of the same client."""
        if self._limiter is not None:
            set_pace(context, partial(self._limiter.wait_s, client))


def _after(look: Callable[[grpc.ServicerContext], None], handler: Any) -> Any:
    """A handler of the same kind that looks at the caller first; what the look raises ends the call."""
    kind = next(name for name in MAKERS if getattr(handler, name))
    answer = getattr(handler, kind)

    def behave(request: Any, context: grpc.ServicerContext) -> Any:
        with abort_on_error(context):
            look(context)
        return answer(request, context)

    return MAKERS[kind](
        behave, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
    )
