"""STOW-RS (PS3.18 section 10.5): instances in by HTTP, through the same door as C-STORE."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from serving.hospital import header
from serving.hospital.config import NodeConfig
from serving.hospital.endpoints import Web
from serving.hospital.intake import NOT_UNDERSTOOD, PROCESSING_FAILURE, Intake, Taken
from serving.hospital.multipart import DICOM, Part, Parts, boundary_of
from serving.hospital.network import server_context
from serving.hospital.stored import JSON, response, status_of
from serving.security.roles import Caller, Role
from serving.security.tokens import Verifier
from zoo import errors
from zoo.imaging.image import MAX_BYTES

log = logging.getLogger(__name__)

PATH = "/dicomweb/studies"
MAY_STORE = frozenset({Role.SYSTEM, Role.ADMIN})
ANYBODY = Caller("DICOMweb", frozenset({Role.SYSTEM}))
SILENCE_S = 30.0
# The first that fits; PS3.18 table 10.5.3-1, RFC 9110 and RFC 6750.
STATUS: tuple[tuple[type[errors.KerascopeError], int], ...] = (
    (errors.Unauthenticated, 401),
    (errors.Forbidden, 403),
    (errors.TooManyRequests, 503),
    (errors.StoreNotReady, 503),
    (errors.BadRequest, 400),
    (errors.BadImage, 413),
)


class WebReceiver:
    """An HTTP server for STOW-RS, in a thread of its own.

    Attributes:
        port: the one it listens on, also where 0 was asked for.

    Args:
        config: the node's, with `[web]`.
        intake: takes what comes.

    Raises:
        BadConfig: the port is taken, or a file of TLS or tokens cannot be used.
    """

    def __init__(self, config: NodeConfig, intake: Intake) -> None:
        assert config.web is not None
        self._web, self._intake, self._verifier = config.web, intake, _verifier(config.web)
        context = server_context(config.tls) if config.tls else None
        self._socket = _listening(config.host, config.web.port)
        self.port = int(self._socket.getsockname()[1])
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._application(),
                log_config=None,
                access_log=False,  # its lines would quote UIDs
                lifespan="off",
                http="h11",
                ws="none",
                server_header=False,
                limit_concurrency=config.associations + 1,  # the one that is turned away counts, too
                timeout_graceful_shutdown=10,
                ssl_context_factory=(lambda *_: context) if context else None,
            )
        )
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Takes no more; what is being received is finished, for ten seconds at most."""
        self._server.should_exit = True
        self._thread.join(timeout=15)
        self._socket.close()

    def _application(self) -> Starlette:
        paths = (PATH, PATH + "/{study}")
        return Starlette(routes=[Route(path, _answering(self._store), methods=["POST"]) for path in paths])

    async def _store(self, request: Request) -> Response:
        """The Store transaction (PS3.18 section 10.5)."""
        peer = request.client.host if request.client else ""
        caller = self._admitted(request, peer)
        if not _takes_json(request.headers.get("accept", "")):
            return PlainTextResponse(f"The answer is {JSON}, which the request does not accept.\n", 406)
        try:
            boundary = boundary_of(request.headers.get("content-type", ""))
        except errors.BadRequest as unsupported:
            return PlainTextResponse(f"{unsupported}\n", 415)
        self._check_length(int(request.headers.get("content-length", 0)))
        study = str(request.path_params.get("study", ""))
        taken = await self._received(request, Parts(boundary, largest=MAX_BYTES), caller, peer, study)
        if not taken:
            raise errors.BadRequest("The body holds no instance. Send one or more parts of application/dicom.")
        busy = {"Retry-After": "10"} if status_of(taken) == 503 else None
        body = json.dumps(response(taken))
        return Response(body, status_of(taken), media_type=JSON, headers=busy)

    async def _received(self, request: Request, parts: Parts, caller: Caller, peer: str, study: str) -> list[Taken]:
        """What became of each part. A body that breaks off after some were stored is answered with those."""
        taken: list[Taken] = []
        length, pieces = 0, request.stream()
        try:
            while piece := await asyncio.wait_for(anext(pieces, b""), SILENCE_S):
                length += len(piece)
                self._check_length(length)
                for part in parts.feed(piece):
                    taken.append(await run_in_threadpool(self._take, part, caller.subject, peer, study))
            parts.close()
        except errors.BadRequest:
            if not taken:
                raise
            taken.append(Taken(status=NOT_UNDERSTOOD))
        return taken

    def _take(self, part: Part, sender: str, peer: str, study: str) -> Taken:
        if part.content_type not in (DICOM, b""):
            return Taken(status=NOT_UNDERSTOOD)
        if not part.whole:
            log.warning("an instance from %s has more than %d bytes", sender, MAX_BYTES)
            return Taken(status=PROCESSING_FAILURE, header=header.read(part.data))
        return self._intake.take(part.data, sender=sender, peer=peer, study=study)

    def _admitted(self, request: Request, peer: str) -> Caller:
        """Who asks; the trail has a record of who may not."""
        if self._verifier is None:
            return ANYBODY
        who = ""
        try:
            caller = self._verifier.caller(request.headers.get("authorization", ""))
            who = caller.subject
            if caller.roles.isdisjoint(MAY_STORE):
                raise errors.Forbidden("Storing instances is for tokens of role system or admin. Ask for such a one.")
        except errors.KerascopeError as refusal:
            log.warning("a request from %s was turned away: %s", peer, type(refusal).__name__)
            self._intake.record("connect", who, peer, f"refused:{type(refusal).__name__}")
            raise
        return caller

    def _check_length(self, length: int) -> None:
        if length > self._web.max_megabytes * 1e6:
            raise errors.BadImage(
                f"The body is longer than {self._web.max_megabytes:g} MB. Send fewer instances at a time.",
                errors.Reason.TOO_LARGE,
            )


def _answering(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """The same with our errors as statuses, and nobody else's words in the answer or the log."""

    async def safely(request: Request) -> Response:
        try:
            return await answer(request)
        except errors.KerascopeError as error:
            status = next((status for kind, status in STATUS if isinstance(error, kind)), 500)
            return PlainTextResponse(f"{error}\n", status, _headers(status, request))
        except asyncio.TimeoutError:
            return PlainTextResponse("Nothing came for half a minute.\n", 408)
        except ClientDisconnect:
            return PlainTextResponse("", 400)
        except Exception as bug:  # its words may quote a patient
            log.error("a request met %s", type(bug).__name__)
            return PlainTextResponse("A bug; the node's log has its kind.\n", 500)

    return safely


def _headers(status: int, request: Request) -> dict[str, str]:
    """A body of a length that was said is let run out, so that its sender reads the answer; an endless one is not."""
    if status == 413 and "content-length" not in request.headers:
        return {"Connection": "close"}
    return {"WWW-Authenticate": "Bearer"} if status == 401 else {}


def _takes_json(accept: str) -> bool:
    """Whether DICOM JSON (PS3.18 annex F) answers what the request accepts; by default it does."""
    kinds = {each.partition(";")[0].strip().lower() for each in accept.split(",")}
    return bool(kinds & {"", "*/*", "application/*", "application/json", JSON})


def _verifier(web: Web) -> Verifier | None:
    if web.token_secret is not None:
        return Verifier.by_secret(web.token_secret, web.token_audience)
    return Verifier.by_jwks(web.token_jwks, web.token_audience) if web.token_jwks is not None else None


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise errors.BadConfig(
            f"The DICOM node cannot listen for DICOMweb on {host}:{port}: {error.strerror}. Name another port."
        ) from None
