"""A slow line: what a client with a bad connection looks like to a server."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

PIECE = 512


class SlowLine:
    """Passes bytes on to a port of this machine, so many a second in each direction.

    Attributes:
        port: where the client connects.
        to: where the line leads.

    Args:
        to: the server's port.
        bytes_per_s: how fast.
        stall_after: passes so many bytes towards the server and then nothing more; None for no such end.
    """

    def __init__(self, to: int, *, bytes_per_s: int, stall_after: int | None = None) -> None:
        self.to, self._pause_s, self._stall_after = to, PIECE / bytes_per_s, stall_after
        self._sockets: list[socket.socket] = []
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Ends every connection on it, and takes no more."""
        self._ended.set()
        for each in (self._listening, *self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                client = self._listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.to))
            except OSError:
                continue
            self._sockets += [client, server]
            threading.Thread(target=self._pass, args=(client, server, self._stall_after), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, None), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, stall_after: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
                passed += len(piece)
                time.sleep(self._pause_s)
                if stall_after is not None and passed >= stall_after:
                    self._ended.wait()
                    return
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
