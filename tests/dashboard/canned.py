"""A gateway whose answers are known: real gRPC, real messages, and no model behind it."""

from __future__ import annotations

import hashlib
import time
import uuid
from concurrent import futures
from dataclasses import replace

import grpc
import numpy as np

from serving import messages
from serving.hospital import header
from serving.messages import ModelSummary
from serving.proto.kerascope.v1 import inference_pb2 as pb
from serving.proto.kerascope.v1 import inference_pb2_grpc
from serving.status import abort_on_error
from serving.store.store import Store
from serving.store_servicer import StoreServicer
from zoo import errors
from zoo.cards import (
    Calibration,
    InputSpec,
    Interval,
    Label,
    LabelMetrics,
    ModelCard,
    OperatingPoint,
    Training,
    TrainingData,
)
from zoo.imaging import gate, image
from zoo.imaging.overlay import heatmap
from zoo.reference_set import ReferenceSet
from zoo.results import Analysis, Caution, Explanation, Finding, ImageFacts, Measure, Provenance, Timings, Verdict
from zoo.tasks import BREAST_ULTRASOUND, PHANTOM_CHEST, Task

POINT = OperatingPoint(
    threshold=0.4,
    not_sure=(0.3, 0.5),
    chosen_by="Youden's J on validation",
    sensitivity=Interval(value=0.91, low=0.85, high=0.95),
    specificity=Interval(value=0.88, low=0.83, high=0.92),
)
# Per task: calibrated probability of each label, in the card's order.
PROBABILITIES = {
    "phantom-chest": (0.42, 0.07, 0.86, 0.003, 0.12),
    "breast-ultrasound": (0.16, 0.81, 0.03),
}


CAUTION = Caution(
    measure=Measure.EMBEDDING,
    ratio=1.31,
    refusal_ratio=1.8,
    share=0.05,
    message="Unusual for this model: 1.31 times the distance within which 95 % of images of its training's kind lie "
    "(by its features; refused from 1.8 times). Read its answer with care.",
)


def blob(rows: int, columns: int, row: float, column: float, height: float) -> np.ndarray:
    """A round hill on a plain of -0.3: float32 [rows, columns]."""
    y, x = np.mgrid[:rows, :columns]
    return (height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 2.2) - 0.3).astype(np.float32)


def finding(label: str, probability: float, point: OperatingPoint | None = POINT, seed: int = 0) -> Finding:
    """A finding whose evidence is a hill at a place that depends on the seed."""
    row, column = (2 + seed) % 5, (1 + 2 * seed) % 5
    return Finding(
        label=label,
        probability=probability,
        logit=float(np.log(probability / (1 - probability))),
        verdict=Verdict.of(probability, point),
        operating_point=point,
        evidence=blob(5, 5, row, column, 8 * probability),
    )


def provenance(model: str = "phantom-chest") -> Provenance:
    return Provenance(
        model=model,
        version=1,
        backbone="small-cnn",
        weights_sha256="9f2c" * 16,
        analysis_id="c0ffee12",
        image_sha256="ab12" * 16,
        gateway_version="0.1.0",
    )


def analysis(task: Task = PHANTOM_CHEST, picture: image.Image | None = None) -> Analysis:
    """The canned answer for a task."""
    facts = ImageFacts(format="PNG", width=64, height=64)
    if picture is not None:
        facts = ImageFacts(format=picture.format, width=picture.width, height=picture.height, modality=picture.modality)
    pairs = zip(task.labels, PROBABILITIES[task.name], strict=True)
    return Analysis(
        findings=tuple(finding(label, probability, seed=seed) for seed, (label, probability) in enumerate(pairs)),
        provenance=provenance(task.name),
        image=facts,
        timings=Timings(decode_ms=3.1, preprocess_ms=1.2, model_ms=18.4, total_ms=23.5),
    )


