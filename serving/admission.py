"""How much the gateway takes on at once. What comes over that is turned away before its message is read.

Calls are sorted into groups, each with threads of its own and so many places to wait: a call that waits costs no
thread, and its message stays with the sender (HTTP/2 flow control, RFC 9113 section 5.2), so that memory is bounded by
what is being answered. gRPC's own limit (`maximum_concurrent_rpcs`) would count health checks and watchers among the
analyses, and say nothing that a client of ours understands.

Every message is read here, too, so that one that is none ends as a refusal of ours and not as INTERNAL.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from serving.doorman import Doorman, TurnedAway, run_by
from serving.status import STATUS, abort_on_error
from zoo import errors


class Group:
    """Methods that share threads and places; safe to use from many threads.

    Attributes:
        threads: which answer.

    Args:
        name: of the threads.
        working: calls answered at once.
        waiting: calls that may wait for one of those to end.
    """

    def __init__(self, name: str, *, working: int, waiting: int) -> None:
        self.threads = ThreadPoolExecutor(working, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(working + waiting)
        self.size = working + waiting

    def enter(self) -> bool:
        """Takes a place; False where there is none."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        """Gives the place back."""
        self._places.release()


class Admission(grpc.ServerInterceptor):
    """Gives every call of one gRPC service a place in its group, or ends it at once as RESOURCE_EXHAUSTED.

    To stand before all other interceptors. It takes in unary calls as streams of one message: only so does gRPC for
    Python leave the message with the sender until a thread is free, and tell us when a call ends that never sent one.
    A call that the doorman ends needs no place.

    Args:
        service: its full name.
        groups: by a method's own name.
        others: for the methods not named.
        doorman: ends the calls that find no place.
        turned_away: is told the method and the status of every call whose message is none.
        patience_s: a caller whose one message has not come by then is hung up on, at the next `hang_up`.
    """

    def __init__(
        self,
        service: str,
        groups: Mapping[str, Group],
        others: Group,
        doorman: Doorman,
        turned_away: TurnedAway,
        patience_s: float,
    ) -> None:
        self._prefix, self._groups, self._others = f"/{service}/", groups, others
        self._doorman, self._turned_away, self._patience_s = doorman, turned_away, patience_s
        self._silent: dict[grpc.ServicerContext, float] = {}
        self._lock = threading.Lock()

    def hang_up(self) -> None:
        """Ends the calls that hold a thread and have sent nothing for too long; to be called again and again."""
        with self._lock:
            late = [context for context, due in self._silent.items() if due < time.monotonic()]
        for context in late:
            context.cancel()

    def stop(self) -> None:
        """Ends the threads, once the server has ended."""
        for group in {self._others, *self._groups.values()}:
            group.threads.shutdown(wait=False, cancel_futures=True)

    def intercept_service(
        self, continuation: Callable[[grpc.HandlerCallDetails], Any], handler_call_details: grpc.HandlerCallDetails
    ) -> Any:
        """The handler of a call that has a place, or one that turns it away (grpc.ServerInterceptor)."""
        handler = continuation(handler_call_details)
        method = handler_call_details.method.removeprefix(self._prefix)
        if handler is None or method == handler_call_details.method or self._doorman.turns_away(handler):
            return handler
        group = self._groups.get(method, self._others)
        if group.enter():
            return self._let_in(method, handler, group)
        return self._send_away(method, group)

    def _let_in(self, method: str, handler: Any, group: Group) -> Any:
        def one(requests: Iterator[bytes], context: grpc.ServicerContext) -> Any:
            try:
                return behaviour(self._read(method, handler, requests, context), context)
            finally:
                group.leave()

        def many(requests: Iterator[bytes], context: grpc.ServicerContext) -> Iterator[Any]:
            try:
                yield from behaviour(self._read(method, handler, requests, context), context)
            finally:
                group.leave()

        behaviour = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
        make = (
            grpc.stream_stream_rpc_method_handler
            if handler.response_streaming
            else grpc.stream_unary_rpc_method_handler
        )
        behave = run_by(group.threads, many if handler.response_streaming else one)
        return make(behave, None, handler.response_serializer)

    def _send_away(self, method: str, group: Group) -> Any:
        def refuse(_: grpc.ServicerContext) -> NoReturn:
            raise errors.TooManyRequests(
                f"The gateway has taken on {group.size} calls of this kind, and takes no more at once. Ask again in a "
                "second, or give it more places: KERASCOPE_REQUESTS_WAITING, KERASCOPE_STREAMS."
            )

        return self._doorman.turning_away(method, refuse)

    def _read(self, method: str, handler: Any, requests: Iterator[bytes], context: grpc.ServicerContext) -> Any:
        """The call's message; or its messages, of which a bad one raises where it is read."""
        if not context.is_active():  # the caller has gone while the call waited
            context.abort(grpc.StatusCode.CANCELLED, "The caller has gone.")
        if handler.request_streaming:
            return (_parsed(method, handler, request) for request in requests)
        data = self._first(requests, context)
        with abort_on_error(context):
            try:
                return _parsed(method, handler, data)
            except errors.BadRequest:
                self._turned_away(method, STATUS[errors.BadRequest])
                raise

    def _first(self, requests: Iterator[bytes], context: grpc.ServicerContext) -> bytes | None:
        with self._lock:
            self._silent[context] = time.monotonic() + self._patience_s
        try:
            return next(requests, None)
        finally:
            with self._lock:
                del self._silent[context]


def _parsed(method: str, handler: Any, data: bytes | None) -> Any:
    try:
        if data is not None:
            return handler.request_deserializer(data)
    except DecodeError:
        pass
    found = "no message" if data is None else f"{len(data)} bytes that are no message"
    raise errors.BadRequest(
        f"{method} was sent {found} of serving/proto/kerascope/v1/inference.proto. Generate the client from it."
    )
