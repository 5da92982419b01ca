"""The HTTP server under the REST API: HTTP/1.1, a thread for each connection, bounded in every direction."""

from __future__ import annotations

import logging
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_WR, socket
from typing import Any

from serving.modelserver.call import Timed
from serving.modelserver.rest.routes import Reply, Routes, error_reply
from zoo.errors import BadConfig

log = logging.getLogger(__name__)

LARGEST_BODY = 256 << 20
MOST_CONNECTIONS = 512
_IDLE_S = 120.0
_LINGER_S = 2.0
_LONGEST_LINE = 128  # of a chunk's head
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

Page = Callable[[], str]


class _Refused(Exception):
    """A body that is not read."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class RestServer:
    """Serves routes, and pages of text at paths of their own; `start` makes it answer.

    Args:
        port: on all interfaces.
        threads: questions answered at once.
        timeout_s: for one of them, reading its body not counted.
        pages: path -> what is to be read there.
        cors: tell browsers that pages from elsewhere may ask.
    """

    def __init__(
        self, port: int, routes: Routes, *, threads: int, timeout_s: float, pages: Mapping[str, Page], cors: bool
    ) -> None:
        self.routes, self.timeout_s, self.pages = routes, timeout_s, pages
        self.headers = _CORS if cors else {}
        self.pool = ThreadPoolExecutor(threads, "rest")
        try:
            self._server = _Server(("0.0.0.0", port), self)
        except OSError as error:
            raise BadConfig(
                f"The REST API cannot listen on 0.0.0.0:{port}: {error.strerror}. "
                "Stop what listens there, or give another rest_api_port (0 for none)."
            ) from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="rest", daemon=True)

    def start(self) -> None:
        """Opens for requests."""
        self._thread.start()

    def stop(self) -> None:
        """Takes no new connection and lets the questions under way end."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self.pool.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], rest: RestServer) -> None:
        self.rest = rest
        self._places = threading.Semaphore(MOST_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """One connection more, or none where there are too many."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """All requests of one connection."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:
        """A client that went away is no error of ours."""
        log.debug("A REST connection broke off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "kerascope", ""
    timeout = _IDLE_S
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        """Looks at a model, or reads a page."""
        self._take(self.server.rest.pages.get(self.path))

    def do_POST(self) -> None:
        """Asks a model."""
        self._take(None)

    do_HEAD = do_GET
    do_PUT = do_DELETE = do_POST

    def do_OPTIONS(self) -> None:
        """What a browser asks beforehand."""
        self._take(lambda: "")

    def handle_expect_100(self) -> bool:
        """Lets a client go on that asks before it sends its body, as curl does with a large one."""
        wanted = super().handle_expect_100()
        self.wfile.flush()
        return wanted

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a path may hold anything."""

    def _take(self, page: Page | None) -> None:
        try:
            body = self._body()
        except _Refused as refused:
            self.close_connection = True  # what follows is the rest of a body
            self._send(refused.reply)
            self._linger()
        else:
            if page is None:
                self._ask(body)
            else:
                self._send(Reply(HTTPStatus.OK, page().encode(), "text/plain"))

    def _linger(self) -> None:
        """Takes what still comes: closed before it, the client's side may throw our answer away (RFC 9112, 9.6)."""
        self.connection.shutdown(SHUT_WR)
        self.connection.settimeout(_LINGER_S)
        ends = time.monotonic() + _LINGER_S
        while time.monotonic() < ends and self.rfile.read1(1 << 16):
            pass

    def _ask(self, body: bytes) -> None:
        path, rest = self.path.partition("?")[0], self.server.rest
        if not path.lower().startswith("/v1/"):
            self._send(error_reply(HTTPStatus.NOT_FOUND, f"Not found: {self.command} {path}"))
            return
        call = Timed(rest.timeout_s)
        asked = rest.pool.submit(rest.routes.answer, self.command, path, body, call)
        try:
            reply = asked.result(rest.timeout_s)
        except TooLate:
            asked.cancel()
            reply = error_reply(HTTPStatus.GATEWAY_TIMEOUT, f"Timed out after {rest.timeout_s * 1000:.0f} ms")
        self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in self.server.rest.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        self.wfile.flush()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = self._chunks()
        else:
            body = self._read(self._length())
        encoding = self.headers.get("Content-Encoding", "identity").lower()
        if encoding == "gzip":
            return _unzipped(body)
        if encoding != "identity":
            raise _refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Encoding {encoding} is not read; gzip is")
        return body

    def _length(self) -> int:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit():
            raise _refused(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
        if int(length) > LARGEST_BODY:
            raise _too_large()
        return int(length)

    def _read(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            raise _refused(HTTPStatus.BAD_REQUEST, "The body ends before its Content-Length")
        return body

    def _chunks(self) -> bytes:
        parts, length = [], 0
        while size := self._chunk_size():
            length += size
            if length > LARGEST_BODY:
                raise _too_large()
            parts.append(self._read(size))
            self.rfile.readline(_LONGEST_LINE)
        while self.rfile.readline(_LONGEST_LINE).strip():
            pass  # trailers
        return b"".join(parts)

    def _chunk_size(self) -> int:
        try:
            return int(self.rfile.readline(_LONGEST_LINE).partition(b";")[0], 16)
        except ValueError:
            raise _refused(HTTPStatus.BAD_REQUEST, "A chunk of the body has no size") from None


def _unzipped(body: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        found = stream.decompress(body, LARGEST_BODY + 1)
    except zlib.error:
        raise _refused(HTTPStatus.BAD_REQUEST, "The body is no gzip") from None
    if len(found) > LARGEST_BODY:
        raise _too_large()
    return found


def _too_large() -> _Refused:
    return _refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {LARGEST_BODY >> 20} MiB")


def _refused(status: HTTPStatus, text: str) -> _Refused:
    return _Refused(error_reply(status, text))