def card(task: Task = PHANTOM_CHEST) -> ModelCard:
    """A complete card for a task; its numbers are made up."""
    score = Interval(value=0.94, low=0.91, high=0.97)
    metrics = LabelMetrics(
        positives=61,
        negatives=179,
        auroc=score,
        auprc=Interval(value=0.88, low=0.82, high=0.93),
        sensitivity=POINT.sensitivity,
        specificity=POINT.specificity,
        f1=Interval(value=0.81, low=0.75, high=0.87),
        pointing_game=Interval(value=0.78, low=0.66, high=0.88),
        pointing_images=58,
        pointing_centre=0.09,
        pointing_mask_area=0.06,
    )
    count = len(task.labels)
    return ModelCard(
        name=task.name,
        version=1,
        task=task.name,
        question=task.question,
        kind=task.kind,
        negative=task.negative,
        backbone="small-cnn",
        parameters=412_000,
        input=InputSpec(height=160, width=160, channels=task.channels, modalities=task.modalities),
        labels=tuple(Label(name=name, operating_point=POINT, metrics=metrics) for name in task.labels),
        evidence_layer="features",
        evidence_grid=(5, 5),
        embedding_size=128,
        calibration=Calibration(method="temperature", temperature=(1.31,), ece_before=0.061, ece_after=0.024),
        accuracy=Interval(value=0.86, low=0.81, high=0.9) if task.kind.exclusive else None,
        confusion=((50, 9, 2), (7, 48, 1), (3, 1, 79)) if task.kind.exclusive and count == 3 else None,
        licence="CC-BY-4.0",
        intended_use="Trying out the zoo: research and teaching.",
        not_for=task.not_for,
        data=TrainingData(
            name="phantoms",
            fingerprint="77aa" * 16,
            images={"train": 560, "validation": 80, "test": 160},
            patients={"train": 280, "validation": 40, "test": 80},
            grouped_by="patient_id",
        ),
        training=Training(
            config={"backbone": "small-cnn", "batch_size": 32, "seed": 0},
            code_revision="4f0c1d2",
            packages={"keras": "3.15.1", "tensorflow": "2.21.0"},
            probe_score=0.71,
            score=0.95,
            score_name="mean AUROC",
        ),
        weights_sha256="9f2c" * 16,
        created="2026-11-20T10:00:00Z",
    )


def reference_set(task: Task = PHANTOM_CHEST) -> ReferenceSet:
    """Eight pictures in two rows of four, the first row with every label, the second with none (or the next one)."""
    count = len(task.labels)
    column = np.arange(8) // 4
    truth = np.eye(count, dtype=np.int8)[column] if task.kind.exclusive else np.tile(1 - column[:, None], (1, count))
    probability = np.linspace(0.9, 0.2, 8, dtype=np.float32)[:, None] * np.ones((1, count), np.float32)
    places = np.stack([np.arange(8) % 4, column], axis=1).astype(np.float32)
    return ReferenceSet(
        truth=truth.astype(np.int8),
        probability=probability,
        embedding=np.concatenate([places, np.ones((8, 2), np.float32)], axis=1).astype(np.float16),
        evidence=np.stack([np.stack([blob(5, 5, k % 5, k % 4, 5)] * count, axis=-1) for k in range(8)]).astype("f2"),
        pca=places,
        centre=np.array([0, 0, 1, 1], np.float32),
        directions=np.eye(2, 4, dtype=np.float32),
        explained=np.array([0.6, 0.3], np.float32),
        tsne=places * 10,
        pixels=np.full((8, 16, 16), 90, np.uint8),
        of=16,
    )


