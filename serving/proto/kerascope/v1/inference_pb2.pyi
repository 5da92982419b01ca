from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ABSENT: _ClassVar[Verdict]
    VERDICT_NOT_SURE: _ClassVar[Verdict]
    VERDICT_PRESENT: _ClassVar[Verdict]
    VERDICT_UNRATED: _ClassVar[Verdict]

class Method(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METHOD_UNSPECIFIED: _ClassVar[Method]
    METHOD_GRAD_CAM: _ClassVar[Method]
    METHOD_GRAD_CAM_PLUS_PLUS: _ClassVar[Method]
    METHOD_SCORE_CAM: _ClassVar[Method]
    METHOD_LAYER_CAM: _ClassVar[Method]
    METHOD_SALIENCY: _ClassVar[Method]
    METHOD_SMOOTH_GRAD: _ClassVar[Method]
    METHOD_FASTER_SCORE_CAM: _ClassVar[Method]
    METHOD_GUIDED_BACKPROPAGATION: _ClassVar[Method]
    METHOD_DECONVNET: _ClassVar[Method]
    METHOD_INTEGRATED_GRADIENTS: _ClassVar[Method]
    METHOD_OCCLUSION: _ClassVar[Method]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_RECEIVED: _ClassVar[Status]
    STATUS_ANALYSING: _ClassVar[Status]
    STATUS_DONE: _ClassVar[Status]
    STATUS_REFUSED: _ClassVar[Status]
    STATUS_FAILED: _ClassVar[Status]

class Decision(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECISION_UNSPECIFIED: _ClassVar[Decision]
    DECISION_ACCEPT: _ClassVar[Decision]
    DECISION_REJECT: _ClassVar[Decision]
    DECISION_CORRECT: _ClassVar[Decision]
    DECISION_COMMENT: _ClassVar[Decision]
VERDICT_UNSPECIFIED: Verdict
VERDICT_ABSENT: Verdict
VERDICT_NOT_SURE: Verdict
VERDICT_PRESENT: Verdict
VERDICT_UNRATED: Verdict
METHOD_UNSPECIFIED: Method
METHOD_GRAD_CAM: Method
METHOD_GRAD_CAM_PLUS_PLUS: Method
METHOD_SCORE_CAM: Method
METHOD_LAYER_CAM: Method
METHOD_SALIENCY: Method
METHOD_SMOOTH_GRAD: Method
METHOD_FASTER_SCORE_CAM: Method
METHOD_GUIDED_BACKPROPAGATION: Method
METHOD_DECONVNET: Method
METHOD_INTEGRATED_GRADIENTS: Method
METHOD_OCCLUSION: Method
STATUS_UNSPECIFIED: Status
STATUS_RECEIVED: Status
STATUS_ANALYSING: Status
STATUS_DONE: Status
STATUS_REFUSED: Status
STATUS_FAILED: Status
DECISION_UNSPECIFIED: Decision
DECISION_ACCEPT: Decision
DECISION_REJECT: Decision
DECISION_CORRECT: Decision
DECISION_COMMENT: Decision

class ModelRef(_message.Message):
    __slots__ = ("name", "version")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: int
    def __init__(self, name: _Optional[str] = ..., version: _Optional[int] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[ModelSummary]
    def __init__(self, models: _Optional[_Iterable[_Union[ModelSummary, _Mapping]]] = ...) -> None: ...

class ModelSummary(_message.Message):
    __slots__ = ("model", "task", "question", "labels", "ready")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    QUESTION_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    task: str
    question: str
    labels: _containers.RepeatedScalarFieldContainer[str]
    ready: bool
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., task: _Optional[str] = ..., question: _Optional[str] = ..., labels: _Optional[_Iterable[str]] = ..., ready: _Optional[bool] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ...) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("card_json", "ready")
    CARD_JSON_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    card_json: str
    ready: bool
    def __init__(self, card_json: _Optional[str] = ..., ready: _Optional[bool] = ...) -> None: ...

class GetReferenceSetRequest(_message.Message):
    __slots__ = ("model",)
    MODEL_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ...) -> None: ...

class GetReferenceSetResponse(_message.Message):
    __slots__ = ("reference_set_npz",)
    REFERENCE_SET_NPZ_FIELD_NUMBER: _ClassVar[int]
    reference_set_npz: bytes
    def __init__(self, reference_set_npz: _Optional[bytes] = ...) -> None: ...

class AnalyzeRequest(_message.Message):
    __slots__ = ("model", "image", "include_embedding", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    image: bytes
    include_embedding: bool
    request_id: str
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., image: _Optional[bytes] = ..., include_embedding: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class AnalyzeResponse(_message.Message):
    __slots__ = ("findings", "provenance", "image", "timings", "embedding", "notice", "caution")
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    CAUTION_FIELD_NUMBER: _ClassVar[int]
    findings: _containers.RepeatedCompositeFieldContainer[Finding]
    provenance: Provenance
    image: ImageFacts
    timings: Timings
    embedding: _containers.RepeatedScalarFieldContainer[float]
    notice: str
    caution: Caution
    def __init__(self, findings: _Optional[_Iterable[_Union[Finding, _Mapping]]] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., image: _Optional[_Union[ImageFacts, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., embedding: _Optional[_Iterable[float]] = ..., notice: _Optional[str] = ..., caution: _Optional[_Union[Caution, _Mapping]] = ...) -> None: ...

class Caution(_message.Message):
    __slots__ = ("measure", "ratio", "refusal_ratio", "share", "message")
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_RATIO_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    measure: str
    ratio: float
    refusal_ratio: float
    share: float
    message: str
    def __init__(self, measure: _Optional[str] = ..., ratio: _Optional[float] = ..., refusal_ratio: _Optional[float] = ..., share: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class AnalyzeStreamRequest(_message.Message):
    __slots__ = ("options", "chunk")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    options: StreamOptions
    chunk: ImageChunk
    def __init__(self, options: _Optional[_Union[StreamOptions, _Mapping]] = ..., chunk: _Optional[_Union[ImageChunk, _Mapping]] = ...) -> None: ...

class StreamOptions(_message.Message):
    __slots__ = ("model", "include_embedding", "stream_id", "after")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    include_embedding: bool
    stream_id: str
    after: int
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., include_embedding: _Optional[bool] = ..., stream_id: _Optional[str] = ..., after: _Optional[int] = ...) -> None: ...

class ImageChunk(_message.Message):
    __slots__ = ("image_id", "data", "last")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    data: bytes
    last: bool
    def __init__(self, image_id: _Optional[str] = ..., data: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class AnalyzeStreamResponse(_message.Message):
    __slots__ = ("opened", "answer")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    opened: StreamOpened
    answer: ImageAnswer
    def __init__(self, opened: _Optional[_Union[StreamOpened, _Mapping]] = ..., answer: _Optional[_Union[ImageAnswer, _Mapping]] = ...) -> None: ...

class StreamOpened(_message.Message):
    __slots__ = ("in_flight", "told_again")
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    TOLD_AGAIN_FIELD_NUMBER: _ClassVar[int]
    in_flight: int
    told_again: int
    def __init__(self, in_flight: _Optional[int] = ..., told_again: _Optional[int] = ...) -> None: ...

class ImageAnswer(_message.Message):
    __slots__ = ("image_id", "analysis", "error", "sequence", "from_store")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FROM_STORE_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    analysis: AnalyzeResponse
    error: ImageError
    sequence: int
    from_store: bool
    def __init__(self, image_id: _Optional[str] = ..., analysis: _Optional[_Union[AnalyzeResponse, _Mapping]] = ..., error: _Optional[_Union[ImageError, _Mapping]] = ..., sequence: _Optional[int] = ..., from_store: _Optional[bool] = ...) -> None: ...

class ImageError(_message.Message):
    __slots__ = ("code", "error", "reason", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: int
    error: str
    reason: str
    detail: str
    def __init__(self, code: _Optional[int] = ..., error: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class AnalyzeStudyRequest(_message.Message):
    __slots__ = ("options", "chunk")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    options: StudyOptions
    chunk: ImageChunk
    def __init__(self, options: _Optional[_Union[StudyOptions, _Mapping]] = ..., chunk: _Optional[_Union[ImageChunk, _Mapping]] = ...) -> None: ...

class StudyOptions(_message.Message):
    __slots__ = ("model", "study_uid", "request_id")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    study_uid: str
    request_id: str
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., study_uid: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class AnalyzeStudyResponse(_message.Message):
    __slots__ = ("study_uid", "model", "images", "summary", "analysed", "turned_away", "notice", "unusual")
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ANALYSED_FIELD_NUMBER: _ClassVar[int]
    TURNED_AWAY_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    UNUSUAL_FIELD_NUMBER: _ClassVar[int]
    study_uid: str
    model: ModelRef
    images: _containers.RepeatedCompositeFieldContainer[ImageAnswer]
    summary: _containers.RepeatedCompositeFieldContainer[StudyFinding]
    analysed: int
    turned_away: int
    notice: str
    unusual: int
    def __init__(self, study_uid: _Optional[str] = ..., model: _Optional[_Union[ModelRef, _Mapping]] = ..., images: _Optional[_Iterable[_Union[ImageAnswer, _Mapping]]] = ..., summary: _Optional[_Iterable[_Union[StudyFinding, _Mapping]]] = ..., analysed: _Optional[int] = ..., turned_away: _Optional[int] = ..., notice: _Optional[str] = ..., unusual: _Optional[int] = ...) -> None: ...

class StudyFinding(_message.Message):
    __slots__ = ("label", "probability", "verdict", "image_id", "present_on")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PRESENT_ON_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    verdict: Verdict
    image_id: str
    present_on: int
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., image_id: _Optional[str] = ..., present_on: _Optional[int] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("label", "probability", "logit", "verdict", "operating_point", "evidence")
    LABEL_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    LOGIT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    OPERATING_POINT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    label: str
    probability: float
    logit: float
    verdict: Verdict
    operating_point: OperatingPoint
    evidence: Map
    def __init__(self, label: _Optional[str] = ..., probability: _Optional[float] = ..., logit: _Optional[float] = ..., verdict: _Optional[_Union[Verdict, str]] = ..., operating_point: _Optional[_Union[OperatingPoint, _Mapping]] = ..., evidence: _Optional[_Union[Map, _Mapping]] = ...) -> None: ...

class OperatingPoint(_message.Message):
    __slots__ = ("threshold", "not_sure_low", "not_sure_high", "chosen_by", "sensitivity", "specificity")
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    NOT_SURE_LOW_FIELD_NUMBER: _ClassVar[int]
    NOT_SURE_HIGH_FIELD_NUMBER: _ClassVar[int]
    CHOSEN_BY_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    SPECIFICITY_FIELD_NUMBER: _ClassVar[int]
    threshold: float
    not_sure_low: float
    not_sure_high: float
    chosen_by: str
    sensitivity: Interval
    specificity: Interval
    def __init__(self, threshold: _Optional[float] = ..., not_sure_low: _Optional[float] = ..., not_sure_high: _Optional[float] = ..., chosen_by: _Optional[str] = ..., sensitivity: _Optional[_Union[Interval, _Mapping]] = ..., specificity: _Optional[_Union[Interval, _Mapping]] = ...) -> None: ...

class Interval(_message.Message):
    __slots__ = ("value", "low", "high")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    value: float
    low: float
    high: float
    def __init__(self, value: _Optional[float] = ..., low: _Optional[float] = ..., high: _Optional[float] = ...) -> None: ...

class Map(_message.Message):
    __slots__ = ("rows", "columns", "values")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    rows: int
    columns: int
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, rows: _Optional[int] = ..., columns: _Optional[int] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...

class Provenance(_message.Message):
    __slots__ = ("model", "backbone", "weights_sha256", "analysis_id", "image_sha256", "gateway_version")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    BACKBONE_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    GATEWAY_VERSION_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    backbone: str
    weights_sha256: str
    analysis_id: str
    image_sha256: str
    gateway_version: str
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., backbone: _Optional[str] = ..., weights_sha256: _Optional[str] = ..., analysis_id: _Optional[str] = ..., image_sha256: _Optional[str] = ..., gateway_version: _Optional[str] = ...) -> None: ...

class ImageFacts(_message.Message):
    __slots__ = ("format", "width", "height", "modality")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MODALITY_FIELD_NUMBER: _ClassVar[int]
    format: str
    width: int
    height: int
    modality: str
    def __init__(self, format: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., modality: _Optional[str] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("decode_ms", "preprocess_ms", "model_ms", "total_ms")
    DECODE_MS_FIELD_NUMBER: _ClassVar[int]
    PREPROCESS_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_MS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_MS_FIELD_NUMBER: _ClassVar[int]
    decode_ms: float
    preprocess_ms: float
    model_ms: float
    total_ms: float
    def __init__(self, decode_ms: _Optional[float] = ..., preprocess_ms: _Optional[float] = ..., model_ms: _Optional[float] = ..., total_ms: _Optional[float] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("model", "image", "method", "label")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    model: ModelRef
    image: bytes
    method: Method
    label: str
    def __init__(self, model: _Optional[_Union[ModelRef, _Mapping]] = ..., image: _Optional[bytes] = ..., method: _Optional[_Union[Method, str]] = ..., label: _Optional[str] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("method", "label", "heatmap", "strength", "elapsed_ms", "provenance", "notice")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    HEATMAP_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    NOTICE_FIELD_NUMBER: _ClassVar[int]
    method: Method
    label: str
    heatmap: Map
    strength: float
    elapsed_ms: float
    provenance: Provenance
    notice: str
    def __init__(self, method: _Optional[_Union[Method, str]] = ..., label: _Optional[str] = ..., heatmap: _Optional[_Union[Map, _Mapping]] = ..., strength: _Optional[float] = ..., elapsed_ms: _Optional[float] = ..., provenance: _Optional[_Union[Provenance, _Mapping]] = ..., notice: _Optional[str] = ...) -> None: ...

class StoredAnalysis(_message.Message):
    __slots__ = ("sequence", "analysis_id", "created_ms", "model", "status", "image_sha256", "study_uid", "instance_uid", "analysis", "error", "reason", "detail", "reviews")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_SHA256_FIELD_NUMBER: _ClassVar[int]
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    REVIEWS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    analysis_id: str
    created_ms: int
    model: ModelRef
    status: Status
    image_sha256: str
    study_uid: str
    instance_uid: str
    analysis: AnalyzeResponse
    error: str
    reason: str
    detail: str
    reviews: _containers.RepeatedCompositeFieldContainer[Review]
    def __init__(self, sequence: _Optional[int] = ..., analysis_id: _Optional[str] = ..., created_ms: _Optional[int] = ..., model: _Optional[_Union[ModelRef, _Mapping]] = ..., status: _Optional[_Union[Status, str]] = ..., image_sha256: _Optional[str] = ..., study_uid: _Optional[str] = ..., instance_uid: _Optional[str] = ..., analysis: _Optional[_Union[AnalyzeResponse, _Mapping]] = ..., error: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., reviews: _Optional[_Iterable[_Union[Review, _Mapping]]] = ...) -> None: ...

class GetAnalysisRequest(_message.Message):
    __slots__ = ("analysis_id",)
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    analysis_id: str
    def __init__(self, analysis_id: _Optional[str] = ...) -> None: ...

class GetAnalysisResponse(_message.Message):
    __slots__ = ("analysis",)
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    analysis: StoredAnalysis
    def __init__(self, analysis: _Optional[_Union[StoredAnalysis, _Mapping]] = ...) -> None: ...

class ListAnalysesRequest(_message.Message):
    __slots__ = ("model", "limit", "before", "include_embedding")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    model: str
    limit: int
    before: int
    include_embedding: bool
    def __init__(self, model: _Optional[str] = ..., limit: _Optional[int] = ..., before: _Optional[int] = ..., include_embedding: _Optional[bool] = ...) -> None: ...

class ListAnalysesResponse(_message.Message):
    __slots__ = ("analyses",)
    ANALYSES_FIELD_NUMBER: _ClassVar[int]
    analyses: _containers.RepeatedCompositeFieldContainer[StoredAnalysis]
    def __init__(self, analyses: _Optional[_Iterable[_Union[StoredAnalysis, _Mapping]]] = ...) -> None: ...

class Study(_message.Message):
    __slots__ = ("number", "study_uid", "received_ms", "items")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_MS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    number: int
    study_uid: str
    received_ms: int
    items: _containers.RepeatedCompositeFieldContainer[StudyItem]
    def __init__(self, number: _Optional[int] = ..., study_uid: _Optional[str] = ..., received_ms: _Optional[int] = ..., items: _Optional[_Iterable[_Union[StudyItem, _Mapping]]] = ...) -> None: ...

class StudyItem(_message.Message):
    __slots__ = ("instance_uid", "model", "status", "reason", "analysis_id", "caution_ratio")
    INSTANCE_UID_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    CAUTION_RATIO_FIELD_NUMBER: _ClassVar[int]
    instance_uid: str
    model: str
    status: Status
    reason: str
    analysis_id: str
    caution_ratio: float
    def __init__(self, instance_uid: _Optional[str] = ..., model: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., reason: _Optional[str] = ..., analysis_id: _Optional[str] = ..., caution_ratio: _Optional[float] = ...) -> None: ...

class ListStudiesRequest(_message.Message):
    __slots__ = ("limit", "before")
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    limit: int
    before: int
    def __init__(self, limit: _Optional[int] = ..., before: _Optional[int] = ...) -> None: ...

class ListStudiesResponse(_message.Message):
    __slots__ = ("studies",)
    STUDIES_FIELD_NUMBER: _ClassVar[int]
    studies: _containers.RepeatedCompositeFieldContainer[Study]
    def __init__(self, studies: _Optional[_Iterable[_Union[Study, _Mapping]]] = ...) -> None: ...

class GetStudyRequest(_message.Message):
    __slots__ = ("study_uid",)
    STUDY_UID_FIELD_NUMBER: _ClassVar[int]
    study_uid: str
    def __init__(self, study_uid: _Optional[str] = ...) -> None: ...

class GetStudyResponse(_message.Message):
    __slots__ = ("study", "analyses")
    STUDY_FIELD_NUMBER: _ClassVar[int]
    ANALYSES_FIELD_NUMBER: _ClassVar[int]
    study: Study
    analyses: _containers.RepeatedCompositeFieldContainer[StoredAnalysis]
    def __init__(self, study: _Optional[_Union[Study, _Mapping]] = ..., analyses: _Optional[_Iterable[_Union[StoredAnalysis, _Mapping]]] = ...) -> None: ...

class Review(_message.Message):
    __slots__ = ("analysis_id", "decision", "user", "finding", "correction", "comment", "signed", "created_ms")
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_FIELD_NUMBER: _ClassVar[int]
    CREATED_MS_FIELD_NUMBER: _ClassVar[int]
    analysis_id: str
    decision: Decision
    user: str
    finding: str
    correction: Verdict
    comment: str
    signed: bool
    created_ms: int
    def __init__(self, analysis_id: _Optional[str] = ..., decision: _Optional[_Union[Decision, str]] = ..., user: _Optional[str] = ..., finding: _Optional[str] = ..., correction: _Optional[_Union[Verdict, str]] = ..., comment: _Optional[str] = ..., signed: _Optional[bool] = ..., created_ms: _Optional[int] = ...) -> None: ...

class SubmitReviewRequest(_message.Message):
    __slots__ = ("review",)
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    review: Review
    def __init__(self, review: _Optional[_Union[Review, _Mapping]] = ...) -> None: ...

class SubmitReviewResponse(_message.Message):
    __slots__ = ("review",)
    REVIEW_FIELD_NUMBER: _ClassVar[int]
    review: Review
    def __init__(self, review: _Optional[_Union[Review, _Mapping]] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("after", "model")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    after: int
    model: str
    def __init__(self, after: _Optional[int] = ..., model: _Optional[str] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("analysis",)
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    analysis: StoredAnalysis
    def __init__(self, analysis: _Optional[_Union[StoredAnalysis, _Mapping]] = ...) -> None: ...

class FindSimilarRequest(_message.Message):
    __slots__ = ("analysis_id", "limit")
    ANALYSIS_ID_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    analysis_id: str
    limit: int
    def __init__(self, analysis_id: _Optional[str] = ..., limit: _Optional[int] = ...) -> None: ...

class FindSimilarResponse(_message.Message):
    __slots__ = ("similar",)
    SIMILAR_FIELD_NUMBER: _ClassVar[int]
    similar: _containers.RepeatedCompositeFieldContainer[Similar]
    def __init__(self, similar: _Optional[_Iterable[_Union[Similar, _Mapping]]] = ...) -> None: ...

class Similar(_message.Message):
    __slots__ = ("similarity", "analysis")
    SIMILARITY_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    similarity: float
    analysis: StoredAnalysis
    def __init__(self, similarity: _Optional[float] = ..., analysis: _Optional[_Union[StoredAnalysis, _Mapping]] = ...) -> None: ...
