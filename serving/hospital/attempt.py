"""One try of something that a queue gave out: what goes wrong is put off, and names no patient."""

from __future__ import annotations

import logging
from collections.abc import Callable

from zoo import errors

log = logging.getLogger(__name__)


def attempt(name: str, do: Callable[[], None], put_off: Callable[[errors.KerascopeError], None]) -> None:
    """Does it, or puts it off.

    Args:
        name: of the task, for the log.
        do: the task.
        put_off: is told what went wrong; what is no error of ours, as an InternalError.

    Raises:
        StoreNotReady: the store is away, by either; the task is taken again when it is back.
    """
    try:
        do()
    except errors.StoreNotReady:
        raise
    except errors.KerascopeError as error:
        put_off(error)
    except Exception as bug:  # ours or a library's; its words may quote a patient
        log.error("%s met %s", name, type(bug).__name__)
        put_off(errors.InternalError(f"A bug: {type(bug).__name__}."))