class CannedServicer(StoreServicer):
    """Reads and gates pictures as the gateway does; the findings are `PROBABILITIES`."""

    def __init__(self, tasks: tuple[Task, ...], store: Store | None) -> None:
        super().__init__(store, None, watchers=1)
        self.tasks = {task.name: task for task in tasks}
        self.ready = True
        self.away: set[str] = set()  # models that do not answer while the others do
        self.unlike = False  # whether every picture is refused as unlike those it learnt from
        self.unusual = False  # whether every answer carries a caution
        self.newest = 1  # each model has the versions from 1 to this
        self.analyses = 0
        self.has_reference_set = True
        self.reference_set: ReferenceSet | None = None  # in place of the eight pictures

    def ListModels(self, request: pb.ListModelsRequest, context: grpc.ServicerContext) -> pb.ListModelsResponse:
        summaries = [
            ModelSummary(
                name=t.name,
                version=version,
                task=t.name,
                question=t.question,
                labels=t.labels,
                ready=self.ready and t.name not in self.away,
            )
            for t in self.tasks.values()
            for version in range(1, self.newest + 1)
        ]
        return pb.ListModelsResponse(models=map(messages.summary_to_message, summaries))

    def GetModel(self, request: pb.GetModelRequest, context: grpc.ServicerContext) -> pb.GetModelResponse:
        asked = card(self.tasks[request.model.name])
        if request.model.version > 1:
            asked = asked.model_copy(update={"version": request.model.version, "licence": "Apache-2.0"})
        return pb.GetModelResponse(card_json=asked.to_json(), ready=self.ready)

    def GetReferenceSet(
        self, request: pb.GetReferenceSetRequest, context: grpc.ServicerContext
    ) -> pb.GetReferenceSetResponse:
        with abort_on_error(context):
            if not self.has_reference_set:
                raise errors.UnknownRecord("The bundle of phantom-chest version 1 holds no reference set.")
            held = self.reference_set or reference_set(self.tasks[request.model.name])
            return pb.GetReferenceSetResponse(reference_set_npz=held.to_bytes())

    def Analyze(self, request: pb.AnalyzeRequest, context: grpc.ServicerContext) -> pb.AnalyzeResponse:
        with abort_on_error(context):
            self.analyses += 1
            if not self.ready:
                raise errors.ModelNotReady("The model server does not answer at localhost:8500.")
            task = self.tasks[request.model.name]
            picture = image.read(request.image)
            try:
                gate.check(picture, card(task).input)
                if self.unlike:
                    raise errors.ImageRefused("The picture is unlike the 560.", errors.Reason.OUT_OF_DISTRIBUTION)
            except errors.ImageRefused as refusal:
                self._refused(request, refusal)
                raise
            answer = replace(analysis(task, picture), embedding=np.array([1, 0, 1, 1], np.float32))
            answer = replace(answer, caution=CAUTION if self.unusual else None)
            return messages.analysis_to_message(self._saved(request, answer))

    def _saved(self, request: pb.AnalyzeRequest, answer: Analysis) -> Analysis:
        """The answer, in the store under an identifier of its own where there is a store."""
        if self._kept is None:
            return answer
        made = replace(
            answer.provenance,
            analysis_id=uuid.uuid4().hex,
            image_sha256=hashlib.sha256(request.image).hexdigest(),
        )
        answer = replace(answer, provenance=made)
        self._kept.analyses.save(answer, header.read(request.image))
        return answer

    def _refused(self, request: pb.AnalyzeRequest, refusal: errors.ImageRefused) -> None:
        if self._kept is not None:
            digest = hashlib.sha256(request.image).hexdigest()
            about = header.read(request.image)
            self._kept.analyses.refuse(refusal, about, model=request.model.name, version=1, image_sha256=digest)

    def Explain(self, request: pb.ExplainRequest, context: grpc.ServicerContext) -> pb.ExplainResponse:
        with abort_on_error(context):
            task = self.tasks[request.model.name]
            found = next(f for f in analysis(task).findings if f.label == request.label)
            heat, strength = heatmap(found.evidence)
            time.sleep(0.05)
            made = Explanation(
                method=messages.method_from_message(request.method),
                label=request.label,
                heatmap=heat,
                strength=strength / heat.size,
                elapsed_ms=412.0,
                provenance=provenance(task.name),
            )
            return messages.explanation_to_message(made)


class CannedGateway:
    """A gRPC server around a `CannedServicer`; it can go away and come back on the same port."""

    def __init__(
        self, tasks: tuple[Task, ...] = (PHANTOM_CHEST, BREAST_ULTRASOUND), port: int = 0, store: Store | None = None
    ) -> None:
        self.servicer = CannedServicer(tasks, store)
        self.port = port
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> CannedGateway:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1)]
        )
        inference_pb2_grpc.add_InferenceServicer_to_server(self.servicer, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop(0).wait()
            self._server = None
