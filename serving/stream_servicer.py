"""The gateway's methods that take many images in one call: an archive's stream, and a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc

from serving import stream_messages as messages
from serving.asking import Answer, Asking, Question
from serving.audit.access import audited
from serving.audit.trail import Audit
from serving.incoming import Incoming, check_name, images, opened
from serving.metrics import measure_of
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.pump import Pump
from serving.security.roles import pace_of
from serving.service import Service
from serving.status import STATUS, abort_on_error, told
from serving.store_servicer import StoreServicer
from serving.study import Study, summary
from zoo import errors
from zoo.cards import ModelCard

if TYPE_CHECKING:
    from serving.store.store import Store

PAGE = 20  # stored answers read at once
Ask = Callable[[Incoming], Question]


@dataclass(frozen=True, kw_only=True)
class Streaming:
    """How streams are read.

    Attributes:
        threads: which analyse the images of all streams, and of `Analyze`.
        in_flight: images of one stream held at once.
        most_bytes: of one image; and held of one stream, the last image read apart.
        idle_s: a stream on which nothing comes for so long is ended.
        count: is told of every image: method, model, status, seconds, reason, measure (`Metrics.called`).
    """

    threads: Executor
    in_flight: int
    most_bytes: int
    idle_s: float
    count: Callable[[str, str, grpc.StatusCode, float, str, str], None]


class StreamServicer(StoreServicer):
    """kerascope.v1.Inference, what concerns many images.

    Args:
        service: knows the models.
        asking: asks them.
        streaming: how streams are read.
        store, audit, watchers: as `StoreServicer`.
    """

    def __init__(
        self,
        service: Service,
        asking: Asking,
        streaming: Streaming,
        store: Store | None,
        audit: Audit | None,
        watchers: int,
    ) -> None:
        super().__init__(store, audit, watchers)
        self._service, self._asking, self._streaming = service, asking, streaming

    def AnalyzeStream(
        self, requests: Iterator[pb.AnalyzeStreamRequest], context: grpc.ServicerContext
    ) -> Iterator[pb.AnalyzeStreamResponse]:
        """Many images in, an answer for each as it is found."""
        with abort_on_error(context):
            options, chunks = self._opened(requests)
            _check_names(stream_id=options.stream_id)
            self._service.card(options.model.name, options.model.version)  # no such model: not worth beginning
            told_again = 0
            for answer in self._told_again(options, context):
                yield pb.AnalyzeStreamResponse(answer=answer)
                told_again += 1
            start = pb.StreamOpened(in_flight=self._streaming.in_flight, told_again=told_again)
            yield pb.AnalyzeStreamResponse(opened=start)

            def question(image: Incoming) -> Question:
                return Question(
                    image=image.data,
                    model=options.model.name,
                    version=options.model.version,
                    embedding=options.include_embedding,
                    request_id=_under(options.stream_id, image),
                    stream_id=options.stream_id,
                )

            for answer in self._answers("AnalyzeStream", self._images(chunks), question, context):
                yield pb.AnalyzeStreamResponse(answer=answer)

    def AnalyzeStudy(
        self, requests: Iterator[pb.AnalyzeStudyRequest], context: grpc.ServicerContext
    ) -> pb.AnalyzeStudyResponse:
        """All images of a study in, findings for each and a summary out."""
        with abort_on_error(context):
            options, chunks = self._opened(requests)
            _check_names(request_id=options.request_id)
            card, _ = self._service.card(options.model.name, options.model.version)
            study = Study(options.study_uid)

            def question(image: Incoming) -> Question:
                return Question(
                    image=image.data,
                    model=card.name,
                    version=card.version,
                    request_id=_under(options.request_id, image),
                    study_uid=study.uid,
                )

            read, found = self._images(chunks), {}
            for answer in self._answers("AnalyzeStudy", lambda heard: study.checked(read(heard)), question, context):
                _check_answered(answer)
                found[answer.image_id] = answer
            if not found:
                raise errors.BadRequest("The study has no image. Send one at least.")
            return _study(study, card, [found[name] for name in study.order])

    def _told_again(self, options: pb.StreamOptions, context: grpc.ServicerContext) -> Iterator[pb.ImageAnswer]:
        """What the store has of the stream."""
        if self._kept is None or not options.stream_id:
            return
        after = options.after
        while page := self._kept.analyses.of_stream(options.stream_id, after=after, limit=PAGE):
            for name, stored in page:
                with audited(self._audit, context, "read") as access:
                    access.about(stored)
                if stored.model != options.model.name:
                    raise errors.BadRequest("This stream_id has been used for another model. Take a new one.")
                yield messages.stored_to_message(name.partition("/")[2], stored)
                after = stored.sequence

    def _opened(self, requests: Iterator[Any]) -> tuple[Any, Iterator[pb.ImageChunk]]:
        waiting = ThreadPoolExecutor(1, thread_name_prefix="stream-opening")
        first = waiting.submit(next, requests, None)
        waiting.shutdown(wait=False)
        try:
            return opened(first.result(self._streaming.idle_s), requests)
        except Late:
            raise errors.BackendTimeout("The stream was opened, and nothing came. Open it again.") from None
        except grpc.RpcError:
            raise errors.BadRequest("The caller has gone before anything came.") from None

    def _images(self, chunks: Iterator[pb.ImageChunk]) -> Callable[[Callable[[], None]], Iterator[Incoming]]:
        return lambda heard: images(chunks, most_bytes=self._streaming.most_bytes, heard=heard)

    def _answers(
        self,
        method: str,
        read: Callable[[Callable[[], None]], Iterator[Incoming]],
        question: Ask,
        context: grpc.ServicerContext,
    ) -> Iterator[pb.ImageAnswer]:
        pump = Pump(
            read,
            lambda image: self._answer(method, image, question, context),
            self._streaming.threads,
            most_images=self._streaming.in_flight,
            most_bytes=self._streaming.most_bytes,
            idle_s=self._streaming.idle_s,
            pace=pace_of(context),
            alive=context.is_active,
            stopping=self._stopping.is_set,
        )
        return pump.answers()

    def _answer(self, method: str, image: Incoming, question: Ask, context: grpc.ServicerContext) -> pb.ImageAnswer:
        """One image's answer, whatever happens."""
        asked, began = question(image), time.perf_counter()
        status, reason = grpc.StatusCode.OK, ""
        try:
            said = self._said(image, asked, context)
            answer = messages.answer_to_message(image.image_id, said.analysis, said.sequence, again=said.again)
        except Exception as bad:
            error = told(bad)
            answer = messages.error_to_message(image.image_id, error)
            status, reason = STATUS[type(error)], answer.error.reason
        measure = measure_of(answer.analysis)
        self._streaming.count(method, asked.model, status, time.perf_counter() - began, reason, measure)
        return answer

    def _said(self, image: Incoming, asked: Question, context: grpc.ServicerContext) -> Answer:
        if image.refused is None:
            return self._asking.ask(asked, context, context.time_remaining())
        with audited(self._audit, context, "analyze") as access:
            access.model, access.version = asked.model, asked.version
            raise image.refused


def _under(name: str, image: Incoming) -> str:
    """An image's name within its stream's or study's; empty where that has none."""
    return f"{name}/{image.image_id}" if name else ""


def _check_names(**names: str) -> None:
    for field, name in names.items():
        if name:
            check_name(name, field)


def _check_answered(answer: pb.ImageAnswer) -> None:
    """A picture may be turned away; where nobody could answer, a summary would mislead."""
    error = messages.answer_from_message(answer).error if answer.HasField("error") else None
    if error is not None and not isinstance(error, (errors.BadImage, errors.ImageRefused)):
        raise error


def _study(study: Study, card: ModelCard, answers: list[pb.ImageAnswer]) -> pb.AnalyzeStudyResponse:
    found = [messages.answer_from_message(answer) for answer in answers]
    analyses = {image.image_id: image.analysis for image in found if image.analysis is not None}
    model = pb.ModelRef(name=card.name, version=card.version)
    return messages.study_to_message(study.uid, model, answers, summary(analyses), card.notice)
