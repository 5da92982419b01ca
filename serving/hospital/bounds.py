"""How much one connection may make the node hold: nothing is read that is longer than what it can be.

pynetdicom reads a PDU of whatever length its header claims, up to 4 GiB and from anybody, and gathers a message without
end (PS3.8 section 9.3.1, PS3.7 section 6.3.1). Here its reading is stopped before the memory is spent.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any

from pynetdicom import evt

log = logging.getLogger(__name__)

# P-DATA is cut to 16 KiB by our own answer; an A-ASSOCIATE-RQ that asks for all there is has less than 64 KiB.
MOST_PDU_BYTES = 1 << 20
MOST_MESSAGE_BYTES = 256 << 20


class Bounds:
    """The handlers that keep every association of a server within bounds; a sender of more loses its connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def handlers(self) -> list[tuple[Any, Callable[[Any], None]]]:
        """For `AE.start_server`."""
        return [(evt.EVT_CONN_OPEN, self._open), (evt.EVT_DIMSE_RECV, self._complete)]

    def _open(self, event: Any) -> None:
        association, socket = event.assoc, event.assoc.dul.socket
        recv = socket.recv

        def bounded(number: int) -> bytearray:
            self._count(association, number)
            return bytearray(recv(number))

        socket.recv = bounded

    def _count(self, association: Any, number: int) -> None:
        """Raises OSError, which pynetdicom takes for a connection that broke."""
        with self._lock:
            held = self._held[association] = self._held.get(association, 0) + number
        if number > MOST_PDU_BYTES or held > MOST_MESSAGE_BYTES:
            log.warning("a sender was cut off: it announced a PDU of %d bytes, %d of one message", number, held)
            raise OSError("more than one connection may send")

    def _complete(self, event: Any) -> None:
        with self._lock:
            self._held[event.assoc] = 0
