"""Ends calls before their message is read, by threads that do nothing else: whoever may not come in waits for nobody.

gRPC for Python reads a unary call's message before its handler runs. A handler of streams has its messages read as it
asks for them, and these handlers ask for none: the sender keeps what HTTP/2 flow control has not let through (RFC 9113
section 5.2), whatever kind the call was of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc

from serving.status import STATUS, abort_on_error
from zoo import errors

TurnedAway = Callable[[str, grpc.StatusCode], None]
Refuse = Callable[[grpc.ServicerContext], NoReturn]


class Doorman:
    """Makes handlers that turn calls away; safe to use from many threads.

    Args:
        turned_away: is told the method and the status of every such call.
    """

    def __init__(self, turned_away: TurnedAway) -> None:
        self._turned_away = turned_away
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="doorman")

    def turning_away(self, method: str, refuse: Refuse) -> Any:
        """The handler of a call that ends with what `refuse` raises, a KerascopeError; its message is never read."""

        def end(_: Iterator[bytes], context: grpc.ServicerContext) -> None:
            with abort_on_error(context):
                try:
                    refuse(context)
                except errors.KerascopeError as error:
                    self._turned_away(method, STATUS[type(error)])
                    raise

        return grpc.stream_unary_rpc_method_handler(run_by(self._threads, end))

    def turns_away(self, handler: Any) -> bool:
        """Whether a handler is one of these."""
        return getattr(handler.stream_unary, "experimental_thread_pool", None) is self._threads

    def stop(self) -> None:
        """Ends the threads, once the server has ended."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def run_by(threads: ThreadPoolExecutor, behaviour: Callable[..., Any]) -> Callable[..., Any]:
    """Has a handler's behaviour run by these threads (grpc/_server.py, _select_thread_pool_for_behavior)."""
    behaviour.experimental_thread_pool = threads  # type: ignore[attr-defined]
    return behaviour
