"""What a client asks about many images in one call: an archive's stream, and a study. Needs no TensorFlow."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable, Iterator

import grpc

from serving import stream_messages as messages
from serving.outbox import Outbox, Source, chunks, whole
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.records import ImageAnswer, StudyAnswer
from serving.status import error_of
from zoo import errors

# Somebody is away or busy: the same image sent again may be answered.
AWAY = (errors.ModelNotReady, errors.BackendTimeout, errors.StoreNotReady, errors.TooManyRequests)
TRIES = 3
LONGEST_PAUSE_S = 1.0


class StreamClient:
    """The part of `Client` that sends many images."""

    address: str
    _stub: inference_pb2_grpc.InferenceStub
    _metadata: Callable[[], tuple[tuple[str, str], ...]]
    _connect: Callable[[], None]
    _connected: bool

    def analyze_stream(
        self,
        images: Iterable[tuple[str, Source]],
        *,
        model: str,
        version: int = 0,
        embedding: bool = False,
        stream_id: str = "",
        after: int = 0,
        in_flight: int = 16,
        patience_s: float = 60.0,
    ) -> Iterator[ImageAnswer]:
        """An answer for each of many images, as it is found and so in any order.

        Holds `in_flight` images at most, however many there are. Where the connection breaks, or the gateway or its
        model server goes and comes back, it goes on by itself; with a store at the gateway no image is asked of the
        model twice.

        Args:
            images: a name of the caller's own for each image, 1 to 64 of letters, digits, dot, hyphen and underscore
                and each once, and the whole file or its path, which is read when it is sent. Drawn from as images are
                sent, in a thread of gRPC's.
            model: its name.
            version: 0 for the newest.
            embedding: asks for the pooled features too.
            stream_id: by the same rule; a random one if empty. To go on after this process has ended, give the same one
                again with the same images: what the store has of them is told again, and they are not sent.
            after: the highest `sequence` of those answers that need not be told again.
            in_flight: images sent and not yet answered, at most.
            patience_s: how long nothing may be answered before it gives up.

        Raises:
            UnknownModel, Forbidden, ...: the stream as a whole cannot be; what ails one image is its answer's `error`.
            ModelNotReady, BackendTimeout, StoreNotReady, TooManyRequests: nothing was answered for `patience_s`.
            What `images` raises.
        """
        options = pb.StreamOptions(
            model=pb.ModelRef(name=model, version=version),
            include_embedding=embedding,
            stream_id=stream_id or uuid.uuid4().hex,
            after=after,
        )
        outbox, patience = Outbox(images, in_flight), _Patience(patience_s)
        try:
            while True:
                try:
                    yield from self._streamed(outbox, options, patience)
                    return
                except AWAY as away:
                    patience.spend(away)
        finally:
            outbox.close()

    def analyze_study(
        self,
        images: Iterable[tuple[str, Source]],
        *,
        model: str,
        version: int = 0,
        study_uid: str = "",
        request_id: str = "",
        timeout_s: float | None = None,
    ) -> StudyAnswer:
        """All images of one study: findings for each, and a summary for each label.

        Args:
            images: name and file, as for `analyze_stream`.
            model: its name.
            version: 0 for the newest.
            study_uid: the study's UID; empty for that of the DICOM files.
            request_id: asked again under it, what was answered before comes from the gateway's store, if it has one.
            timeout_s: longest wait for the whole; None for as long as it takes.

        Raises:
            BadRequest: a file is of another study, two images have one name, or there is none.
            BadImage: a file cannot be read here.
            As `Client.analyze` otherwise; a picture that is turned away is no error but its image's answer.
        """
        reference = pb.ModelRef(name=model, version=version)
        options = pb.StudyOptions(model=reference, study_uid=study_uid, request_id=request_id)
        failed: list[Exception] = []
        self._connect()
        try:
            requests = _study_requests(options, images, failed)
            response = self._stub.AnalyzeStudy(requests, timeout=timeout_s, metadata=self._metadata())
        except grpc.RpcError as error:
            self._connected = error.code() is not grpc.StatusCode.UNAVAILABLE
            raise (failed or [error_of(error, self.address)])[0] from None
        if failed:
            raise failed[0]
        return messages.study_from_message(response)

    def _streamed(self, outbox: Outbox, options: pb.StreamOptions, patience: _Patience) -> Iterator[ImageAnswer]:
        """The answers of one connection; at its proper end all there are."""
        self._connect()
        call = self._stub.AnalyzeStream(_stream_requests(options, outbox.connected()), metadata=self._metadata())
        try:
            for response in call:
                if response.WhichOneof("part") == "opened":
                    outbox.ready()
                    continue
                answer = messages.answer_from_message(response.answer)
                options.after = max(options.after, answer.sequence)
                if not patience.try_again(answer, outbox) and outbox.answered(answer.image_id):
                    yield answer
                while outbox.unreadable:
                    yield outbox.unreadable.popleft()
        except grpc.RpcError as error:
            outbox.check()
            self._connected = error.code() is not grpc.StatusCode.UNAVAILABLE
            raise _broken(error, self.address) from None
        finally:
            call.cancel()
        outbox.check()
        yield from outbox.unreadable


class _Patience:
    """How often, and for how long, an image is sent again.

    Args:
        patience_s: how long nothing may be answered.
    """

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self._progress, self._pause_s = 0, 0.0
        self._waiting_since: float | None = None
        self._tries: dict[str, tuple[int, int]] = {}

    def try_again(self, answer: ImageAnswer, outbox: Outbox) -> bool:
        """Whether the image is sent again, after a pause: nobody could answer, and it was not for the image's sake.

        It was if others were answered meanwhile, time and again.

        Raises:
            The answer's error: nothing was answered for too long.
        """
        if not isinstance(answer.error, AWAY):
            self._progress, self._waiting_since, self._pause_s = self._progress + 1, None, 0.0
            self._tries.pop(answer.image_id, None)
            return False
        tries, seen = self._tries.get(answer.image_id, (0, -1))
        self._tries[answer.image_id] = tries + (self._progress > seen), self._progress
        if self._tries[answer.image_id][0] >= TRIES:
            return False
        self.spend(answer.error)
        return outbox.again(answer.image_id)

    def spend(self, error: errors.KerascopeError) -> None:
        """Waits a little longer than the last time.

        Raises:
            `error`: it has been too long.
        """
        self._waiting_since = self._waiting_since or time.monotonic()
        if time.monotonic() - self._waiting_since > self._patience_s:
            raise error
        self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s + 0.05)
        time.sleep(self._pause_s)


def _broken(error: grpc.RpcError, address: str) -> errors.KerascopeError:
    """As `error_of`; a gateway that stops while it answers cancels what it cannot finish."""
    if error.code() is grpc.StatusCode.CANCELLED:
        return errors.ModelNotReady(f"The gateway at {address} went away within a stream.")
    return error_of(error, address)


def _stream_requests(options: pb.StreamOptions, sent: Iterator[pb.ImageChunk]) -> Iterator[pb.AnalyzeStreamRequest]:
    yield pb.AnalyzeStreamRequest(options=options)
    for chunk in sent:
        yield pb.AnalyzeStreamRequest(chunk=chunk)


def _study_requests(
    options: pb.StudyOptions, images: Iterable[tuple[str, Source]], failed: list[Exception]
) -> Iterator[pb.AnalyzeStudyRequest]:
    """Ends where `images` fails, and leaves why in `failed`: gRPC would only log it."""
    yield pb.AnalyzeStudyRequest(options=options)
    try:
        for name, source in images:
            for chunk in chunks(name, whole(source)):
                yield pb.AnalyzeStudyRequest(chunk=chunk)
    except Exception as error:
        failed.append(error)
